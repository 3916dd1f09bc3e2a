"""`offhook demo --secure`: the same over TLS, with encrypted media; nobody in between sees or hears anything."""

from __future__ import annotations

import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from offhook.server.demo import HOST, NAME, PASSWORD, STAY_TLS_PORT, demo_config, phone_tls
from offhook.server.demo_app import DOMAIN
from offhook.server.server import Parts, open_server
from offhook.store.memory import MemoryRepository
from offhook.testing.network import Sent
from offhook.testing.phone import open_phone
from offhook.testing.phone_line import PhoneTls
from offhook.testing.registering import NoAnswer
from offhook.testing.speech import FakeSpeech, inline
from offhook.transport.tls import TlsClients, TlsProfile

from ..transport.certificates import tls_clients, tls_server
from .stage import KEY_EVENTS, MACHINE, Stage, demo, rtp_to

PROXY = f"sip:{HOST}:{STAY_TLS_PORT};transport=tls"
SILENCE = b"\xff" * 40
"""In every clear packet of PCMU before, between and after sounds."""


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


async def test_the_secure_demo_goes_as_the_plain_one_and_leaves_nothing_in_the_clear(
    autojump_clock: MockClock, stage: Stage
) -> None:
    datagrams: list[Sent] = []
    stage.network.taps.append(datagrams.append)
    assert await stage.run(secure=True) == 0
    assert stage.failed == []
    assert sum(line.startswith("  ok ") for line in stage.printed) == 23
    assert "The demo went as it should." in stage.printed
    assert {path.name for path in stage.sounds.iterdir()} == {"alice.wav", "bob.wav"}
    assert "`offhook demo --secure --stay`" in stage.text
    assert len(datagrams) > 500
    assert {sent.data[0] >> 6 for sent in datagrams} == {2}  # RTP and RTCP, no SIP
    assert not any(SILENCE in sent.data for sent in datagrams)


async def test_the_plain_demo_would_be_overheard(autojump_clock: MockClock, stage: Stage) -> None:
    datagrams: list[Sent] = []
    stage.network.taps.append(datagrams.append)
    assert await stage.run() == 0
    assert any(sent.data.startswith(b"INVITE ") for sent in datagrams)
    assert any(SILENCE in sent.data for sent in datagrams)


async def test_the_ladder_says_that_both_legs_go_over_tls(autojump_clock: MockClock, stage: Stage) -> None:
    await stage.run(secure=True)
    ladder = iter(stage.ladder("TLS"))
    assert stage.ladder("UDP") == stage.ladder("TCP") == []
    for step in (
        "alice --> server REGISTER sip:demo.sip.offhook.test",
        "server <-- bob REGISTER sip:demo.sip.offhook.test",
        "server --> bob 200 OK (REGISTER)",
        "alice --> server INVITE sip:desk@demo.sip.offhook.test",
        "alice <-- server 200 OK (INVITE)",
        "server <-- bob 180 Ringing (INVITE)",
        "server --> bob 200 OK (BYE)",
        "alice --> server 200 OK (BYE)",
    ):
        assert step in ladder, step
    [dialed] = stage.webhooks("/dialed")
    assert (dialed["DialCallStatus"], dialed["DialBridged"]) == ("completed", "true")
    assert [told["CallStatus"] for told in stage.webhooks("/progress")] == [
        "initiated",
        "ringing",
        "in-progress",
        "completed",
    ]
    assert f">sip:bob@{DOMAIN};secure=true</Sip>" in stage.text


async def test_sound_that_does_not_arrive_fails_the_secure_demo(autojump_clock: MockClock, stage: Stage) -> None:
    stage.network.lose(rtp_to(second=True), times=1_000_000)
    assert await stage.run(secure=True) == 1
    assert stage.failed[0] == "bob hears alice's tune: correlation 0.000, not within 12 s"
    assert "Next:" not in stage.text


async def test_keys_that_do_not_arrive_fail_the_secure_demo(autojump_clock: MockClock, stage: Stage) -> None:
    stage.network.lose(rtp_to(second=False, payload_type=KEY_EVENTS), times=1_000_000)
    assert await stage.run(secure=True) == 1
    assert stage.failed == ["the keys 2*7 of bob reach alice, each once (RFC 4733): got none"]


