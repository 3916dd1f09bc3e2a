"""Baresip and linphone with TLS and SRTP of their own register and call each other at a domain that takes no other."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
import trio

from offhook.actors.messages.events import QualityMeasured
from offhook.server.server import Parts, open_server
from offhook.testing.web import CustomerApp, twiml
from offhook.transport.trio_network import TrioNetwork

from .baresip import open_baresip
from .house import ALICE, BOB, DOMAIN, configuration
from .linphone import open_linphone
from .sound import Samples, recognised, speech_like, stretches, write_wav
from .tap import TappedNetwork

pytestmark = pytest.mark.peers

TALK_S = 2.0
KEYS = "9#"
KEY_S = 1.2
SAID = {user.username: speech_like(30, seed) for seed, user in enumerate((ALICE, BOB))}


def longest(said: Samples, heard: Samples) -> float:
    """Seconds of the longest unbroken piece of what was said."""
    return max((end - begin for begin, end in stretches(recognised(heard, said))), default=0.0)


@pytest.mark.parametrize("caller", ["baresip", "linphone"])
async def test_two_phones_talk_press_keys_and_hold_in_a_call_that_nobody_overhears(
    tmp_path: Path, caller: Literal["baresip", "linphone"]
) -> None:
    app, tap = CustomerApp(), TappedNetwork()
    for name, sound in SAID.items():
        write_wav(tmp_path / f"{name}.wav", sound)
    async with app.serving(TrioNetwork(), ("127.0.0.1", 0)) as (host, port):
        config = configuration(tmp_path, f"http://{host}:{port}/voice", people=(ALICE, BOB), secure=True)
        async with open_server(config, Parts(network=tap)) as server, server.events((QualityMeasured,)) as events:
            ca, tls_port = tmp_path / "data/tls/ca.pem", server.addresses["tls"][0][1]
            async with (
                open_baresip(
                    tmp_path / "alice",
                    ("127.0.0.1", tls_port),
                    DOMAIN,
                    transport="TCP",
                    speech=tmp_path / "alice.wav",
                    login=ALICE,
                    registers=True,
                    ca=ca,
                ) as alice,
                open_linphone(
                    tmp_path / "bob",
                    ("localhost", tls_port),
                    DOMAIN,
                    transport="TCP",
                    speech=tmp_path / "bob.wav",
                    login=BOB,
                    ca=ca,
                ) as bob,
            ):
                one, other = (alice, bob) if caller == "baresip" else (bob, alice)
                called = BOB if caller == "baresip" else ALICE
                sip = f"<Sip>sip:{called.username}@{DOMAIN};secure=true</Sip>"
                app.on("/voice", twiml(f'<Dial answerOnBridge="true" action="/after">{sip}</Dial>'))
                app.on("/after", twiml("<Hangup/>"))
                await one.calls(f"sip:100@{DOMAIN}")
                await other.rings()
                await other.answers()
                await one.talks()
                await other.talks()
                began = trio.current_time()
                await trio.sleep(TALK_S)
                await bob.holds()
                await trio.sleep(0.5)
                await bob.resumes()
                await trio.sleep(TALK_S)
                for key in KEYS:
                    await one.presses(key)
                    await other.presses(key)
                    await trio.sleep(KEY_S)
                keys = [await phone.has_heard_keys(len(KEYS)) for phone in (alice, bob)]
                await other.hangs_up()
                await one.is_over()
                await other.is_over()
                with trio.fail_after(10):
                    (after,) = await app.wait_for(1, "/after")
                    legs = [await events.take() for _ in range(2)]
                wire = [tap.audio(port, began, trio.current_time()) for port in tap.ports()]
                trace = bob.trace()

    assert keys == [KEYS, KEYS]
    assert (after.params["DialCallStatus"], after.params["DialBridged"]) == ("completed", "true")
    assert longest(SAID["alice"], bob.heard()) > TALK_S - 1
    assert longest(SAID["bob"], alice.heard()) > TALK_S - 1
    # What went over the wire is as long as the call, and nothing in it is what was said.
    assert len(wire) == 2
    for audio in wire:
        assert len(audio) / 8000 > 2 * TALK_S
        assert longest(SAID["alice"], audio) == longest(SAID["bob"], audio) == 0
    assert "RTP/SAVP" in trace
    assert "RTP/AVP" not in trace
    for leg in legs:
        assert isinstance(leg, QualityMeasured)
        assert leg.packets_received > 50 * TALK_S
        # Baresip begins with a ping in the clear; linphone sends the end of each key three times, the same each time.
        assert leg.packets_refused < 25
