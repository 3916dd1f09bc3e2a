"""Baresip and linphone register and call each other: sound, keys, hold and the end, directly and by way of a proxy."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Literal, TypeAlias

import attrs
import pytest
import trio

from offhook.server.server import Parts, open_server
from offhook.testing.web import CustomerApp, twiml
from offhook.transport.trio_network import TrioNetwork

from .baresip import Baresip, open_baresip
from .house import ALICE, BOB, DOMAIN, TOKEN, configuration
from .kamailio import open_proxy
from .linphone import Linphone, open_linphone
from .phones import Phone
from .scenarios import Login
from .sdk import accepts
from .sipp import Transport
from .sound import Samples, recognised, speech_like, stretches, write_wav
from .tap import TappedNetwork

pytestmark = pytest.mark.peers

TALK_S = 1.0
HOLD_S = 1.0
KEYS = "9#"
KEY_S = 0.35
"""From one key to the next, as baresip sends the next at once. Linphone takes a second by itself."""
HEARD_S = 0.4
"""Of each stretch of talk; what is lost to where pieces begin, and to playout buffers that fill."""
SETTLES_S = 0.1
"""What was on its way when a re-INVITE was answered has come by then."""

SAID = {user.username: speech_like(30, seed) for seed, user in enumerate((ALICE, BOB))}


@attrs.frozen
class Held:
    """A hold, on trio's clock: agreed, taken back, agreed again, and the end of what was said after it."""

    agreed: float
    released: float
    resumed: float
    until: float


@attrs.frozen
class Floor:
    """Alice's baresip and Bob's linphone, both registered, at a server whose audio is written down."""

    app: CustomerApp
    tap: TappedNetwork
    alice: Baresip
    bob: Linphone
    reached_by: tuple[str, int]
    """What the phones have been told to send to: the server, or the proxy in front."""


@asynccontextmanager
async def open_floor(folder: Path, transport: Transport, *, proxied: bool) -> AsyncIterator[Floor]:
    app, tap = CustomerApp(), TappedNetwork()
    for name, sound in SAID.items():
        write_wav(folder / f"{name}.wav", sound)
    async with app.serving(TrioNetwork(), ("127.0.0.1", 0)) as (host, port):
        config = configuration(folder, f"http://{host}:{port}/voice", people=(ALICE, BOB))
        async with open_server(config, Parts(network=tap)) as server, AsyncExitStack() as stack:
            address = server.addresses[transport.lower()][0]
            if proxied:
                address = await stack.enter_async_context(open_proxy(folder / "proxy", server.addresses))
            alice = await stack.enter_async_context(
                open_baresip(
                    folder / "alice",
                    address,
                    DOMAIN,
                    transport=transport,
                    speech=folder / "alice.wav",
                    login=ALICE,
                    registers=True,
                )
            )
            bob = await stack.enter_async_context(
                open_linphone(
                    folder / "bob", address, DOMAIN, transport=transport, speech=folder / "bob.wav", login=BOB
                )
            )
            yield Floor(app, tap, alice, bob, address)


async def press_all(one: Phone, other: Phone) -> None:
    """Both press all keys, and each hears as many."""
    for key in KEYS:
        await one.presses(key)
        await other.presses(key)
        await trio.sleep(KEY_S)
    for phone in (one, other):
        await phone.has_heard_keys(len(KEYS))


async def hold(holder: Phone) -> Held:
    """Hold for a while, resume and go on talking."""
    await holder.holds()
    agreed = trio.current_time()
    await trio.sleep(HOLD_S)
    released = trio.current_time()
    await holder.resumes()
    resumed = trio.current_time()
    await trio.sleep(TALK_S)
    return Held(agreed, released, resumed, trio.current_time())


def is_speech_of(user: Login, heard: Samples, at_least_s: float) -> bool:
    """Whether this is one unbroken piece of what that user says."""
    whole = max((end - begin for begin, end in stretches(recognised(heard, SAID[user.username]))), default=0)
    return whole >= at_least_s


