"""Two who talk through the server: Alice with a phone, Carol with a SIP peer that says exactly what a test writes."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import trio

from offhook.media.sources import Clip
from offhook.sip.message import Request, Response
from offhook.testing.listen import match
from offhook.testing.network import Conditions
from offhook.testing.phone import PhoneCall

from .kit import PHONE, World, world
from .peer import PORT, Peer, udp_peer
from .voice import Voice, media_of, sdp, voice

CAROL = "10.4.0.1"
DIAL = f'<Dial action="/after"><Sip>sip:carol@{PHONE}:{PORT}</Sip></Dial>'


@attrs.frozen
class Talk:
    """The two are connected; `carol` is her signalling, `media` her RTP, and `invite` what the server sent her."""

    it: World
    alice: PhoneCall
    carol: Peer
    media: Voice
    invite: Request
    _requests: itertools.count[int] = attrs.field(factory=lambda: itertools.count(1))

    @property
    def server_media(self) -> tuple[str, int]:
        """Where the server takes Carol's RTP."""
        return media_of(self.invite)

    async def alice_hears(self, samples: bytes, media: Voice | None = None, **law: Any) -> bool:
        """Whether Alice hears what Carol says now."""
        before = len(self.alice.heard())
        await (media or self.media).say(samples, self.server_media, **law)
        await trio.sleep(0.3)
        return match(self.alice.heard()[before:], samples) > 0.95

    async def carol_hears(self, samples: bytes, media: Voice | None = None) -> bool:
        """Whether Carol hears what Alice says now."""
        started = trio.current_time()
        await self.alice.say(Clip(samples))
        await trio.sleep(0.3)
        return match((media or self.media).heard(started), samples) > 0.95

    def asks(self, method: str, body: bytes = b"", headers: tuple[tuple[str, str], ...] = ()) -> Request:
        """Carol sends a request in the dialog."""
        number = next(self._requests)
        return self.carol.request(
            method,
            call_id=self.invite.call_id,
            branch=f"z9hG4bK-carol-{number}",
            cseq=number,
            tag="carol",
            to_tag=self.invite.from_tag,
            body=body,
            headers=headers,
        )

    async def reinvites(self, body: bytes, status: int = 200) -> Response:
        """Carol offers anew by re-INVITE, and acknowledges the answer."""
        request = self.asks("INVITE", body)
        answer = await self.carol.response(status)
        self.carol.request(
            "ACK",
            call_id=self.invite.call_id,
            branch=f"{request.via.branch}{'-ack' if status < 300 else ''}",
            cseq=request.cseq.number,
            tag="carol",
            to_tag=self.invite.from_tag,
        )
        return answer

    async def parts(self) -> dict[str, str]:
        """Alice hangs up; what the application was told of the dial."""
        await self.alice.hang_up()
        self.carol.respond(await self.carol.asked("BYE"))
        [after] = await self.it.web.wait_for(1, "/after")
        await self.it.idle()
        return after.params


@asynccontextmanager
async def talk(
    tmp_path: Path,
    *,
    dial: str = DIAL,
    answer: Callable[[Voice], bytes] = lambda media: sdp(media.address),
    headers: tuple[tuple[str, str], ...] = (),
    call: dict[str, Any] | None = None,
    media_timeout_s: float = 3600,
    **settings: Any,
) -> AsyncIterator[Talk]:
    """Carol answers with this description and these headers."""
    async with (
        world(tmp_path, conditions=Conditions(delay_s=0.005), **settings) as it,
        udp_peer(it.network) as carol,
        voice(it.network, CAROL, 30_000) as media,
    ):
        it.limit(media_timeout_s=media_timeout_s)
        alice = await it.dials(dial, **(call or {}))
        invite = await carol.asked("INVITE")
        carol.respond(invite, 200, tag="carol", body=answer(media), headers=headers)
        await carol.asked("ACK")
        assert await alice.answered()
        await trio.sleep(0.2)
        yield Talk(it, alice, carol, media, invite)
