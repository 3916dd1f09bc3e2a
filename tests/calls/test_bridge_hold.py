"""Hold and resume in a bridge: every form, from either side, from both, in any order of resuming."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
import trio
from trio.testing import MockClock

from offhook.media.sources import Clip
from offhook.sip.dialog.events import LegOfferAnswered
from offhook.testing.listen import match
from offhook.testing.speech import tone
from offhook.transport.network import Address

from .talk import Talk, talk
from .voice import direction_of, sdp

HIGH, LOW = tone(400, 900), tone(400, 500)
PLACES = itertools.count(2)


@attrs.frozen
class Form:
    """How somebody may hold, and who is heard then."""

    offer: Callable[[Address], bytes]
    """Carol's."""
    edit: Callable[[bytes], bytes]
    """Alice's, out of her description."""
    answered: str
    """The direction of the server's answer."""
    hears: bool
    """Whether who holds still hears the other."""
    is_heard: bool


def zeros(offer: bytes) -> bytes:
    return b"\r\n".join(b"c=IN IP4 0.0.0.0" if line.startswith(b"c=") else line for line in offer.split(b"\r\n"))


def directed(direction: str) -> Form:
    return Form(
        lambda address: sdp(address, direction=direction, version=next(PLACES)),
        lambda offer: offer.replace(b"a=sendrecv", b"a=" + direction.encode()),
        {"sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}[direction],
        hears=direction == "recvonly",
        is_heard=direction == "sendonly",
    )


FORMS = {
    "sendonly": directed("sendonly"),
    "recvonly": directed("recvonly"),
    "inactive": directed("inactive"),
    "zeros": Form(
        lambda address: sdp(address, connection="0.0.0.0", version=next(PLACES)),
        zeros,
        "recvonly",
        hears=False,
        is_heard=True,
    ),
    "port 0": Form(
        lambda address: sdp(address, port=0, version=next(PLACES)),
        lambda offer: offer,  # a phone of ours does not take an answer without audio
        "off",
        hears=False,
        is_heard=False,
    ),
}


def answered_by(body: bytes) -> str:
    """The direction of an answer; `off` when its audio has port 0."""
    return "off" if b"m=audio 0 " in body else direction_of(body)


async def carol_holds(here: Talk, form: Form) -> None:
    assert answered_by((await here.reinvites(form.offer(here.media.address))).body) == form.answered


async def alice_holds(here: Talk, form: Form) -> None:
    fact = await here.alice.reoffer(form.edit)
    assert isinstance(fact, LegOfferAnswered)
    assert answered_by(fact.body) == form.answered


async def carol_resumes(here: Talk) -> None:
    answer = await here.reinvites(sdp(here.media.address, version=next(PLACES)))
    assert direction_of(answer.body) == "sendrecv"


async def alice_resumes(here: Talk) -> None:
    fact = await here.alice.reoffer(lambda offer: offer)
    assert isinstance(fact, LegOfferAnswered)
    assert direction_of(fact.body) == "sendrecv"


async def both_hear(here: Talk) -> bool:
    return await here.carol_hears(HIGH) and await here.alice_hears(LOW)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
async def test_the_callee_holds_and_resumes(autojump_clock: MockClock, tmp_path: Path, form: Form) -> None:
    async with talk(tmp_path, media_timeout_s=60) as here:
        assert await both_hear(here)
        await carol_holds(here, form)
        started = trio.current_time()
        assert await here.carol_hears(HIGH) is form.hears
        assert bool(here.media.since(started + 0.1)) is form.hears  # who listens gets packets, who does not gets none
        assert await here.alice_hears(LOW) is form.is_heard
        if not form.hears:
            await trio.sleep(100)  # the callee has no music for who is held: that is no dead peer
        await carol_resumes(here)
        assert await both_hear(here)
        assert (await here.parts())["DialCallStatus"] == "completed"


@pytest.mark.parametrize("name", ["sendonly", "recvonly", "inactive", "zeros"])
async def test_the_caller_holds_and_resumes(autojump_clock: MockClock, tmp_path: Path, name: str) -> None:
    form = FORMS[name]
    async with talk(tmp_path) as here:
        await alice_holds(here, form)
        before = len(here.alice.heard())
        await here.media.say(LOW, here.server_media)
        await trio.sleep(0.3)
        heard = here.alice.heard()[before:]
        assert (match(heard, LOW) > 0.95) is form.hears
        await alice_resumes(here)
        assert await both_hear(here)
        assert (await here.parts())["DialCallStatus"] == "completed"


@pytest.mark.parametrize("first", ["alice", "carol"])
@pytest.mark.parametrize(
    "form", [FORMS["sendonly"], FORMS["inactive"], FORMS["zeros"]], ids=["sendonly", "inactive", "0"]
)
async def test_both_hold_and_resume_in_either_order(
    autojump_clock: MockClock, tmp_path: Path, first: str, form: Form
) -> None:
    async with talk(tmp_path) as here:
        await alice_holds(here, form)
        await carol_holds(here, form)
        assert not await here.carol_hears(HIGH)
        assert not await here.alice_hears(LOW)
        if first == "alice":
            await alice_resumes(here)
            # Carol still holds: she hears nothing, and what she says (music, mostly) is heard if she says so.
            assert not await here.carol_hears(HIGH)
            assert await here.alice_hears(LOW) is form.is_heard
            await carol_resumes(here)
        else:
            await carol_resumes(here)
            assert not await here.alice_hears(LOW)
            await alice_resumes(here)
        assert await both_hear(here)
        await here.parts()


async def test_music_on_hold_reaches_who_is_held_and_may_stop(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with talk(tmp_path, media_timeout_s=60) as here:
        await carol_holds(here, FORMS["sendonly"])
        assert await here.alice_hears(LOW)
        await trio.sleep(70)
        assert not here.alice.is_over
        await carol_resumes(here)
        # From now on both are to speak, and silence counts: from the resumption, not from before.
        await trio.sleep(59)
        assert not here.alice.is_over
        bye = await here.carol.asked("BYE")
        assert bye.headers.get("Reason") == 'Q.850;cause=16;text="RTP timeout"'
        here.carol.respond(bye)
        await here.alice.over()
        await here.it.idle()


async def test_an_offer_without_any_audio_is_refused_and_changes_nothing(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with talk(tmp_path) as here:
        video = sdp(here.media.address, version=2).replace(b"m=audio", b"m=video")
        await here.reinvites(video, status=488)
        assert await both_hear(here)
        await here.parts()


async def test_who_is_held_may_press_keys_that_are_heard_only_by_who_listens(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with talk(tmp_path) as here:
        await carol_holds(here, FORMS["inactive"])
        started = trio.current_time()
        await here.alice.press("5")
        await trio.sleep(1)
        assert here.media.since(started) == []
        await carol_resumes(here)
        await trio.sleep(1)
        assert [packet for packet in here.media.since(started) if packet.payload_type == 101] == []
        await here.parts()


async def test_clip_that_is_said_while_held_is_not_said_afterwards(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with talk(tmp_path) as here:
        await carol_holds(here, FORMS["sendonly"])
        await here.alice.say(Clip(HIGH))
        resumed = trio.current_time()
        await carol_resumes(here)
        await trio.sleep(1)
        assert match(here.media.heard(resumed), HIGH) < 0.5
        await here.parts()
