"""The media actor: negotiation, holds and moves, orders and events, and how it ends."""

from __future__ import annotations

import random
import wave
from pathlib import Path

import attrs
import pytest
import trio
from trio.testing import MockClock

from offhook.actors.mailbox import ActorGone, Reply
from offhook.actors.media import LegNotOpen, RandomMediaIds
from offhook.actors.messages.lifecycle import Down
from offhook.actors.messages.media import (
    Couple,
    DigitHeard,
    GetLeg,
    InterceptDigits,
    LocalDescription,
    MakeOffer,
    MediaFlowing,
    MediaSilent,
    Play,
    Played,
    Prepare,
    QualityMeasured,
    Record,
    RecordingDone,
    SendDigits,
    Stop,
    Uncouple,
)
from offhook.media import rtp, sdp
from offhook.media.errors import NoAudioStream, NoCommonCodec, SdpError
from offhook.media.frames import FRAME_BYTES
from offhook.media.g711 import PCMA, PCMU, Law
from offhook.media.sources import Clip, Reader, Silence
from offhook.transport.rtp import NoFreePorts

from .media_house import ADVERTISED, PHONE, POLICY, SERVER, a_house, a_phone, port_of
from .plane_contract import in_order, ramp


@pytest.mark.parametrize("law", [PCMU, PCMA])
async def test_an_offer_is_answered_and_a_clip_is_heard_sample_by_sample(autojump_clock: MockClock, law: Law) -> None:
    async with a_house() as house:
        media, phone = house.start(), await a_phone(house, law)
        answer = await media.prepare(phone.describe())
        assert answer.connection is not None
        assert answer.connection.address == ADVERTISED
        assert [codec.name for codec in answer.media[0].codecs] == [law.name, "telephone-event"]
        clip = Clip(ramp(20))
        await media.tell(Play("hello", clip))
        assert await media.event(Played) == Played("hello", whole=True)
        packets = await phone.receive(25)
        assert in_order(packets)
        assert law.decode(law.encode(clip.samples)) in b"".join(law.decode(packet.payload) for packet in packets)


async def test_without_an_offer_we_offer_and_media_flows_after_the_answer(autojump_clock: MockClock) -> None:
    async with a_house() as house:
        media, phone = house.start(), await a_phone(house)
        offer = await media.prepare(None)
        assert [codec.name for codec in offer.media[0].codecs] == ["PCMU", "PCMA", "telephone-event"]
        await trio.sleep(1)
        assert phone.drain() == []
        phone.law = PCMA
        await media.settle(phone.describe())
        assert {packet.payload_type for packet in await phone.receive(5)} == {8}


async def test_an_offer_without_a_codec_of_ours_is_refused_and_costs_no_port(autojump_clock: MockClock) -> None:
    async with a_house("20000-20001") as house:
        media, phone = house.start(), await a_phone(house)
        with pytest.raises(NoCommonCodec):
            await media.prepare(phone.describe(formats="18"))
        with pytest.raises(SdpError):
            await media.prepare(b"no sdp")
        # The actor is alive, and the only port pair is free.
        assert await media.prepare(phone.describe())
        other = house.start()
        with pytest.raises(NoFreePorts):
            await other.prepare(phone.describe())


async def test_hold_stops_the_stream_and_resume_goes_on_with_the_next_number(autojump_clock: MockClock) -> None:
    async with a_house() as house:
        media, phone = house.start(), await a_phone(house)
        first = await media.prepare(phone.describe())
        await phone.receive(10)
        held = await media.reoffer(phone.describe("a=sendonly"))
        assert held.direction_of(held.media[0]) is sdp.Direction.RECVONLY
        assert (held.origin.session_id, held.origin.version) == (first.origin.session_id, first.origin.version + 1)
        await trio.sleep(0.1)
        phone.heard += phone.drain()
        await trio.sleep(1)
        assert phone.drain() == []
        resumed = await media.reoffer(phone.describe())
        assert resumed.origin.version == held.origin.version + 1
        await phone.receive(10)
        assert in_order(phone.heard)


