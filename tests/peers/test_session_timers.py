"""Session timers with SIPp on both legs: who vanishes is noticed, and who refreshes is not heard to do so."""

from __future__ import annotations

import itertools
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import attrs
import pytest
import trio

from offhook.sip.dialog.session_timer import EXPIRED
from offhook.testing.web import twiml

from .callees import Callee
from .dialled import House, calls, open_called
from .house import DOMAIN
from .programs import free_port
from .scenarios import Caller, Headers
from .sipp import Sipp, open_sipp
from .voices import SAMPLES, Voice, open_voice

pytestmark = pytest.mark.peers

INTERVAL_S = 6
"""Refreshed after 3 s, given up after 4 s."""
DIAL = '<Dial action="/after"><Sip>sip:bob@127.0.0.1:PORT</Sip></Dial>'
TIMER: Headers = (("Supported", "timer"), ("Session-Expires", f"{INTERVAL_S};refresher=uac"))


def allow_short_sessions(house: House) -> None:
    """Sessions of seconds, which no configuration allows."""
    services = house.server.tree.services
    services.settings = attrs.evolve(services.settings, session_s=INTERVAL_S, min_session_s=2)


def open_caller(caller: Caller, folder: Path, house: House) -> AbstractAsyncContextManager[Sipp]:
    """One call, with a log of its messages."""
    return open_sipp(caller, house.sip, folder, transport="UDP", calls=1, rate=10, most_s=30, log_messages=True)


def reasons(sipp: Sipp) -> list[str]:
    """Of the first BYE it got."""
    return sipp.received("BYE")[0].values("Reason")


async def test_a_callee_who_has_vanished_is_given_up_and_both_legs_end_with_a_reason(
    house: House, media: int, tmp_path: Path
) -> None:
    allow_short_sessions(house)
    port = free_port()
    house.app.on("/voice", twiml(DIAL.replace("PORT", str(port))))
    agrees = (("Require", "timer"), TIMER[1])
    callee = Callee(media).is_called().answers(agrees).takes_no_notice_of("INVITE").is_hung_up_on()
    async with (
        open_called(callee, port, tmp_path / "callee") as bob,
        open_caller(calls(media), tmp_path / "caller", house) as alice,
    ):
        (await alice.finished()).all_succeeded(1)
        (await bob.finished()).all_succeeded(1)
    assert reasons(bob) == [EXPIRED]
    assert reasons(alice) == ['Q.850;cause=16;text="Normal call clearing"']
    assert (await house.asked("/after"))["DialCallStatus"] == "completed"


async def test_a_caller_who_has_vanished_is_given_up_and_both_legs_end_with_a_reason(
    house: House, media: int, tmp_path: Path
) -> None:
    allow_short_sessions(house)
    port = free_port()
    house.app.on("/voice", twiml(DIAL.replace("PORT", str(port))))
    callee = Callee(media).is_called().answers().is_hung_up_on()
    caller = Caller(f"sip:100@{DOMAIN}", media, headers=TIMER).dials().is_answered(TIMER[1][1]).is_hung_up_on()
    async with (
        open_called(callee, port, tmp_path / "callee") as bob,
        open_caller(caller, tmp_path / "caller", house) as alice,
    ):
        (await alice.finished()).all_succeeded(1)
        (await bob.finished()).all_succeeded(1)
    assert reasons(alice) == [EXPIRED]
    assert reasons(bob) == ['SIP;cause=487;text="Originator cancelled"']
    assert (await house.asked("/after"))["CallStatus"] == "completed"


def is_unbroken(voice: Voice) -> None:
    """Fails unless the far end's voice came as one stream: each frame once, in order, none missing but one."""
    numbers = voice.numbers()
    begun = next(at for at, packet in enumerate(voice.heard) if int.from_bytes(packet.payload[:4], "big") == numbers[0])
    stream = voice.heard[begun:]
    assert {packet.ssrc for packet in stream} == {stream[0].ssrc}
    assert [packet.sequence - stream[0].sequence for packet in stream] == list(range(len(stream)))
    steps = {(later.timestamp - one.timestamp) % 2**32 for one, later in itertools.pairwise(stream)}
    assert steps <= {SAMPLES, 2 * SAMPLES}
    missing = set(range(numbers[0], numbers[-1])) - set(numbers)
    assert len(missing) <= 1
    assert numbers == sorted(set(numbers))


async def test_refreshes_by_reinvite_of_either_side_do_not_disturb_what_the_two_hear(
    house: House, tmp_path: Path
) -> None:
    allow_short_sessions(house)
    port = free_port()
    house.app.on("/voice", twiml(DIAL.replace("PORT", str(port))))
    refreshed = f"{INTERVAL_S};refresher=uac"
    async with open_voice(1) as alices, open_voice(2) as bobs:
        agrees = (("Require", "timer"), TIMER[1])
        callee = Callee(bobs.port, notes_audio=True).is_called().answers(agrees)
        callee.is_reinvited(agrees).is_reinvited(agrees).is_hung_up_on()
        caller = Caller(f"sip:100@{DOMAIN}", alices.port, headers=TIMER, notes_audio=True).dials()
        caller.is_answered(refreshed).waits(2000)
        for _ in range(3):
            caller.reinvites(refreshed, refreshed).waits(1700)
        async with (
            open_called(callee, port, tmp_path / "callee") as bob,
            open_caller(caller.hangs_up(), tmp_path / "caller", house) as alice,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(alices.speaks, await alice.far_audio_port())
            nursery.start_soon(bobs.speaks, await bob.far_audio_port())
            (await alice.finished()).all_succeeded(1)
            (await bob.finished()).all_succeeded(1)
            nursery.cancel_scope.cancel()
        for voice in (alices, bobs):
            assert len(voice.numbers()) > 250
            is_unbroken(voice)
    assert house.codes() == []
