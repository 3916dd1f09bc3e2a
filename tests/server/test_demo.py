"""`offhook demo`: all of it on the fake network and virtual time, good and broken, and once as people start it."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from offhook.server.demo import HOST, PASSWORD, STAY_PORT
from offhook.server.demo_app import DemoApp
from offhook.server.demo_narrator import Verdict
from offhook.testing.network import FakeNetwork
from offhook.testing.phone import open_phone
from offhook.testing.web import Answer, Asked

from .stage import KEY_EVENTS, MACHINE, Stage, demo, rtp_to


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


async def test_the_demo_goes_as_it_should(autojump_clock: MockClock, stage: Stage) -> None:
    assert await stage.run() == 0
    assert stage.failed == []
    assert sum(line.startswith("  ok ") for line in stage.printed) == 19
    assert "The demo went as it should." in stage.printed
    assert {path.name for path in stage.sounds.iterdir()} == {"alice.wav", "bob.wav"}


async def test_the_ladder_shows_both_legs_in_the_order_of_events(autojump_clock: MockClock, stage: Stage) -> None:
    await stage.run()
    ladder = iter(stage.ladder("UDP"))
    assert stage.ladder("TLS") == []
    for step in (
        "alice --> server REGISTER sip:demo.sip.offhook.test",
        "alice <-- server 407 Proxy Authentication required (REGISTER)",
        "alice <-- server 200 OK (REGISTER)",
        "server <-- bob REGISTER sip:demo.sip.offhook.test",
        "server --> bob 200 OK (REGISTER)",
        "alice --> server INVITE sip:desk@demo.sip.offhook.test",
        "alice <-- server 407 Proxy Authentication required (INVITE)",
        "alice <-- server 180 Ringing (INVITE)",
        "alice <-- server 200 OK (INVITE)",
        "server <-- bob 180 Ringing (INVITE)",
        "server <-- bob 200 OK (INVITE)",
        "server --> bob 200 OK (BYE)",
        "alice --> server 200 OK (BYE)",
        "alice --> server REGISTER sip:demo.sip.offhook.test",
        "server <-- bob REGISTER sip:demo.sip.offhook.test",
        "server --> bob 200 OK (REGISTER)",
    ):
        assert step in ladder, step


async def test_the_webhooks_are_shown_with_their_parameters(autojump_clock: MockClock, stage: Stage) -> None:
    await stage.run()
    [voice], [menu], [dialed] = stage.webhooks("/voice"), stage.webhooks("/menu"), stage.webhooks("/dialed")
    assert (voice["Direction"], voice["CallStatus"]) == ("inbound", "ringing")
    assert menu["Digits"] == "42"
    assert (dialed["DialCallStatus"], dialed["DialBridged"]) == ("completed", "true")
    child = stage.webhooks("/progress")
    assert [told["CallStatus"] for told in child] == ["initiated", "ringing", "in-progress", "completed"]
    assert {told["ParentCallSid"] for told in child} == {voice["CallSid"]}
    assert {told["CallSid"] for told in child} == {dialed["DialCallSid"]}
    assert child[-1]["CallDuration"] == dialed["DialCallDuration"]
    [recorded], [status] = stage.webhooks("/recorded"), stage.webhooks("/status")
    assert recorded["RecordingUrl"] == dialed["RecordingUrl"]
    assert status["CallStatus"] == "completed"
    assert '<Client statusCallback="/progress"' in stage.text


async def test_sound_that_does_not_arrive_fails_the_demo(autojump_clock: MockClock, stage: Stage) -> None:
    stage.network.lose(rtp_to(second=True), times=1_000_000)
    assert await stage.run() == 1
    heard, keys = stage.failed[:2]
    assert heard == "bob hears alice's tune: correlation 0.000, not within 12 s"
    assert keys == "the keys 1593 of alice reach bob, each once (RFC 4733): got none"
    assert any(line.startswith("  ok   alice hears bob's tune") for line in stage.printed)
    assert "The demo did not go as it should: 2 failed." in stage.printed
    assert "Next:" not in stage.text


async def test_keys_that_do_not_arrive_fail_the_demo(autojump_clock: MockClock, stage: Stage) -> None:
    stage.network.lose(rtp_to(second=False, payload_type=KEY_EVENTS), times=1_000_000)
    assert await stage.run() == 1
    assert stage.failed == ["the keys 2*7 of bob reach alice, each once (RFC 4733): got none"]


async def test_a_phone_that_never_rings_is_told_with_the_reason(autojump_clock: MockClock, stage: Stage) -> None:
    stage.network.lose(lambda sent: sent.data.startswith(b"INVITE sip:bob@"), times=1_000_000)
    assert await stage.run() == 1
    assert stage.failed == ["<Dial> rings bob's phone, and bob picks up: not within 12 s"]


async def test_a_server_that_does_not_answer_is_told_with_the_reason(autojump_clock: MockClock, stage: Stage) -> None:
    stage.network.lose(lambda sent: sent.data.startswith(b"REGISTER"), times=1_000_000)
    assert await stage.run() == 1
    assert stage.failed == ["alice registers: not within 12 s"]


async def test_a_call_that_ends_too_early_is_told_at_once(autojump_clock: MockClock, stage: Stage) -> None:
    """Alice hears nothing and presses nothing, so that the application says goodbye."""
    stage.network.lose(rtp_to(second=False), times=1_000_000)
    assert await stage.run() == 1
    assert stage.failed == [
        "alice hears the melody that the application plays: correlation 0.000, the call it needs is over (hung up)",
        "alice presses 42#: alice's media 1 has ended",
    ]


async def test_a_server_that_stays_takes_phones_by_the_settings_that_are_printed(
    autojump_clock: MockClock, stage: Stage
) -> None:
    statuses: list[int] = []

    async def run() -> None:
        statuses.append(await stage.run(stay=True))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        await stage.serving.wait()
        where = f"{HOST}:{STAY_PORT}"
        assert f"server, domain or registrar   {where}" in stage.text
        assert f"password                      {PASSWORD}" in stage.text
        assert f"sip:bob@{where} (the application dials bob's phone)" in stage.text
        host = stage.network.host(MACHINE)
        async with open_phone(host, HOST, name="mine") as mine, open_phone(host, HOST, name="other") as other:
            for phone, user, transport in ((mine, "alice", "udp"), (other, "bob", "tcp")):
                line = await phone.register(
                    where, username=user, password=PASSWORD, via=f"sip:{where}", transport=transport, expires=60
                )
                assert line.status == 200
                assert len(line.bindings) == 1  # the phones of the demo have gone
            call = await mine.call(f"sip:bob@{where}", username="alice", password=PASSWORD)
            ringing = await other.called()
            assert await ringing.pick_up()
            assert await call.answered()
            await ringing.hang_up()
            await call.over()
        signal.raise_signal(signal.SIGINT)
    assert statuses == [0]


# --- pieces ----------------------------------------------------------------------------------------------------------


async def test_the_application_notes_requests_without_a_valid_signature(autojump_clock: MockClock) -> None:
    told: list[tuple[Asked, Answer]] = []
    app = DemoApp(lambda asked, answer: told.append((asked, answer)), token="secret")
    network = FakeNetwork()
    async with app.web.serving(network.host("10.0.0.3"), ("10.0.0.3", 80)):
        stream = await network.host("10.0.0.2").connect_tcp(("10.0.0.3", 80))
        await stream.send_all(
            b"POST /menu HTTP/1.1\r\nHost: 10.0.0.3\r\nX-Twilio-Signature: wrong\r\n"
            b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 9\r\n\r\nDigits=42"
        )
        await app.web.wait_for(1, "/menu")
        assert (await stream.receive_some(4096)).startswith(b"HTTP/1.1 200")
    assert app.complaints == ["/menu came without a valid signature"]
    assert [asked.path for asked, _ in told] == ["/menu"]


def test_nothing_expected_is_no_good_verdict() -> None:
    verdict = Verdict()
    good = [verdict.good]
    verdict.expect("one", True, "not shown")
    good.append(verdict.good)
    verdict.expect("two", False, "what was there")
    good.append(verdict.good)
    assert good == [False, True, False]
    lines: list[str] = []
    verdict.report(lines.append)
    assert lines == ["", "  ok   one", "  FAIL two: what was there"]


# --- as people start it ----------------------------------------------------------------------------------------------


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind((HOST, 0))
        yield taken.getsockname()[1]


@pytest.mark.wire
def test_a_taken_port_is_one_line_and_status_1(taken_port: int, tmp_path: Path) -> None:
    done = demo(tmp_path, "--sip-port", str(taken_port))
    assert done.returncode == 1
    assert done.stderr == (
        f"offhook: cannot listen on UDP {HOST}:{taken_port}: the port is already taken by another program\n"
    )


@pytest.mark.wire
def test_the_command_makes_its_calls_on_this_machine(tmp_path: Path) -> None:
    done = demo(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The demo went as it should." in done.stdout
    # What was heard stays, the server's own data does not.
    assert [sorted(file.name for file in left.iterdir()) for left in tmp_path.iterdir()] == [["alice.wav", "bob.wav"]]
    assert f"{HOST}:{STAY_PORT}" in done.stdout
    assert done.stderr == ""