async def test_a_secure_server_that_stays_takes_phones_by_the_settings_that_are_printed(
    autojump_clock: MockClock, stage: Stage, tmp_path: Path
) -> None:
    statuses: list[int] = []

    async def run() -> None:
        statuses.append(await stage.run(stay=True, secure=True))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        await stage.serving.wait()
        where = f"{NAME}:{STAY_TLS_PORT}"
        assert f"server, domain or registrar   {HOST}:{STAY_TLS_PORT}" in stage.text
        assert f"where it has to be a name     {where}" in stage.text
        assert "transport                     TLS" in stage.text
        assert f"password                      {PASSWORD}" in stage.text
        found = re.search(r"root certificate +(\S+)", stage.text)
        assert found is not None
        assert f"sip_cafile {found[1]}" in stage.text
        trusting = TlsClients(usual=TlsProfile(ca_file=Path(found[1])))
        host = stage.network.host(MACHINE)
        tls = PhoneTls(tls_server(tmp_path / "phones", [HOST]), trusting)
        async with (
            open_phone(host, HOST, name="mine", tls=tls, secure=True) as mine,
            open_phone(host, HOST, name="other", tls=tls, secure=True) as other,
        ):
            for phone, user in ((mine, "alice"), (other, "bob")):
                line = await phone.register(where, username=user, password=PASSWORD, via=PROXY, expires=60)
                assert line.status == 200
                assert len(line.bindings) == 1
            call = await mine.call(f"sip:bob@{where}", username="alice", password=PASSWORD, via=PROXY)
            ringing = await other.called()
            assert await ringing.pick_up()
            assert await call.answered()
            await ringing.hang_up()
            await call.over()
        signal.raise_signal(signal.SIGINT)
    assert statuses == [0]


async def test_the_phones_believe_no_server_of_another_authority(
    autojump_clock: MockClock, stage: Stage, tmp_path: Path
) -> None:
    """By the settings of the demo; a phone that is given the right authority is served."""
    host = stage.network.host(MACHINE)
    parts = Parts(network=host, speech=FakeSpeech(), repository=MemoryRepository(), offload=inline, http=False)
    async with open_server(demo_config(tmp_path, 9000, STAY_TLS_PORT, secure=True), parts) as server:
        settings = phone_tls(server)
        assert settings is not None
        assert settings.clients.usual.ca_file == tmp_path / "tls/ca.pem"
        foreign = PhoneTls(settings.server, tls_clients(tmp_path / "foreign"))
        async with (
            open_phone(host, HOST, name="trusting", tls=settings) as trusting,
            open_phone(host, HOST, name="doubting", tls=foreign) as doubting,
        ):
            with pytest.raises(NoAnswer):
                await doubting.register(DOMAIN, username="alice", password=PASSWORD, via=PROXY)
            assert doubting.ladder == []
            line = await trusting.register(DOMAIN, username="alice", password=PASSWORD, via=PROXY)
            assert line.status == 200


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as taken:
        taken.bind((HOST, 0))
        taken.listen()
        yield taken.getsockname()[1]


@pytest.mark.wire
def test_a_taken_tls_port_is_one_line_and_status_1(taken_port: int, tmp_path: Path) -> None:
    done = demo(tmp_path, "--secure", "--sip-port", str(taken_port))
    assert done.returncode == 1
    assert done.stderr == (
        f"offhook: cannot listen on TCP {HOST}:{taken_port}: the port is already taken by another program\n"
    )


@pytest.mark.wire
def test_the_command_makes_its_calls_over_tls_on_this_machine(tmp_path: Path) -> None:
    done = demo(tmp_path, "--secure")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The demo went as it should." in done.stdout
    # What was heard stays, the server's own data does not.
    assert [sorted(file.name for file in left.iterdir()) for left in tmp_path.iterdir()] == [["alice.wav", "bob.wav"]]
    assert "SIP/TLS" in done.stdout
    assert "SIP/UDP" not in done.stdout
    assert done.stderr == ""
