"""Registrar: REGISTER and its bindings; answers where a user can be reached.

A fault that one message causes is contained here: the request is answered 500, and the next message is read. What is
bound outlives a restart of the task, see `Held`, and through the journal that of the process, see `restoring.py`. No
answer waits for the store: a process that is killed right after it may forget a registration.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from email.utils import format_datetime
from functools import lru_cache
from typing import Final, assert_never

import attrs
import structlog
import trio

from ..sip.bindings import Binding, Bindings, Bound, Change, Granted, Unbound, in_order
from ..sip.build import respond
from ..sip.digest import DigestServer
from ..sip.errors import SipError
from ..sip.message import Request, Response
from ..sip.registration import Bounds
from ..sip.timers import Timers
from ..sip.transaction.answered import AnsweredRequests
from ..sip.transaction.events import SendResponse
from ..store.domains import DomainDirectory
from ..store.records import BindingGone, DomainRecord
from ..transport.flow import Flow, FlowClosed
from .actor import Actor
from .admission import Refused
from .courier import Courier
from .herald import Herald
from .journal import Journal
from .mailbox import Mailbox, fail_question
from .messages.events import Registered, Unregistered
from .messages.registrar import Evict, Locate, Located, RegisterReceived, RegistrarMessage, Restore
from .refusals import tell
from .registration import enrol, refusal
from .restoring import row_id, row_of

CAPACITY: Final = 1024

log = structlog.get_logger(__name__)


@attrs.define(eq=False)
class Held:
    """What outlives a restart of the task: the bindings, and the answers that copies of requests get."""

    bindings: Bindings
    answers: AnsweredRequests

    @classmethod
    def empty(cls, timers: Timers, bounds: Bounds) -> Held:
        return cls(Bindings(bounds), AnsweredRequests(timers))


@attrs.define(eq=False)
class Registrar(Actor[RegistrarMessage]):
    """One task for all domains. It waits for nobody."""

    herald: Herald
    courier: Courier
    domains: DomainDirectory
    digest: DigestServer
    held: Held
    journal: Journal | None = None
    """None: what is bound ends with the process."""

    async def handle(self, message: RegistrarMessage) -> None:
        try:
            self._take(message, trio.current_time())
        except Exception as error:
            self._contain(error, type(message).__name__)
            fail_question(message, error)
            if isinstance(message, RegisterReceived):
                self._answer_fault(message)

    def _answer_fault(self, message: RegisterReceived) -> None:
        """500 to a REGISTER that could not be handled. What broke the handling may break the answer too."""
        try:
            self._send(self._response(message.request, 500), message.flow)
        except Exception as error:
            log.error("message could not be answered", actor=self.mailbox.name, exc_info=error)

    def wake_at(self) -> float:
        return min(self.held.bindings.wake_at(), self.held.answers.wake_at())

    async def wake(self, now: float) -> None:
        self.held.answers.wake(now)
        self._carry_out(self.held.bindings.lapse(now), now)

    def _take(self, message: RegistrarMessage, now: float) -> None:
        bindings = self.held.bindings
        match message:
            case RegisterReceived():
                self._register(message.request, message.flow, now)
            case FlowClosed():
                self._carry_out(bindings.flow_closed(message.flow), now)
            case Locate():
                message.reply.set(Located(message.aor, self._locate(message.aor, now)))
            case Evict():
                self._carry_out(bindings.evict(message.aor), now)
            case Restore():
                self._restore(message.bindings, now)
                message.reply.set(None)
            case _:
                assert_never(message)

    # --- REGISTER --------------------------------------------------------------------------------------------

    def _register(self, request: Request, flow: Flow, now: float) -> None:
        answers = self.held.answers
        answered = answers.find(request)
        if answered is not None:
            self._send(answered, flow)
            return
        if answers.is_merged(request):
            self._send(self._response(request, 482), flow)
            return
        enrolment = enrol(request, transport=flow.transport, domains=self.domains, digest=self.digest, now=now)
        if isinstance(enrolment, Refused):
            # Stateless: strangers cost no memory, and a copy gets the same judgement.
            self._send(self._refused(request, flow, enrolment), flow)
            return
        try:
            granted = self.held.bindings.register(enrolment.aor, request, flow, now)
        except SipError as error:
            response = self._refused(request, flow, refusal(error, enrolment.domain))
        else:
            self._carry_out(granted.changes, now)
            response = self._granted(request, granted, now)
        answers.keep(request, response, flow, now)
        self._send(response, flow)

    def _granted(self, request: Request, granted: Granted, now: float) -> Response:
        """The 200 with all bindings and what is left of their time (10.3 step 8)."""
        headers = [("Contact", ", ".join(binding.shown(now) for binding in granted.bindings))]
        if not granted.bindings:
            headers = []
        headers += [("Path", line) for line in request.headers.all("path")]  # RFC 3327 section 5.3
        if granted.outbound:
            headers.append(("Require", "outbound"))  # RFC 5626 section 6
        headers.append(("Date", _date(self.herald.now_utc().replace(microsecond=0))))
        return self._response(request, 200, headers=headers)

    def _refused(self, request: Request, flow: Flow, refused: Refused) -> Response:
        headers = tell(self.herald, request, flow, refused)
        return self._response(request, refused.status, refused.reason, headers)

    def _response(
        self, request: Request, status: int, reason: str | None = None, headers: Iterable[tuple[str, str]] = ()
    ) -> Response:
        server = self.herald.settings.server_header
        own = (("Server", server),) if server else ()
        return respond(request, status, reason, headers=(*headers, *own))

    def _send(self, response: Response, flow: Flow) -> None:
        self.courier.respond(SendResponse(response, flow))

    # --- bindings --------------------------------------------------------------------------------------------

    def _locate(self, aor: str, now: float) -> tuple[Binding, ...]:
        """The bindings of a user; none whose connection has just gone, though the news of it are still on their way."""
        bindings = self.held.bindings
        for binding in bindings.find(aor, now):
            flow = flow_of(binding)
            if flow is not None and not flow.alive:
                self._carry_out(bindings.flow_closed(flow), now)
        return in_order(bindings.find(aor, now))

    def _restore(self, bindings: Iterable[Binding], now: float) -> None:
        """Take back what an earlier process had bound: it is in the store, and has no connection."""
        for binding in bindings:
            try:
                bound = self.held.bindings.restore(binding)
                if bound is not None:
                    self._say_bound(bound, now, restored=True)
            except Exception as error:
                # The server starts without this one.
                self._contain(error, "Restore")

    def _carry_out(self, changes: Iterable[Change], now: float) -> None:
        """Keep the connections of what is bound, let go those of what is not, tell the store and the outside."""
        for change in changes:
            try:
                match change:
                    case Bound():
                        _hold(change.binding)
                        if change.replaced is not None:
                            _release(change.replaced)
                        self._keep(change, now)
                        self._say_bound(change, now)
                    case Unbound():
                        _release(change.binding)
                        self._forget(change.binding)
                        self._say_unbound(change)
                    case _:
                        assert_never(change)
            except Exception as error:
                # The others have their connections too.
                self._contain(error, type(change).__name__)

    def _keep(self, change: Bound, now: float) -> None:
        if self.journal is None:
            return
        if change.replaced is not None and change.replaced.key != change.binding.key:
            self._forget(change.replaced)
        self.journal.write_binding(row_of(change.binding, now, self.herald.now_utc()))

    def _forget(self, binding: Binding) -> None:
        if self.journal is not None:
            self.journal.write_binding(BindingGone(row_id(binding)))

    def _say_bound(self, change: Bound, now: float, *, restored: bool = False) -> None:
        herald, binding = self.herald, change.binding
        domain, flow = self._domain_of(binding), flow_of(binding)
        herald.bus.publish(
            Registered(
                at=herald.now_utc(),
                account=domain.account_sid if domain is not None else "",
                domain=domain.name if domain is not None else None,
                aor=binding.aor,
                contact=binding.uri_text,
                expires_s=binding.seconds_left(now),
                refreshed=change.replaced is not None,
                transport=flow.transport if flow is not None else None,
                source=flow.remote[0] if flow is not None else None,
                user_agent=binding.agent,
                restored=restored,
            )
        )

    def _say_unbound(self, change: Unbound) -> None:
        herald, binding = self.herald, change.binding
        domain = self._domain_of(binding)
        herald.bus.publish(
            Unregistered(
                at=herald.now_utc(),
                account=domain.account_sid if domain is not None else "",
                domain=domain.name if domain is not None else None,
                aor=binding.aor,
                contact=binding.uri_text,
                reason=change.why.value,
            )
        )

    def _domain_of(self, binding: Binding) -> DomainRecord | None:
        """None when the domain has been removed meanwhile."""
        return self.domains.find(binding.aor.rpartition("@")[2])

    def _contain(self, error: Exception, what: str) -> None:
        log.error("message could not be handled", actor=self.mailbox.name, message=what, exc_info=error)
        self.herald.contained(self.mailbox.name, error)


@lru_cache(maxsize=1)
def _date(second: datetime.datetime) -> str:
    return format_datetime(second, usegmt=True)


def registrar_mailbox() -> Mailbox[RegistrarMessage]:
    return Mailbox("registrar", CAPACITY)


def flow_of(binding: Binding) -> Flow | None:
    """The way back to the phone, as the transport knows it; None when it is reached through a proxy."""
    if binding.flow is None or isinstance(binding.flow, Flow):
        return binding.flow
    raise TypeError(f"{binding.flow!r} is no flow of the transport")


def _hold(binding: Binding) -> None:
    flow = flow_of(binding)
    if flow is not None and flow.connection is not None:
        flow.connection.hold()


def _release(binding: Binding) -> None:
    flow = flow_of(binding)
    if flow is not None and flow.connection is not None:
        flow.connection.release()