Way: TypeAlias = Literal["direct", "proxied"]
Caller: TypeAlias = Literal["baresip", "linphone"]


@pytest.mark.parametrize("caller", ["baresip", "linphone"])
@pytest.mark.parametrize("way", ["direct", "proxied"])
@pytest.mark.parametrize("transport", ["UDP", "TCP"])
async def test_two_phones_hear_each_other_press_keys_hold_resume_and_hang_up(
    tmp_path: Path, transport: Transport, way: Way, caller: Caller
) -> None:
    async with open_floor(tmp_path, transport, proxied=way == "proxied") as floor:
        alice, bob, app = floor.alice, floor.bob, floor.app
        one, other = (alice, bob) if caller == "baresip" else (bob, alice)
        called = BOB if caller == "baresip" else ALICE
        # Both nouns and both sides that may hang up are met in each way.
        by_sip = (transport == "UDP") == (way == "direct")
        noun = f"<Sip>sip:{called.username}@{DOMAIN}</Sip>" if by_sip else f"<Client>{called.username}</Client>"
        leaves = one if transport == "UDP" else other
        app.on("/voice", twiml(f'<Dial answerOnBridge="true" action="/after">{noun}</Dial>'))
        app.on("/after", twiml("<Hangup/>"))
        await one.calls(f"sip:100@{DOMAIN}")
        await other.rings()
        await other.answers()
        await one.talks()
        await other.talks()
        began = trio.current_time()
        await trio.sleep(TALK_S)
        first = await hold(bob)
        second = await hold(alice)  # after this one, baresip writes down no more of what it hears
        await press_all(alice, bob)
        lasted_s = trio.current_time() - began
        await leaves.hangs_up()
        await one.is_over()
        await other.is_over()
        with trio.fail_after(10):
            (after,) = await app.wait_for(1, "/after")
        keys = [await phone.has_heard_keys(len(KEYS)) for phone in (alice, bob)]
        (alices_port,) = floor.tap.ports() - {bob.media_port}

    assert keys == [KEYS, KEYS]
    # To each of the two while it holds: nothing. After that: the other one's voice.
    for port, held, speaker in ((bob.media_port, first, ALICE), (alices_port, second, BOB)):
        assert len(floor.tap.audio(port, held.agreed + SETTLES_S, held.released)) == 0
        assert is_speech_of(speaker, floor.tap.audio(port, held.resumed, held.until), TALK_S - 0.5)
    # Bob hears Alice, misses a part of what she says while he holds, and hears her again. What comes while she holds
    # is up to her phone.
    heard = stretches(recognised(bob.heard(), SAID["alice"]))
    assert [end - begin > HEARD_S for begin, end in heard[:2]] == [True, True], heard
    assert heard[1][0] - heard[0][1] > HOLD_S - 0.3, heard
    assert heard[-1][1] > 3 * TALK_S + 2 * HOLD_S - 0.5, heard
    # Alice hears Bob. Whenever he changes the call his phone plays its file from the beginning.
    heard = stretches(recognised(alice.heard(), SAID["bob"]))
    assert [end - begin > HEARD_S for begin, end in heard] == [True, True, True], heard
    for phone in (alice, bob):
        assert "a=sendonly" in phone.trace()
        assert "a=recvonly" in phone.trace()
        assert (f"Record-Route: <sip:127.0.0.1:{floor.reached_by[1]}" in phone.trace()) is (way == "proxied")
    assert after.params["CallStatus"] == ("completed" if leaves is one else "in-progress")
    assert after.params["DialCallStatus"] == "completed"
    assert after.params["DialBridged"] == "true"
    assert after.params["DialCallSid"].startswith("CA")
    assert after.params["DialCallSid"] != after.params["CallSid"]
    assert lasted_s <= int(after.params["DialCallDuration"]) <= lasted_s + 3
    assert [asked.target for asked in app.requests if not accepts(asked, TOKEN)] == []
