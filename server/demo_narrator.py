"""What `offhook demo` prints: each line under the one who does it, and at the end what held and what did not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs
import trio

from ..actors.bus import Subscription
from ..actors.messages.events import (
    AlertRaised,
    CallAnswered,
    CallEnded,
    CallStarted,
    DigitsHeard,
    QualityMeasured,
    RecordingReady,
    Registered,
    Unregistered,
    VerbStarted,
)
from ..sip.message import Request, Response
from ..testing.ladder import Seen
from ..testing.web import Answer, Asked

SHOWN: Final = (
    "CallSid",
    "ParentCallSid",
    "Direction",
    "From",
    "To",
    "CallStatus",
    "Digits",
    "DialCallStatus",
    "DialCallSid",
    "DialCallDuration",
    "DialBridged",
    "RecordingUrl",
    "RecordingDuration",
    "RecordingChannels",
    "CallDuration",
)
"""Parameters of webhooks that a newcomer wants to see, in this order."""
LINES: Final = {"alice": "alice {} server", "bob": "          server {} bob"}
"""The ladder: alice's leg on the left, bob's on the right; an arrow in the place of the braces."""


@attrs.define(eq=False)
class Narrator:
    """Tells the story as it happens."""

    write: Callable[[str], None] = print
    alerts: list[AlertRaised] = attrs.field(factory=list)
    """Of the server, so far."""
    _began: float = attrs.field(factory=trio.current_time)

    def line(self, who: str, text: str) -> None:
        stamp = trio.current_time() - self._began
        first, *rest = text.splitlines() or [""]
        self.write(f"{stamp:7.2f}  {who:<8} {first}")
        for more in rest:
            self.write(f"{'':18}{more}")

    def sip(self, name: str, seen: Seen) -> None:
        """A message that `name`'s phone sent or got."""
        rightwards = seen.sent is (name == "alice")
        message = seen.message
        what = f"{message.method} {message.request_uri}" if isinstance(message, Request) else status_line(message)
        self.line(f"SIP/{seen.transport}", f"{LINES[name].format('-->' if rightwards else '<--'):<26}{what}")

    def webhook(self, asked: Asked, answer: Answer) -> None:
        params = asked.params
        told = [f"{name}={params[name]}" for name in SHOWN if params.get(name)]
        body = [answer.body.decode()] if "xml" in (answer.content_type or "") else []
        kind = f" {answer.content_type}" if answer.content_type else ""
        self.line("webhook", "\n".join([f"{asked.method} {asked.path} -> {answer.status}{kind}", *told, *body]))

    async def tell_events(self, events: Subscription) -> None:
        async for event in events:
            if isinstance(event, AlertRaised):
                self.alerts.append(event)
            text = described(event)
            if text:
                self.line("server", text)


def status_line(response: Response) -> str:
    return f"{response.status} {response.reason} ({response.cseq.method})"


def described(event: object) -> str:
    """One line for an event that a newcomer wants to see; empty for the others."""
    match event:
        case Registered():
            return f"{event.aor} is reached at {event.contact} for {event.expires_s} s"
        case Unregistered():
            return f"{event.aor} is not reached at {event.contact} any more ({event.reason})"
        case CallStarted():
            child = f", for {event.parent_call_sid}" if event.parent_call_sid else ""
            return f"call {event.call_sid} from {event.from_} to {event.to}{child}"
        case CallAnswered():
            return f"call {event.call_sid} answered"
        case VerbStarted():
            return f"carries out <{event.verb}>"
        case DigitsHeard():
            return f"hears the key {event.digits} ({event.duration_ms} ms)"
        case RecordingReady():
            return f"recording {event.recording_sid}, {event.duration_s} s"
        case CallEnded():
            return f"call {event.call_sid} ended: {event.status} after {event.duration_s} s ({event.cause})"
        case QualityMeasured():
            mos = f"{event.mos:.2f}" if event.mos is not None else "unknown"
            return f"{event.codec}: {event.packets_sent} packets sent, {event.packets_received} received, MOS {mos}"
        case AlertRaised():
            return f"{event.level} {event.code}: {event.name}: {event.detail}"
        case _:
            return ""


@attrs.frozen
class Expectation:
    """Something that should have come about."""

    text: str
    held: bool
    found: str
    """What was there instead; says what went wrong."""


@attrs.define
class Verdict:
    """What was expected, and whether it held."""

    lines: list[Expectation] = attrs.field(factory=list)

    def expect(self, text: str, held: bool, found: object = "") -> None:
        self.lines.append(Expectation(text, held, str(found)))

    @property
    def good(self) -> bool:
        return bool(self.lines) and all(line.held for line in self.lines)

    def report(self, write: Callable[[str], None]) -> None:
        write("")
        for line in self.lines:
            wrong = f": {line.found}" if line.found and not line.held else ""
            write(f"  {'ok  ' if line.held else 'FAIL'} {line.text}{wrong}")
