"""What alice and bob do in `offhook demo`, step by step, and what each step has to bring about."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, TypeVar

import attrs
import trio

from ..actors.bus import Subscription
from ..actors.mailbox import ActorError
from ..actors.messages.events import CallEnded
from ..media.sdp import parse as parse_sdp
from ..media.sdp.crypto import parse_crypto
from ..media.sources import Clip
from ..sip.message import Response
from ..testing.listen import match
from ..testing.phone import Phone, PhoneCall
from ..testing.registering import NoAnswer, Registration
from ..testing.speech import tone
from .demo_app import MELODY, PRESSED, PROGRESS, DemoApp
from .demo_narrator import Narrator, Verdict

T = TypeVar("T")

STEP_S: Final = 12.0
"""No step takes longer; the longest that goes well takes about 4 s."""
RINGS_S: Final = 1.0
"""How long bob lets it ring."""
SETTLE_S: Final = 0.5
"""After the last key: a key that came twice would be there by then."""
NOTES: Final = 4
"""In each tune."""
RECENT: Final = 3 * 16_000
"""Bytes of what was heard last that are searched while waiting: 3 s, as a long search would hold up the sound."""
CLEAR: Final = 0.9
"""The least correlation, 0 to 1, of what was sent with what was heard."""
TUNES: Final = {
    "alice": b"".join(tone(250, hertz) for hertz in (440, 554, 659, 880)),
    "bob": b"".join(tone(250, hertz) for hertz in (900, 700, 600, 350)),
}
"""What each says to the other; the two have little in common."""
SRTP: Final = "RTP/SAVP AES_CM_128_HMAC_SHA1_80"
KEYS: Final = {"alice": "1593", "bob": "2*7"}
"""What each presses for the other."""


class Stuck(Exception):
    """A step did not come about."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"{what}: {why}")
        self.what, self.why = what, why


async def within(what: str, action: Callable[[], Awaitable[T]], lifeline: PhoneCall | None = None) -> T:
    """What `action` gives. Raises Stuck when that takes too long, or when the call it needs is over first."""
    outcome: list[T] = []
    why = [f"not within {STEP_S:g} s"]

    async def act() -> None:
        try:
            outcome.append(await action())
        except NoAnswer as error:
            why[0] = f"no answer ({error})"
        except ActorError as error:  # what a person did came too late: the call was over
            why[0] = str(error)
        nursery.cancel_scope.cancel()

    async def watch(call: PhoneCall) -> None:
        await call.over()
        why[0] = f"the call it needs is over ({call.cause.value if call.cause else call.status})"
        nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        nursery.cancel_scope.deadline = trio.current_time() + STEP_S
        nursery.start_soon(act)
        if lifeline is not None:
            nursery.start_soon(watch, lifeline)
    if not outcome:
        raise Stuck(what, why[0])
    return outcome[0]


