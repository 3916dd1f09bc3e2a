"""Kinds of calls to load a server with: what the application says, what both ends do, what has to be counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs

from .callees import Callee
from .scenarios import ROW, Caller
from .sipp import Transport

RINGS_MS = 300
TALKS_MS = 1000
HOPES_MS = 2000
"""How long a caller hears it ring before he gives up: so long that a busy server has called the far phone by then."""
EVENTS = ("initiated", "ringing", "in-progress", "completed")
"""CallStatus of each callback of a dialled call that is answered."""


@attrs.frozen(kw_only=True)
class Kind:
    """One kind of call; `NAME` in texts stands for its name."""

    document: str
    """TwiML of `/NAME`; `CALLEE` stands for the phone that is dialled."""
    caller: Callable[[Caller], Caller]
    callee: Callable[[Callee], Callee] | None = None
    told: tuple[str, ...] = ("/NAME ringing", "/status-NAME completed")
    """Requests by path and CallStatus; each comes once for each call."""
    ended: Mapping[str, int] = attrs.field(factory=lambda: {"completed": 1})
    """End events of a call by status; one that is dialled has its own."""
    to_phones: bool = False
    """Each call goes to another one of the registered phones."""
    target: str = "100"
    """User that is called."""

    def documents(self, name: str, callee_port: int, transport: Transport) -> dict[str, str]:
        """TwiML by path."""
        callee = f"sip:callee@127.0.0.1:{callee_port};transport={transport.lower()}"
        document = self.document.replace("CALLEE", callee).replace("NAME", name)
        return {
            f"/{name}": document,
            f"/status-{name}": "",
            f"/progress-{name}": "",
            f"/after-{name}": "<Response><Hangup/></Response>",
        }

    def requests(self, name: str, calls: int) -> dict[str, int]:
        """What the application has to be asked for so many calls, by path and CallStatus."""
        return {told.replace("NAME", name): calls for told in self.told}

    def ends(self, calls: int) -> dict[str, int]:
        """End events by status."""
        return {status: count * calls for status, count in self.ended.items()}


def dial(noun: str, address: str, attributes: str = "") -> str:
    """TwiML that calls one party and wants all callbacks."""
    callback = 'statusCallback="/progress-NAME" statusCallbackEvent="initiated ringing answered completed"'
    return f'<Response><Dial action="/after-NAME"{attributes}><{noun} {callback}>{address}</{noun}></Dial></Response>'


def progress(*statuses: str) -> tuple[str, ...]:
    return tuple(f"/progress-NAME {status}" for status in statuses)


CALLER_ENDS = ("/NAME ringing", "/after-NAME completed", "/status-NAME completed", *progress(*EVENTS))
CALLEE_ENDS = ("/NAME ringing", "/after-NAME in-progress", "/status-NAME completed", *progress(*EVENTS))

KINDS = {
    "say": Kind(
        document="<Response><Say>Thank you for calling.</Say><Hangup/></Response>",
        caller=lambda caller: caller.dials().is_answered().is_hung_up_on(),
    ),
    "reject": Kind(
        document="<Response><Reject/></Response>",
        caller=lambda caller: caller.dials().is_refused(404),
        told=("/NAME ringing", "/status-NAME no-answer"),
        ended={"no-answer": 1},
    ),
    "dial": Kind(
        document=dial("Sip", "CALLEE", ' answerOnBridge="true"'),
        caller=lambda caller: caller.dials().is_answered().waits(TALKS_MS).hangs_up(),
        callee=lambda callee: callee.is_called().rings().waits(RINGS_MS).answers().is_hung_up_on(),
        told=CALLER_ENDS,
        ended={"completed": 2},
    ),
    "dialled-ends": Kind(
        document=dial("Sip", "CALLEE"),
        caller=lambda caller: caller.dials().is_answered().is_hung_up_on(),
        callee=lambda callee: callee.is_called().rings().waits(RINGS_MS).answers().waits(TALKS_MS).hangs_up(),
        told=CALLEE_ENDS,
        ended={"completed": 2},
    ),
    "phones": Kind(
        document=dial("Client", "CALLED"),
        caller=lambda caller: caller.dials().is_answered().is_hung_up_on(),
        callee=lambda callee: callee.is_called().rings().waits(RINGS_MS).answers().waits(TALKS_MS).hangs_up(),
        told=CALLEE_ENDS,
        ended={"completed": 2},
        to_phones=True,
        target=ROW,
    ),
    "given-up": Kind(
        document=dial("Sip", "CALLEE", ' answerOnBridge="true"'),
        caller=lambda caller: caller.dials().is_told_it_rings().waits(HOPES_MS).gives_up(),
        callee=lambda callee: callee.is_called().rings().is_given_up_on(),
        told=(
            "/NAME ringing",
            "/after-NAME completed",
            "/status-NAME canceled",
            *progress("initiated", "ringing", "canceled"),
        ),
        ended={"canceled": 2},
    ),
}
