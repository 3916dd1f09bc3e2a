"""Load from SIPp: every call goes as the scenario tells, has one webhook and one end, and leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio.testing

from offhook.actors.messages.events import ActorCrashed, AlertRaised, CallEnded, Event
from offhook.server.server import Parts, open_server

from .application import open_application
from .house import ALICE, DOMAIN, QUICK, TOKEN, configuration
from .programs import tasks_alive, until
from .scenarios import Caller
from .sipp import Transport, media_sink, run_sipp

pytestmark = pytest.mark.peers

CALLS = 300
RATE = 100

SAY = "<Response><Say>Bye.</Say><Hangup/></Response>"
REJECT = "<Response><Reject/></Response>"


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
@pytest.mark.parametrize(
    ("document", "status"), [(SAY, "completed"), (REJECT, "no-answer")], ids=["said and hung up", "rejected"]
)
async def test_a_load_of_calls_goes_as_told_and_leaves_nothing_behind(
    tmp_path: Path, transport: Transport, document: str, status: str
) -> None:
    seen: list[Event] = []
    async with open_application(tmp_path / "application", TOKEN, {"/voice": document, "/status": ""}) as application:
        config = configuration(tmp_path, f"{application.base}/voice", status_callback_url=f"{application.base}/status")
        async with open_server(config, Parts(timers=QUICK)) as server:
            server.bus.listen(seen.append)
            await trio.testing.wait_all_tasks_blocked()
            idle = tasks_alive()
            with media_sink() as port:
                caller = Caller(f"sip:100@{DOMAIN}", port).dials()
                if status == "completed":
                    caller.is_answered().is_hung_up_on()
                else:
                    caller.is_refused(404)
                run = await run_sipp(
                    caller,
                    server.addresses[transport.lower()][0],
                    tmp_path / "sipp",
                    transport=transport,
                    calls=CALLS,
                    rate=RATE,
                )
                run.all_succeeded(CALLS)
            registry, linger = server.tree.services.registry, server.tree.linger

            def empty() -> bool:
                return not (server.calls or registry.legs or registry.transactions or registry.invites or len(linger))

            await until(empty, 20, "registry and linger are empty")
            await until(lambda: tasks_alive() <= idle, 10, "no task is left of the calls")
            report = await application.report()
    assert report.requests == report.calls == {"/voice": CALLS, "/status": CALLS}
    assert report.forged == 0
    ends = [event for event in seen if isinstance(event, CallEnded)]
    assert len({end.call_sid for end in ends}) == len(ends) == CALLS
    assert {end.status for end in ends} == {status}
    assert [event for event in seen if isinstance(event, AlertRaised | ActorCrashed)] == []


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
async def test_every_challenged_caller_gets_in(tmp_path: Path, transport: Transport) -> None:
    calls = 50
    async with open_application(tmp_path / "application", TOKEN, {"/voice": SAY}) as application:
        config = configuration(tmp_path, f"{application.base}/voice", login=True)
        async with open_server(config, Parts(timers=QUICK)) as server:
            with media_sink() as port:
                run = await run_sipp(
                    Caller(f"sip:100@{DOMAIN}", port, ALICE).dials().is_answered().is_hung_up_on(),
                    server.addresses[transport.lower()][0],
                    tmp_path / "sipp",
                    transport=transport,
                    calls=calls,
                    rate=50,
                )
                run.all_succeeded(calls)
            report = await application.report()
    assert report.calls == {"/voice": calls}
    assert report.forged == 0


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
async def test_callers_may_hang_up_first(tmp_path: Path, transport: Transport) -> None:
    calls = 50
    seen: list[Event] = []
    document = "<Response><Gather timeout='60'/></Response>"
    async with open_application(tmp_path / "application", TOKEN, {"/voice": document, "/status": ""}) as application:
        config = configuration(tmp_path, f"{application.base}/voice")
        async with open_server(config, Parts(timers=QUICK)) as server:
            server.bus.listen(seen.append)
            with media_sink() as port:
                run = await run_sipp(
                    Caller(f"sip:100@{DOMAIN}", port).dials().is_answered().waits(200).hangs_up(),
                    server.addresses[transport.lower()][0],
                    tmp_path / "sipp",
                    transport=transport,
                    calls=calls,
                    rate=50,
                )
                run.all_succeeded(calls)
            await until(lambda: not server.calls, 10, "no call is left")
    ends = [event for event in seen if isinstance(event, CallEnded)]
    assert [(end.status, end.cause) for end in ends] == [("completed", "hung-up")] * calls


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
async def test_callers_acknowledge_ringing_and_refresh_their_sessions(tmp_path: Path, transport: Transport) -> None:
    calls = 20
    seen: list[Event] = []
    wants = (("Require", "100rel"), ("Supported", "timer"), ("Allow", "INVITE, ACK, CANCEL, BYE, PRACK, UPDATE"))
    # Rings for a second: two 200s that cross are more than a scenario can tell apart.
    document = "<Response><Pause length='1'/><Gather timeout='60'/></Response>"
    async with open_application(tmp_path / "application", TOKEN, {"/voice": document, "/status": ""}) as application:
        config = configuration(tmp_path, f"{application.base}/voice")
        async with open_server(config, Parts(timers=QUICK)) as server:
            server.bus.listen(seen.append)
            with media_sink() as port:
                caller = Caller(f"sip:100@{DOMAIN}", port, headers=wants).dials().hears_ringing_reliably()
                caller.is_answered("1800;refresher=uac").waits(100)
                for _ in range(3):
                    caller.refreshes("900;refresher=uac", "900;refresher=uac").waits(50)
                run = await run_sipp(
                    caller.hangs_up(),
                    server.addresses[transport.lower()][0],
                    tmp_path / "sipp",
                    transport=transport,
                    calls=calls,
                    rate=20,
                )
                run.all_succeeded(calls)
            await until(lambda: not server.calls, 10, "no call is left")
    ends = [event for event in seen if isinstance(event, CallEnded)]
    assert [(end.status, end.cause) for end in ends] == [("completed", "hung-up")] * calls
