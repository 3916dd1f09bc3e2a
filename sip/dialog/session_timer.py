"""How long a session lives unless it is refreshed, and who has to do that (RFC 4028)."""

from __future__ import annotations

import math
from typing import Final

import attrs

from ..fields import MinSE, Reason, SessionExpires
from ..machine import Row, Symbol, Table, step
from ..message import Message, Request, Response
from .config import MIN_SESSION_S, TIMER, HeaderItems, LegConfig
from .inside import Refusal

EXPIRED: Final = str(Reason.of("SIP", 408, "Session not refreshed"))
"""Reason of the BYE to a session that was not refreshed."""

MARGIN_S: Final = 32.0
"""How long before its expiry a session is given up, at most; a third of a short interval (section 10)."""


class State(Symbol):
    OFF = "not used"
    OURS = "we refresh"
    REFRESHING = "our refresh is under way"
    THEIRS = "the other side refreshes"


class Input(Symbol):
    WE_REFRESH = "2xx that makes us the refresher"
    THEY_REFRESH = "2xx that makes the other side the refresher"
    UNUSED = "2xx without Session-Expires"
    REFRESH_DUE = "half the interval is over"
    FAILED = "our refresh came to nothing"
    EXPIRY_DUE = "the interval is over but for the margin"
    STOP = "the dialog ends"


class Act(Symbol):
    START = "wait for half the interval, and for its end"
    WATCH = "wait for the end of the interval"
    STOP = "wait for nothing"
    REFRESH = "send UPDATE, or a re-INVITE that changes nothing"
    RETRY = "try again later"
    EXPIRE = "hang up"
    NOTHING = "another refresh has come between"


_S, _I, _A = State, Input, Act
_AGREED: Final = {
    _I.WE_REFRESH: Row(_S.OURS, _A.START),
    _I.THEY_REFRESH: Row(_S.THEIRS, _A.WATCH),
    _I.UNUSED: Row(_S.OFF, _A.STOP),
    _I.STOP: Row(_S.OFF, _A.STOP),
}
"""Every 2xx to an INVITE or UPDATE agrees anew, whichever side asked, and may even end the use of the timer."""

TABLE: Final = Table(
    "session timer",
    {
        **{(state, given): row for state in State for given, row in _AGREED.items()},
        (_S.OURS, _I.REFRESH_DUE): Row(_S.REFRESHING, _A.REFRESH),
        (_S.REFRESHING, _I.FAILED): Row(_S.OURS, _A.RETRY),
        (_S.OFF, _I.FAILED): Row(_S.OFF, _A.NOTHING),
        (_S.OURS, _I.FAILED): Row(_S.OURS, _A.NOTHING),
        (_S.THEIRS, _I.FAILED): Row(_S.THEIRS, _A.NOTHING),
        (_S.OURS, _I.EXPIRY_DUE): Row(_S.OFF, _A.EXPIRE),
        (_S.REFRESHING, _I.EXPIRY_DUE): Row(_S.OFF, _A.EXPIRE),
        (_S.THEIRS, _I.EXPIRY_DUE): Row(_S.OFF, _A.EXPIRE),
    },
    wire=frozenset(),
)


