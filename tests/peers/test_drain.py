"""How `offhook serve` ends: one SIGTERM refuses new calls and lets live ones finish, a second one ends at once."""

from __future__ import annotations

import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from offhook.sip.message import Response
from offhook.sip.parse import parse_datagram

from .application import open_application
from .house import DOMAIN, TOKEN, Offhook, open_offhook
from .programs import exit_status, until
from .scenarios import Caller
from .sipp import Sipp, media_sink, open_sipp, run_sipp
from .sound import speech_like, write_wav

pytestmark = pytest.mark.peers

CALLS = 20
PLAY_S = 6.0
AT_ONCE_S = 2.0
"""Longest time for what happens at once; processes share the machine with others."""


@asynccontextmanager
async def live_calls(folder: Path) -> AsyncIterator[tuple[Offhook, Sipp, int]]:
    """A server with CALLS answered calls, each of which plays a file of PLAY_S; and the port that takes its RTP."""
    file = folder / "file.wav"
    write_wav(file, speech_like(PLAY_S, seed=3))
    documents = {"/play": "<Response><Play>BASE/file.wav</Play></Response>"}
    async with (
        open_application(folder / "application", TOKEN, documents, {"/file.wav": file}) as application,
        open_offhook(folder / "offhook", application.base, ("play",)) as offhook,
    ):
        with media_sink() as port:
            caller = Caller(f"sip:100@{DOMAIN}", port).dials().is_answered().is_hung_up_on()
            async with open_sipp(
                caller, offhook.sip, folder / "sipp", transport="UDP", calls=CALLS, rate=100, most_s=30
            ) as sipp:

                async def all_play() -> bool:
                    return await offhook.metric("offhook_calls_live") == CALLS

                await until(all_play, 10, f"{CALLS} calls are live", offhook.process)
                yield offhook, sipp, port


async def test_draining_refuses_new_calls_and_lets_live_ones_finish(tmp_path: Path) -> None:
    async with live_calls(tmp_path) as (offhook, sipp, port):
        offhook.process.send_signal(signal.SIGTERM)

        async def draining() -> bool:
            return await offhook.status() == "draining"

        await until(draining, AT_ONCE_S, "the server drains", offhook.process)
        refusal = await answer_to_an_invite(offhook.sip)
        assert refusal.status == 503
        assert int(refusal.headers.get("Retry-After") or "0") > 0
        late = await run_sipp(
            Caller(f"sip:100@{DOMAIN}", port).dials().is_refused(503),
            offhook.sip,
            tmp_path / "late",
            transport="TCP",
            calls=5,
            rate=100,
        )
        late.all_succeeded(5)
        assert await offhook.metric("offhook_calls_live") == CALLS
        (await sipp.finished()).all_succeeded(CALLS)
        assert await exit_status(offhook.process, 10) == 0


async def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    async with live_calls(tmp_path) as (offhook, sipp, _):
        started = time.monotonic()
        offhook.process.send_signal(signal.SIGTERM)

        async def draining() -> bool:
            return await offhook.status() == "draining"

        await until(draining, AT_ONCE_S, "the server drains", offhook.process)
        offhook.process.send_signal(signal.SIGTERM)
        assert await exit_status(offhook.process, AT_ONCE_S + 2) == 0
        assert time.monotonic() - started < PLAY_S - 1
        # Calls are not left hanging: each gets a BYE.
        (await sipp.finished()).all_succeeded(CALLS)


async def answer_to_an_invite(server: tuple[str, int]) -> Response:
    """The first final response to a bare INVITE."""
    with trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as phone:
        await phone.bind(("127.0.0.1", 0))
        host, port = phone.getsockname()
        await phone.connect(server)
        await phone.send(
            (
                f"INVITE sip:100@{DOMAIN} SIP/2.0\r\n"
                f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bKlate;rport\r\n"
                "Max-Forwards: 70\r\n"
                f"From: <sip:late@{DOMAIN}>;tag=late\r\n"
                f"To: <sip:100@{DOMAIN}>\r\n"
                "Call-ID: late@127.0.0.1\r\n"
                "CSeq: 1 INVITE\r\n"
                f"Contact: <sip:late@{host}:{port}>\r\n"
                "Content-Length: 0\r\n\r\n"
            ).encode()
        )
        with trio.fail_after(AT_ONCE_S):
            while True:
                message = parse_datagram(await phone.recv(65_536))
                assert isinstance(message, Response)
                if message.status >= 200:
                    return message
