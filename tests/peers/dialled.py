"""A server in this process whose application dials: SIPp calls it, and another SIPp is called by it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import trio

from offhook.actors.messages.events import AlertRaised, BusEvent
from offhook.server.config import Config
from offhook.server.server import Parts, Server, open_server
from offhook.testing.web import Answer, CustomerApp, twiml
from offhook.transport.trio_network import TrioNetwork

from .callees import Callee
from .house import DOMAIN, configuration
from .programs import free_port
from .scenarios import Caller
from .sipp import Sipp, Wire, open_callee, run_sipp

WITHIN_S = 20.0
UUI = [
    "56a390f3d2b7310023a2;encoding=hex",
    "56A390F3;encoding=hex;purpose=isdn-uui;content=isdn-uui",
    "a-token",
    '"a quoted string";purpose=example',
]
"""User-to-user information in the forms of RFC 7433."""


def calls(media: int) -> Caller:
    """Who is answered, waits for the application to do what it likes, and is hung up on."""
    return Caller(f"sip:100@{DOMAIN}", media).dials().is_answered().is_hung_up_on()


@attrs.define(eq=False)
class House:
    """A server and its application; what they have heard and told."""

    server: Server
    app: CustomerApp
    base: str
    events: list[BusEvent]

    @property
    def sip(self) -> tuple[str, int]:
        return self.server.addresses["udp"][0]

    def codes(self) -> list[int]:
        """Codes of the alerts so far."""
        return [event.code for event in self.events if isinstance(event, AlertRaised)]

    async def asked(self, path: str) -> dict[str, str]:
        """The parameters of the first request for a path, once it has come."""
        with trio.fail_after(WITHIN_S):
            return (await self.app.wait_for(1, path))[0].params

    async def is_called(self, caller: Caller, folder: Path, *, host: str = "127.0.0.1") -> None:
        """One call by SIPp from `host`, which has to go as its scenario tells."""
        run = await run_sipp(caller, self.sip, folder, transport="UDP", calls=1, rate=10, most_s=20, host=host)
        run.all_succeeded(1)

    async def dials(self, document: str, callee: Callee | None, caller: Caller, folder: Path) -> list[Wire]:
        """SIPp calls, and its application dials; CALLEE in the document is the address of the callee.

        Without a callee's scenario nobody may be called. Gives the INVITEs that the callee got.
        """
        scenario = Callee(0).is_called().refuses(603) if callee is None else callee
        port = free_port()
        self.app.on("/voice", twiml(document.replace("CALLEE", f"127.0.0.1:{port}")))
        async with open_called(scenario, port, folder / "callee") as sipp:
            await self.is_called(caller, folder / "caller")
            if callee is not None:
                (await sipp.finished()).all_succeeded(1)
            return sipp.received("INVITE")


def open_called(callee: Callee, port: int, folder: Path) -> AbstractAsyncContextManager[Sipp]:
    """A SIPp that takes one call and logs its messages."""
    return open_callee(callee, folder, port=port, transport="UDP", calls=1, most_s=30, log_messages=True)


@asynccontextmanager
async def open_house(
    folder: Path, parts: Callable[[str], dict[str, Any]] = lambda base: {}, **settings: Any
) -> AsyncIterator[House]:
    """`parts`, made of the application's base URL, replace those of the usual configuration."""
    app, events = CustomerApp(), list[BusEvent]()
    app.on("/status", Answer())
    app.on("/voice", twiml("<Hangup/>"))
    app.on("/after", twiml("<Hangup/>"))
    async with app.serving(TrioNetwork(), ("127.0.0.1", 0)) as (host, port):
        base = f"http://{host}:{port}"
        config: Config = attrs.evolve(configuration(folder, f"{base}/voice", **settings), **parts(base))
        async with open_server(config, Parts()) as server:
            server.bus.listen(events.append)
            yield House(server, app, base, events)