async def test_the_old_hold_by_the_zero_address_stops_the_stream(autojump_clock: MockClock) -> None:
    async with a_house() as house:
        media, phone = house.start(), await a_phone(house)
        await media.prepare(phone.describe())
        await phone.receive(2)
        await media.reoffer(phone.describe(host="0.0.0.0"))
        await trio.sleep(0.1)
        phone.drain()
        await trio.sleep(1)
        assert phone.drain() == []


async def test_audio_that_is_switched_off_stops_and_comes_back(autojump_clock: MockClock) -> None:
    async with a_house() as house:
        media, phone = house.start(), await a_phone(house)
        with pytest.raises(NoAudioStream):  # a call does not begin so
            await media.prepare(phone.describe(port=0))
        first = await media.prepare(phone.describe())
        await phone.receive(2)
        off = await media.reoffer(phone.describe(port=0))
        assert (off.media[0].port, off.origin.version) == (0, first.origin.version + 1)
        assert await media.reoffer(phone.describe(port=0)) == off
        # A refresh of the session repeats what was agreed.
        await media.settle(phone.describe(port=0), sdp.render(off))
        await trio.sleep(0.1)
        phone.drain()
        await trio.sleep(1)
        assert phone.drain() == []
        back = await media.reoffer(phone.describe())
        assert (port_of(back), back.origin.version) == (port_of(first), off.origin.version + 1)
        assert await phone.receive(5)


async def test_an_offer_that_changes_nothing_gets_the_same_answer(autojump_clock: MockClock) -> None:
    async with a_house() as house:
        media, phone = house.start(), await a_phone(house)
        first = await media.prepare(phone.describe())
        assert await media.reoffer(phone.describe()) == first


async def test_an_answer_may_be_to_a_description_other_than_our_last_offer(autojump_clock: MockClock) -> None:
    async with a_house() as house:
        media, phone = house.start(), await a_phone(house)
        offer = sdp.render(await media.prepare(None))
        await media.settle(phone.describe())
        await phone.receive(2)
        held = await media.reoffer(phone.describe("a=sendonly"))
        # What was agreed last was our answer, which a refresh of the session repeats as an offer.
        moved = await a_phone(house, port=6000)
        await media.settle(moved.describe("a=sendonly"), sdp.render(held))
        await trio.sleep(0.1)
        phone.drain()
        await trio.sleep(0.5)
        assert (phone.drain(), moved.drain()) == ([], [])
        # Another fork of the callee has answered the first offer of all.
        await media.settle(moved.describe(), offer)
        assert await moved.receive(5)


async def test_an_answer_to_nothing_is_a_bug_of_ours(autojump_clock: MockClock) -> None:
    async with a_house() as house:
        media, phone = house.start(), await a_phone(house)
        await media.prepare(phone.describe())
        with pytest.raises(ActorGone):
            await media.settle(phone.describe())
        await media.ended.wait()
        assert isinstance(media.downs[0].error, LegNotOpen)


async def test_a_phone_that_moves_is_followed(autojump_clock: MockClock) -> None:
    async with a_house() as house:
        media, phone = house.start(), await a_phone(house)
        answer = await media.prepare(phone.describe())
        phone.send(ramp(1), port_of(answer))
        await phone.receive(5)
        elsewhere = await a_phone(house, PCMA, port=6000)
        await media.reoffer(elsewhere.describe())
        packets = await elsewhere.receive(10)
        assert {packet.payload_type for packet in packets} == {8}
        phone.drain()
        await elsewhere.receive(10)
        assert phone.drain() == []


async def test_a_bad_re_offer_changes_nothing(autojump_clock: MockClock) -> None:
    async with a_house() as house:
        media, phone = house.start(), await a_phone(house)
        await media.prepare(phone.describe())
        with pytest.raises(NoCommonCodec):
            await media.reoffer(phone.describe(formats="18"))
        await phone.receive(20)
        assert in_order(phone.heard)


