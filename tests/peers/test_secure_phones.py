"""Baresip and linphone with TLS and SRTP of their own call each other, and phones that have neither."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Literal, TypeAlias

import attrs
import pytest
import trio

from offhook.actors.bus import Subscription
from offhook.actors.messages.events import QualityMeasured, Registered
from offhook.server.config import Config
from offhook.server.server import Parts, Server, open_server
from offhook.testing.web import CustomerApp, twiml
from offhook.transport.trio_network import TrioNetwork

from ..transport.certificates import authority
from .baresip import Baresip, open_baresip
from .fetch import get
from .house import ALICE, BOB, configuration
from .linphone import Linphone, open_linphone
from .scenarios import Login
from .sound import Samples, recognised, speech_like, stretches, write_wav
from .tap import TappedNetwork

pytestmark = pytest.mark.peers

Who: TypeAlias = Literal["alice", "bob"]

TALK_S = 1.5
HEARD_S = 0.75
"""Of what is said in that time; the rest is lost to where pieces begin, and to playout buffers that fill."""
HOLD_S = 0.6
SETTLES_S = 0.1
"""What was on its way when a re-INVITE was answered has come by then."""
KEYS = "9#"
KEY_S = 1.2
SAID = {user.username: speech_like(30, seed) for seed, user in enumerate((ALICE, BOB))}
SAFE, PLAIN = "acme.sip.test", "hall.sip.test"
"""Domains: one takes TLS and SRTP alone, one takes no SRTP."""
FRAME = 160
"""Octets of 20 ms of PCMU."""
TAG_80, TAG_32 = 10, 4
"""Octets that a suite puts behind it (RFC 4568 section 6.2)."""


def longest(user: Login, heard: Samples) -> float:
    """Seconds of the longest unbroken piece of what that user says."""
    pieces = stretches(recognised(heard, SAID[user.username]))
    return max((end - begin for begin, end in pieces), default=0.0)


@attrs.frozen
class Floor:
    """Alice's baresip and Bob's linphone, each at the domain that takes phones like hers and his."""

    app: CustomerApp
    tap: TappedNetwork
    alice: Baresip
    bob: Linphone
    measured: Subscription
    """Brings the QualityMeasured of each leg."""


def with_a_plain_domain(config: Config) -> Config:
    [safe] = config.domains
    return attrs.evolve(config, domains=(safe, attrs.evolve(safe, name="hall", secure=False)))


async def fetched_authority(server: Server, folder: Path) -> Path:
    """The file that a person would give to phones: what the running server hands out."""
    assert server.http_address is not None
    host, port = server.http_address
    page = await get(f"http://{host}:{port}/ca.pem")
    assert page.status == 200
    file = folder / "ca.pem"
    file.write_bytes(page.body)
    return file


@asynccontextmanager
async def open_floor(folder: Path, secure: frozenset[Who]) -> AsyncIterator[Floor]:
    """Who is not `secure` speaks UDP and RTP."""
    app, tap = CustomerApp(), TappedNetwork()
    for name, sound in SAID.items():
        write_wav(folder / f"{name}.wav", sound)
    async with app.serving(TrioNetwork(), ("127.0.0.1", 0)) as (host, port), AsyncExitStack() as stack:
        config = configuration(folder, f"http://{host}:{port}/voice", people=(ALICE, BOB), secure=True)
        server = await stack.enter_async_context(open_server(with_a_plain_domain(config), Parts(network=tap)))
        measured = await stack.enter_async_context(server.events((QualityMeasured,)))
        ca = await fetched_authority(server, folder)
        safe, plain = server.addresses["tls"][0], server.addresses["udp"][0]
        alice = await stack.enter_async_context(
            open_baresip(
                folder / "alice",
                safe if "alice" in secure else plain,
                SAFE if "alice" in secure else PLAIN,
                transport="UDP",
                speech=folder / "alice.wav",
                login=ALICE,
                registers=True,
                ca=ca if "alice" in secure else None,
            )
        )
        bob = await stack.enter_async_context(
            open_linphone(
                folder / "bob",
                ("localhost", safe[1]) if "bob" in secure else plain,
                SAFE if "bob" in secure else PLAIN,
                transport="UDP",
                speech=folder / "bob.wav",
                login=BOB,
                ca=ca if "bob" in secure else None,
            )
        )
        yield Floor(app, tap, alice, bob, measured)


@pytest.mark.parametrize("caller", ["alice", "bob"])
@pytest.mark.parametrize("secure", [("alice", "bob"), ("alice",), ("bob",)], ids=" and ".join)
async def test_phones_talk_press_keys_and_hold_and_nobody_overhears_those_that_encrypt(
    tmp_path: Path, secure: tuple[Who, ...], caller: Who
) -> None:
    async with open_floor(tmp_path, frozenset(secure)) as floor:
        alice, bob = floor.alice, floor.bob
        one, other, called = (alice, bob, BOB) if caller == "alice" else (bob, alice, ALICE)
        where = f"{SAFE};secure=true" if called.username in secure else PLAIN
        sip = f"<Sip>sip:{called.username}@{where}</Sip>"
        floor.app.on("/voice", twiml(f'<Dial answerOnBridge="true" action="/after">{sip}</Dial>'))
        floor.app.on("/after", twiml("<Hangup/>"))
        await one.calls(f"sip:100@{SAFE if caller in secure else PLAIN}")
        await other.rings()
        await other.answers()
        await one.talks()
        await other.talks()
        began = trio.current_time()
        await trio.sleep(TALK_S)
        await bob.holds()
        agreed = trio.current_time()
        await trio.sleep(HOLD_S)
        released = trio.current_time()
        await bob.resumes()
        resumed = trio.current_time()
        await trio.sleep(TALK_S)
        talked = trio.current_time()
        await alice.holds()  # after this one, baresip writes down no more of what it hears
        await alice.resumes()
        for key in KEYS:
            await one.presses(key)
            await other.presses(key)
            await trio.sleep(KEY_S)
        keys = [await phone.has_heard_keys(len(KEYS)) for phone in (alice, bob)]
        await other.hangs_up()
        await one.is_over()
        await other.is_over()
        with trio.fail_after(10):
            (after,) = await floor.app.wait_for(1, "/after")
            legs = [await floor.measured.take() for _ in range(2)]
        ended = trio.current_time()
        (alices_port,) = floor.tap.ports() - {bob.media_port}

    assert keys == [KEYS, KEYS]
    assert (after.params["DialCallStatus"], after.params["DialBridged"]) == ("completed", "true")
    # Bob hears Alice before and after his hold, and Alice hears Bob.
    heard = [end - begin for begin, end in stretches(recognised(bob.heard(), SAID["alice"]))]
    assert [length > HEARD_S for length in heard[:2]] == [True, True], heard
    assert longest(BOB, alice.heard()) > HEARD_S
    assert len(floor.tap.audio(bob.media_port, agreed + SETTLES_S, released)) == 0
    # Bob lists the suite with the short tag first, and gets it with the first offer that is his; in ours is the other.
    tags = {"alice": (TAG_80, TAG_80), "bob": (TAG_32 if caller == "bob" else TAG_80, TAG_32)}
    for name, phone, port, speaker in (("alice", alice, alices_port, BOB), ("bob", bob, bob.media_port, ALICE)):
        wire = floor.tap.audio(port, began, ended)
        encrypted = name in secure
        for tag, begin, end in zip(tags[name], (began, resumed), (began + TALK_S, talked), strict=True):
            assert floor.tap.sizes(port, begin, end) == {FRAME + tag if encrypted else FRAME}
        assert (longest(speaker, wire) > HEARD_S) is not encrypted
        assert ("RTP/SAVP" in phone.trace(), "RTP/AVP" in phone.trace()) == (encrypted, not encrypted)
    for leg in legs:
        assert isinstance(leg, QualityMeasured)
        assert leg.packets_received > 50 * TALK_S
        # Baresip begins with a ping in the clear; linphone sends the end of each key three times, the same each time.
        assert leg.packets_refused < 25


@pytest.mark.parametrize("wrong", ["authority", "name"])
async def test_a_phone_that_checks_certificates_believes_no_other_authority_and_no_other_name(
    tmp_path: Path, wrong: Literal["authority", "name"]
) -> None:
    """That ours and its name are believed, all other tests show."""
    config = configuration(tmp_path, "http://127.0.0.1:9/voice", people=(BOB,), secure=True)
    async with open_server(config) as server:
        ca = await fetched_authority(server, tmp_path)
        if wrong == "authority":
            ca.write_bytes(authority().certificate)
        # Linphone does not take the address for a name, though the certificate has it.
        host = "localhost" if wrong == "authority" else "127.0.0.1"
        address = (host, server.addresses["tls"][0][1])
        async with (
            server.events((Registered,)) as registered,
            open_linphone(
                tmp_path / "bob", address, SAFE, transport="TCP", speech=tmp_path, login=BOB, ca=ca, believes=False
            ) as bob,
        ):
            assert registered.take_nowait() is None
            assert f"flags=[{'not-trusted' if wrong == 'authority' else 'CN-mismatch'} ]" in bob.trace()