@attrs.define(eq=False)
class Story:
    """Two phones register, alice calls the application, it connects her with bob, bob hangs up."""

    app: DemoApp
    narrator: Narrator
    alice: Phone
    bob: Phone
    domain: str
    server: str
    """SIP URI to send everything to."""
    password: str
    secure: bool = False
    """Whether nothing of it may be in the clear."""
    verdict: Verdict = attrs.field(factory=Verdict)
    heard: dict[str, bytes] = attrs.field(factory=dict)
    """By phone: 8 kHz, signed 16-bit."""

    async def play(self, ends: Subscription) -> None:
        """All of it, judged. `ends` brings the CallEnded of the server."""
        calls: dict[str, PhoneCall] = {}
        try:
            lines = [await self._register(phone) for phone in (self.alice, self.bob)]
            alice = calls["alice"] = await self._call()
            bob = calls["bob"] = await self._connect(alice)
            await self._talk(alice, bob)
            await self._press("alice", alice, "bob", bob)
            await self._press("bob", bob, "alice", alice)
            await self._end(alice, bob, ends)
            await self._leave(lines)
            if self.secure:
                self._judge_secrecy()
        except Stuck as stuck:
            self.verdict.expect(stuck.what, False, stuck.why)
        self.heard = {name: call.heard() for name, call in calls.items()}
        alerts = [f"{alert.code} {alert.name}: {alert.detail}" for alert in self.narrator.alerts]
        self.verdict.expect("nothing raises an alert", not alerts, "; ".join(alerts))
        self.verdict.expect(
            "every request to the application is signed", not self.app.complaints, "; ".join(self.app.complaints)
        )

    async def _register(self, phone: Phone) -> Registration:
        line = await within(
            f"{phone.name} registers",
            lambda: phone.register(self.domain, username=phone.name, password=self.password, via=self.server),
        )
        statuses = [response.status for response in line.responses]
        self.verdict.expect(f"{phone.name} registers with digest (407, then 200)", statuses == [407, 200], statuses)
        return line

    async def _leave(self, lines: Sequence[Registration]) -> None:
        """The phones unregister, so that nobody calls them any more."""
        for line in lines:
            await within(f"{line.username} unregisters", line.end)
        left = [contact for line in lines for contact in line.bindings]
        self.verdict.expect("both unregister", not left, left)

    async def _call(self) -> PhoneCall:
        """Alice calls the application, hears its melody, and presses the keys that it asks for."""
        alice = await self.alice.call(
            f"sip:desk@{self.domain}", username="alice", password=self.password, via=self.server
        )
        answered = await within("the application answers alice", alice.answered)
        statuses = answers(self.alice, "INVITE")
        self.verdict.expect(
            "alice's call is challenged, rings and is answered (407, 180, 200)",
            answered and follow(statuses, (407, 180, 200)),
            statuses,
        )
        await self._hears("alice", alice, MELODY, "the melody that the application plays", alice)
        self.narrator.line("alice", f"presses {PRESSED}#")
        await within(f"alice presses {PRESSED}#", lambda: alice.press(f"{PRESSED}#"), alice)
        await within(f"the keys {PRESSED} arrive at the application", lambda: self._told(1, "/menu"), alice)
        self.verdict.expect(
            f"the keys {PRESSED} arrive at the application", self.app.digits == PRESSED, f"got {self.app.digits}"
        )
        return alice

    async def _connect(self, alice: PhoneCall) -> PhoneCall:
        """The application dials bob, whose phone rings, and who picks up."""
        what = "<Dial> rings bob's phone, and bob picks up"
        bob = await within(what, self.bob.called, alice)
        await bob.ring()
        self.narrator.line("bob", "hears the phone ring")
        await trio.sleep(RINGS_S)
        self.narrator.line("bob", "picks up")
        self.verdict.expect(what, await within(what, bob.pick_up, alice), bob.status)
        return bob

    async def _talk(self, alice: PhoneCall, bob: PhoneCall) -> None:
        """Both speak at once, and each hears the other."""

        async def both() -> None:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(alice.say, Clip(TUNES["alice"]))
                nursery.start_soon(bob.say, Clip(TUNES["bob"]))

        self.narrator.line("alice", "plays a tune to bob, and bob another to alice, at the same time")
        await within("alice and bob speak", both, alice)
        await self._hears("bob", bob, TUNES["alice"], "alice's tune", alice)
        await self._hears("alice", alice, TUNES["bob"], "bob's tune", bob)

    async def _hears(self, name: str, call: PhoneCall, tune: bytes, what: str, lifeline: PhoneCall) -> None:
        why = ""
        try:
            await within(what, lambda: call.hears(lambda heard: likeness(heard[-RECENT:], tune) > CLEAR), lifeline)
        except Stuck as stuck:
            why = f", {stuck.why}"
        like = likeness(call.heard(), tune)
        found = f"correlation {like:.3f}{why}"
        self.narrator.line(name, f"{'hears' if like > CLEAR else 'does not hear'} {what}: {found}")
        self.verdict.expect(f"{name} hears {what}", like > CLEAR, found)

    async def _press(self, name: str, call: PhoneCall, other_name: str, other: PhoneCall) -> None:
        """Keys cross as telephone events, each exactly once."""
        keys = KEYS[name]
        what = f"the keys {keys} of {name} reach {other_name}, each once (RFC 4733)"
        self.narrator.line(name, f"presses {keys}")
        await within(what, lambda: call.press(keys), other)
        await trio.sleep(SETTLE_S)
        got = "".join(digit.digit for digit in other.digits)
        times = ", ".join(f"{digit.duration_ms} ms" for digit in other.digits)
        self.narrator.line(other_name, f"gets the keys {got or 'none'}" + (f" ({times})" if times else ""))
        self.verdict.expect(what, got == keys, f"got {got or 'none'}")

    async def _end(self, alice: PhoneCall, bob: PhoneCall, ends: Subscription) -> None:
        """Bob hangs up, the application is told how it went and says goodbye, everything is written down."""
        self.narrator.line("bob", "hangs up")
        await within("bob's hang-up is confirmed", bob.hang_up)
        await within("the action of <Dial> is asked", lambda: self._told(1, "/dialed"))
        told = {name: self.app.dialed.get(name) for name in ("DialCallStatus", "DialBridged")}
        self.verdict.expect(
            "the action of <Dial> is told DialCallStatus=completed, DialBridged=true",
            told == {"DialCallStatus": "completed", "DialBridged": "true"},
            told,
        )
        await within("alice's call ends", alice.over)
        statuses = [await within("both calls end", ends.take) for _ in (alice, bob)]
        ended = [end.status for end in statuses if isinstance(end, CallEnded)]
        self.verdict.expect("both calls end as completed", ended == ["completed", "completed"], ended)
        await within("the status callback comes", lambda: self._told(1, "/status"))
        self.verdict.expect(
            "the status callback says completed", self.app.final_status == "completed", self.app.final_status
        )
        await within("the callbacks of the dialled call come", lambda: self._told(len(PROGRESS), "/progress"))
        progress = tuple(self.app.progress)
        self.verdict.expect(f"its own callbacks say {', '.join(PROGRESS)}", progress == PROGRESS, progress)
        await within("the recording is told", lambda: self._told(1, "/recorded"))
        self.verdict.expect("the application gets the URL of the recording", bool(self.app.recording_url))

    def _judge_secrecy(self) -> None:
        """All signalling was TLS, and every session description named SRTP and its key."""
        for phone in (self.alice, self.bob):
            spoken = {seen.transport for seen in phone.ladder}
            self.verdict.expect(f"every SIP message of {phone.name} goes over TLS", spoken == {"TLS"}, spoken)
            [*kinds] = {kind_of_media(seen.message.body) for seen in phone.ladder if seen.message.body}
            self.verdict.expect(f"the media of {phone.name} is encrypted ({SRTP})", kinds == [SRTP], kinds)

    async def _told(self, count: int, path: str) -> None:
        await self.app.web.wait_for(count, path)


def likeness(heard: bytes, tune: bytes) -> float:
    """How well the notes of `tune`, each for itself, are found in `heard`, 0 to 1.

    A playout buffer that has to shift the sound in the middle of a note spoils that note alone.
    """
    size = len(tune) // NOTES
    return sum(match(heard, tune[place * size : (place + 1) * size]) for place in range(NOTES)) / NOTES


def kind_of_media(description: bytes) -> str:
    """The profile of a session description, with the suites of its keys."""
    [audio] = parse_sdp(description).media
    return " ".join([audio.profile, *(parse_crypto(line).suite.value for line in audio.values("crypto"))])


def answers(phone: Phone, method: str) -> list[int]:
    """Statuses that the phone's requests of that method got, in order."""
    got = [seen.message for seen in phone.ladder if isinstance(seen.message, Response) and not seen.sent]
    return [response.status for response in got if response.cseq.method == method]


def follow(found: Iterable[int], wanted: Iterable[int]) -> bool:
    """Whether the wanted ones stand among the found ones, in this order."""
    left = iter(found)
    return all(one in left for one in wanted)