@attrs.define(eq=False)
class SessionTimer:
    """The session interval of one leg: what is asked for, what was agreed, and when it matters next.

    `now` and all dates are trio seconds. The leg says what is to be done at a date; only a dialog that is up asks.
    """

    config: LegConfig
    state: State = attrs.field(default=State.OFF, init=False)
    interval_s: int | None = attrs.field(default=None, init=False)
    """As agreed last; None: never."""

    _min_s: int = attrs.field(init=False)
    """The largest Min-SE that anybody on the way has asked for, and ours."""

    _refresh_at: float = attrs.field(default=math.inf, init=False)
    _expire_at: float = attrs.field(default=math.inf, init=False)

    def __attrs_post_init__(self) -> None:
        self._min_s = self.config.min_session_s

    # ---- our requests --------------------------------------------------------------------------------------------

    def request_headers(self) -> HeaderItems:
        """What an INVITE or UPDATE of ours says (7.1, 7.4): the interval, and that nobody changes places."""
        if self.config.session_s is None:
            return ()
        refresher = {State.OFF: None, State.THEIRS: "uas"}.get(self.state, "uac")
        items = [("Session-Expires", str(SessionExpires(self._wanted_s, refresher)))]
        if self._min_s != MIN_SESSION_S:
            items.append(("Min-SE", str(MinSE(self._min_s))))
        return tuple(items)

    def learn(self, response: Response) -> bool:
        """Take a 422 in. True when the request is worth sending again with what `request_headers` now gives (7.3)."""
        if response.status != 422 or self.config.session_s is None or response.min_se is None:
            return False
        asked = response.min_se.seconds
        if asked <= self._wanted_s:
            return False
        self._min_s = asked
        return True

    def agreed(self, response: Response, now: float) -> None:
        """A 2xx to an INVITE or UPDATE of ours came (7.2)."""
        said = response.session_expires
        if said is None or self.config.session_s is None:
            self._take(Input.UNUSED, now)
            return
        # Less than anybody may ask for is no interval to follow: it would have us refresh without a pause.
        self.interval_s = max(said.seconds, self.config.min_session_s)
        self._take(Input.THEY_REFRESH if said.refresher == "uas" else Input.WE_REFRESH, now)

    # ---- the other side's ----------------------------------------------------------------------------------------

    def refusal(self, request: Request) -> Refusal | None:
        """Why an INVITE or UPDATE asks for too short a session; None when it does not (section 9)."""
        return None if self.config.session_s is None else too_brief(request, self.config.min_session_s)

    def answer(self, request: Request, now: float) -> HeaderItems:
        """What our 2xx to an INVITE or UPDATE says, and the beginning of the interval (section 9, table 2)."""
        said, knows = request.session_expires, _knows(request)
        if self.config.session_s is None or not self._wants(said, knows):
            self._take(Input.UNUSED, now)
            return ()
        if request.min_se is not None:
            self._min_s = max(self._min_s, request.min_se.seconds)
        seconds = self._wanted_s
        if said is not None:
            seconds = min(said.seconds, seconds)  # it may be shortened, and never be lengthened
        refresher = self._refresher(said, knows)
        self.interval_s = seconds
        self._take(Input.THEY_REFRESH if refresher == "uac" else Input.WE_REFRESH, now)
        items = [("Session-Expires", str(SessionExpires(seconds, refresher)))]
        if knows:
            items.append(("Require", TIMER))
        return tuple(items)

    def _wants(self, said: SessionExpires | None, knows: bool) -> bool:
        """Whether a session timer comes of a request: asked for in it, or known to who asks, or kept up."""
        if said is None:
            return knows or self.state is not State.OFF
        return said.seconds >= self.config.min_session_s

    def _refresher(self, said: SessionExpires | None, knows: bool) -> str:
        if not knows:
            return "uas"
        if said is not None and said.refresher is not None:
            return said.refresher
        return "uas" if self.state in (State.OURS, State.REFRESHING) else "uac"

    @property
    def _wanted_s(self) -> int:
        """What is asked for: the present interval, else the configured one, and never less than anybody takes."""
        configured = self.config.session_s
        assert configured is not None
        return max(configured if self.interval_s is None else self.interval_s, self._min_s)

    # ---- the clock -----------------------------------------------------------------------------------------------

    def failed(self, now: float, after_s: float | None = None) -> None:
        """Our refresh came to nothing, and may be tried again: after `after_s`, or in half of the time that is left."""
        if self._take(Input.FAILED, now) is Act.RETRY:
            left_s = self._expire_at - now
            self._refresh_at = now + (max(left_s / 2, self.config.timers.t1) if after_s is None else after_s)

    def stop(self, now: float) -> None:
        """The dialog ends."""
        self._take(Input.STOP, now)

    def wake_at(self) -> float:
        """When `wake` next has work."""
        return min(self._refresh_at, self._expire_at)

    def wake(self, now: float) -> Act | None:
        """What is due: `REFRESH`, or `EXPIRE`."""
        if self._expire_at <= now:
            return self._take(Input.EXPIRY_DUE, now)
        if self._refresh_at <= now:
            return self._take(Input.REFRESH_DUE, now)
        return None

    def _take(self, given: Input, now: float) -> Act:
        row = step(TABLE, self.state, given)
        assert row is not None
        self.state = row.state
        match row.act:
            case Act.START | Act.WATCH:
                assert self.interval_s is not None
                self._expire_at = now + self.interval_s - min(MARGIN_S, self.interval_s / 3)
                self._refresh_at = now + self.interval_s / 2 if row.act is Act.START else math.inf
            case Act.REFRESH:
                self._refresh_at = math.inf
            case Act.STOP | Act.EXPIRE:
                self._refresh_at = self._expire_at = math.inf
            case Act.RETRY | Act.NOTHING:
                pass
        return row.act


def too_brief(request: Request, min_session_s: int) -> Refusal | None:
    """The 422 to a session interval below `min_session_s`; None for any other, and for none."""
    asked = request.session_expires
    if asked is None or asked.seconds >= min_session_s:
        return None
    # Who does not know the timer cannot take a 422 for what it is: a proxy has put the header in.
    return Refusal(422, (("Min-SE", str(MinSE(min_session_s))),)) if _knows(request) else None


def _knows(message: Message) -> bool:
    """Whether the sender understands session timers."""
    return any(tag.lower() == TIMER for tag in (*message.supported, *message.require))