async def test_we_offer_again_what_we_have(autojump_clock: MockClock) -> None:
    async with a_house() as house:
        media, phone = house.start(), await a_phone(house)
        answer = await media.prepare(phone.describe())
        again: LocalDescription = await media.mailbox.ref.ask(MakeOffer, within=5)
        offer = sdp.parse(again.sdp)
        assert port_of(offer) == port_of(answer)
        assert offer.origin.version == answer.origin.version + 1
        await media.settle(phone.describe())
        await phone.receive(10)
        assert in_order(phone.heard)


async def test_a_recording_ends_with_its_file_and_the_stop_waits_for_it(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with a_house() as house:
        media, phone = house.start(), await a_phone(house)
        port = port_of(await media.prepare(phone.describe()))
        await media.tell(Record("rec", tmp_path / "rec.wav"))
        said = ramp(50)
        for at in range(0, len(said), FRAME_BYTES):
            phone.send(said[at : at + FRAME_BYTES], port)
            await phone.receive(1)
        await phone.receive(10)
        await media.tell(Stop("the call has ended"))
        await media.ended.wait()
        assert media.downs == [Down("media", None)]
        done = await media.event(RecordingDone)
        assert isinstance(done, RecordingDone)
        assert done.error is None
        with wave.open(str(tmp_path / "rec.wav")) as file:
            assert PCMU.decode(PCMU.encode(said[: 45 * FRAME_BYTES])) in file.readframes(file.getnframes())
        quality = await media.event(QualityMeasured)
        assert isinstance(quality, QualityMeasured)
        assert quality.stats.packets_received == 50
        with pytest.raises(ActorGone):
            await media.tell(Play("late", Silence(20)))


async def test_digits_and_the_first_packet_reach_the_call(autojump_clock: MockClock) -> None:
    async with a_house() as house:
        one, other = house.start(), house.start()
        phone, other_phone = await a_phone(house), await a_phone(house, port=5000)
        await one.prepare(phone.describe())
        port = port_of(await other.prepare(other_phone.describe()))
        await one.tell(SendDigits("d", "42"))
        for packet in await phone.receive(60):
            if packet.payload_type == 101:
                other_phone.socket.send_nowait(rtp.build(packet), (SERVER, port))
        assert await one.event(Played) == Played("d", whole=True)
        assert await other.event(MediaFlowing) == MediaFlowing((PHONE, 5000))
        assert [await other.event(DigitHeard) for _ in "42"] == [DigitHeard("4", 100), DigitHeard("2", 100)]


async def test_a_phone_that_falls_silent_is_told_of(autojump_clock: MockClock) -> None:
    async with a_house() as house:
        media, phone = house.start(), await a_phone(house)
        await media.prepare(phone.describe(), attrs.evolve(POLICY, silent_after_s=10))
        started = trio.current_time()
        await media.event(MediaSilent)
        assert trio.current_time() - started == pytest.approx(10, abs=0.05)


async def test_two_legs_are_coupled_by_their_actors(autojump_clock: MockClock) -> None:
    async with a_house() as house:
        one, other = house.start(), house.start()
        phone, other_phone = await a_phone(house), await a_phone(house, PCMA, port=5000)
        port = port_of(await one.prepare(phone.describe()))
        await other.prepare(other_phone.describe())
        leg = await other.mailbox.ref.ask(GetLeg, within=5)
        await one.tell(Couple(leg))
        said = ramp(40)
        for at in range(0, len(said), FRAME_BYTES):
            phone.send(said[at : at + FRAME_BYTES], port)
            await phone.receive(1)
        heard = b"".join(PCMA.decode(packet.payload) for packet in await other_phone.receive(40))
        assert PCMA.decode(PCMA.encode(PCMU.decode(PCMU.encode(said[: 20 * FRAME_BYTES])))) in heard
        await other.tell(Uncouple())
        await other_phone.receive(20)
        phone.send(said[:FRAME_BYTES], port)
        assert {packet.payload for packet in await other_phone.receive(10)} == {PCMA.silence * 160}


async def test_early_media_is_heard_one_way_until_the_legs_are_coupled_both_ways(autojump_clock: MockClock) -> None:
    async with a_house() as house:
        caller, callee = house.start(), house.start()
        phone, other_phone = await a_phone(house), await a_phone(house, port=5000)
        ports = port_of(await caller.prepare(phone.describe())), port_of(await callee.prepare(other_phone.describe()))
        leg = await callee.mailbox.ref.ask(GetLeg, within=5)
        await caller.tell(InterceptDigits("*"))
        await caller.tell(Couple(leg, one_way=True))
        said = ramp(1)
        for command in (None, Couple(leg)):
            if command is not None:
                await caller.tell(command)
            phone.heard.clear()
            other_phone.heard.clear()
            for _ in range(20):
                phone.send(said, ports[0])
                other_phone.send(said, ports[1])
                await trio.sleep(0.02)
            await phone.receive(18)
            await other_phone.receive(18)
            silence = PCMU.silence * 160
            assert phone.heard[-1].payload == PCMU.encode(said)
            assert (other_phone.heard[-1].payload == silence) is (command is None)


class BrokenSource:
    def open(self) -> Reader:
        return BrokenReader()


class BrokenReader:
    def read(self, size: int) -> bytes:
        raise ZeroDivisionError("a source with a bug")


async def test_a_leg_that_breaks_fails_its_actor_with_that_error_and_no_other(autojump_clock: MockClock) -> None:
    async with a_house() as house:
        bad, good = house.start(), house.start()
        phone, other_phone = await a_phone(house), await a_phone(house, port=5000)
        await bad.prepare(phone.describe())
        await good.prepare(other_phone.describe())
        await bad.tell(Play("bug", BrokenSource()))
        await bad.ended.wait()
        assert isinstance(bad.downs[0].error, ZeroDivisionError)
        await other_phone.receive(50)
        assert in_order(other_phone.heard)
        assert good.downs == []


async def test_a_call_that_reads_no_more_loses_its_media_and_nobody_else_s(autojump_clock: MockClock) -> None:
    async with a_house(call_capacity=3) as house:
        stuck, good = house.start(), house.start()
        phone, other_phone = await a_phone(house), await a_phone(house, port=5000)
        await stuck.prepare(phone.describe())
        await good.prepare(other_phone.describe())
        for number in range(5):
            await stuck.tell(Play(str(number), Silence(0)))
        await stuck.ended.wait()
        assert type(stuck.downs[0].error).__name__ == "MailboxFull"
        await other_phone.receive(20)
        assert in_order(other_phone.heard)


async def test_a_crashing_actor_closes_its_leg(autojump_clock: MockClock) -> None:
    async with a_house("20000-20001") as house:
        media, phone = house.start(), await a_phone(house)
        await media.prepare(phone.describe())
        reply: Reply[LocalDescription] = Reply("second")
        await media.tell(Prepare(phone.describe(), POLICY, reply))
        await media.ended.wait()
        assert isinstance(media.downs[0].error, LegNotOpen)
        await trio.sleep(0.1)
        phone.drain()
        await trio.sleep(0.5)
        assert phone.drain() == []
        assert await house.start().prepare(phone.describe())


async def test_orders_before_the_leg_is_open_are_a_bug_of_ours(autojump_clock: MockClock) -> None:
    async with a_house() as house:
        media = house.start()
        await media.tell(Play("early", Silence(20)))
        await media.ended.wait()
        assert isinstance(media.downs[0].error, LegNotOpen)


def test_seeded_numbers_repeat_and_have_their_widths() -> None:
    one, other = RandomMediaIds(random.Random(9)), RandomMediaIds(random.Random(9))
    for _ in range(50):
        assert one.ssrc() == other.ssrc() < 2**32
        assert one.sequence() == other.sequence() < 2**15
        assert one.timestamp() == other.timestamp() < 2**32
        assert one.cname() == other.cname()
        assert one.session_id() == other.session_id() < 2**62
        assert 0 <= one.fraction() == other.fraction() < 1
