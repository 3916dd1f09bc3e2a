"""The phases of a leg, from its INVITE to its end, whichever side sent it: one table (RFC 3261 sections 12 to 15)."""

from typing import Final

from ..machine import Row, Symbol, Table


class Phase(Symbol):
    NEW = "new"
    CALLED = "called"
    """An INVITE waits for our answer."""

    WITHHOLDING = "withholding"
    """Our 2xx waits for the PRACK of an early description (RFC 3262 section 3)."""

    ANSWERED = "answered"
    """Our 2xx waits for its ACK."""

    PARTING = "parting"
    """We want to hang up, which has to wait for the ACK (section 15)."""

    CALLING = "calling"
    """Our INVITE waits for an answer."""

    ABANDONED = "abandoned"
    """Our INVITE is to be cancelled; the call has been told the end."""

    UP = "up"
    LEAVING = "leaving"
    """Our BYE waits for its answer; the call has been told the end."""

    OVER = "over"


class Input(Symbol):
    INVITE = "INVITE that makes the dialog"
    UNUSABLE = "INVITE that cannot make one"
    CANCEL = "CANCEL of it"
    BYE = "BYE"
    CONFIRMED = "ACK of our 2xx, or 2xx to our INVITE"
    REFUSED = "our INVITE failed or is done with"
    PRACKED = "PRACK"
    UNPRACKED = "64*T1 without a PRACK"
    UNACKNOWLEDGED = "64*T1 without an ACK"
    NO_SESSION = "an answer was owed and did not come"
    LOST = "the other side does not know the dialog"
    EXPIRED = "the session was not refreshed"
    BYE_DONE = "our BYE is answered, or never will be"
    RING = "Ring"
    ANSWER = "Answer"
    ANSWER_EARLY = "Answer, with a description unacknowledged"
    REFUSE = "Refuse"
    DIAL = "Invite"
    ABANDON = "CancelInvite"
    OFFER = "Offer"
    ACCEPT = "Accept"
    REFUSE_OFFER = "RefuseOffer"
    HANG_UP = "Bye"
    LAST_WORDS = "the leg's actor ends"


class Act(Symbol):
    TAKE_INVITE = "send 100, report the INVITE"
    TURN_AWAY = "report the end"
    RING = "send the provisional response"
    ANSWER = "send the 2xx"
    WITHHOLD = "keep the 2xx until the PRACK"
    ANSWER_AT_LAST = "send the 2xx that was kept"
    TIME_OUT = "send 504, report the end"
    REFUSE = "send the refusal, report the end"
    DECLINE = "send 480, report the end"
    CANCELLED = "send 487, report the end"
    FAIL = "send 500"
    DIAL = "send the INVITE"
    ABANDON = "cancel the INVITE, report the end"
    CANCEL = "cancel the INVITE"
    REPORT_ANSWER = "report the answer"
    REPORT_REFUSAL = "report the refusal"
    OFFER = "send a re-INVITE or UPDATE"
    REFUSE_OFFER = "report that the offer is refused"
    ACCEPT = "answer the other side's offer"
    REFUSE_REOFFER = "refuse the other side's offer"
    END = "report that the other side hung up"
    BYE = "send BYE, report the end"
    BYE_UNHEARD = "send BYE"
    REPORT_PARTING = "report the answer to our BYE, if there is one"
    NOTHING = "it crossed the end on its way"


_P, _I, _A = Phase, Input, Act
_COMMANDS: Final = (
    _I.RING,
    _I.ANSWER,
    _I.ANSWER_EARLY,
    _I.REFUSE,
    _I.ABANDON,
    _I.OFFER,
    _I.ACCEPT,
    _I.REFUSE_OFFER,
    _I.HANG_UP,
)
_ENDINGS: Final = (_P.PARTING, _P.ABANDONED, _P.LEAVING, _P.OVER)
"""Where the call has hung up or been told the end: a command that was under way meanwhile means nothing any more."""

_SESSIONS: Final = (_P.CALLED, _P.WITHHOLDING, _P.ANSWERED, _P.CALLING, _P.UP)
"""Where the other side may offer something; before the leg is up, in an early dialog (RFC 3311)."""

TABLE: Final = Table(
    "leg",
    {
        **{(phase, command): Row(phase, _A.NOTHING) for phase in _ENDINGS for command in _COMMANDS},
        **{(phase, _I.ACCEPT): Row(phase, _A.ACCEPT) for phase in _SESSIONS},
        **{(phase, _I.REFUSE_OFFER): Row(phase, _A.REFUSE_REOFFER) for phase in _SESSIONS},
        (_P.NEW, _I.INVITE): Row(_P.CALLED, _A.TAKE_INVITE),
        (_P.NEW, _I.UNUSABLE): Row(_P.OVER, _A.TURN_AWAY),
        (_P.NEW, _I.DIAL): Row(_P.CALLING, _A.DIAL),
        (_P.NEW, _I.LAST_WORDS): Row(_P.OVER, _A.NOTHING),
        (_P.CALLED, _I.RING): Row(_P.CALLED, _A.RING),
        (_P.CALLED, _I.ANSWER): Row(_P.ANSWERED, _A.ANSWER),
        (_P.CALLED, _I.ANSWER_EARLY): Row(_P.WITHHOLDING, _A.WITHHOLD),
        (_P.CALLED, _I.OFFER): Row(_P.CALLED, _A.OFFER),
        (_P.CALLED, _I.UNPRACKED): Row(_P.OVER, _A.TIME_OUT),
        (_P.CALLED, _I.REFUSE): Row(_P.OVER, _A.REFUSE),
        (_P.CALLED, _I.HANG_UP): Row(_P.OVER, _A.DECLINE),
        (_P.CALLED, _I.CANCEL): Row(_P.OVER, _A.CANCELLED),
        (_P.CALLED, _I.BYE): Row(_P.OVER, _A.CANCELLED),
        (_P.CALLED, _I.LAST_WORDS): Row(_P.OVER, _A.FAIL),
        (_P.WITHHOLDING, _I.PRACKED): Row(_P.ANSWERED, _A.ANSWER_AT_LAST),
        (_P.WITHHOLDING, _I.UNPRACKED): Row(_P.OVER, _A.TIME_OUT),
        (_P.WITHHOLDING, _I.OFFER): Row(_P.WITHHOLDING, _A.REFUSE_OFFER),
        (_P.WITHHOLDING, _I.HANG_UP): Row(_P.OVER, _A.DECLINE),
        (_P.WITHHOLDING, _I.CANCEL): Row(_P.OVER, _A.CANCELLED),
        (_P.WITHHOLDING, _I.BYE): Row(_P.OVER, _A.CANCELLED),
        (_P.WITHHOLDING, _I.LAST_WORDS): Row(_P.OVER, _A.FAIL),
        (_P.ANSWERED, _I.CONFIRMED): Row(_P.UP, _A.REPORT_ANSWER),
        (_P.ANSWERED, _I.NO_SESSION): Row(_P.LEAVING, _A.BYE),
        (_P.ANSWERED, _I.UNACKNOWLEDGED): Row(_P.LEAVING, _A.BYE),
        (_P.ANSWERED, _I.BYE): Row(_P.OVER, _A.END),
        (_P.ANSWERED, _I.HANG_UP): Row(_P.PARTING, _A.NOTHING),
        (_P.ANSWERED, _I.OFFER): Row(_P.ANSWERED, _A.REFUSE_OFFER),
        (_P.ANSWERED, _I.LAST_WORDS): Row(_P.OVER, _A.BYE_UNHEARD),
        (_P.PARTING, _I.CONFIRMED): Row(_P.LEAVING, _A.BYE),
        (_P.PARTING, _I.NO_SESSION): Row(_P.LEAVING, _A.BYE),
        (_P.PARTING, _I.UNACKNOWLEDGED): Row(_P.LEAVING, _A.BYE),
        (_P.PARTING, _I.BYE): Row(_P.OVER, _A.END),
        (_P.PARTING, _I.LAST_WORDS): Row(_P.OVER, _A.BYE_UNHEARD),
        (_P.CALLING, _I.CONFIRMED): Row(_P.UP, _A.REPORT_ANSWER),
        (_P.CALLING, _I.REFUSED): Row(_P.OVER, _A.REPORT_REFUSAL),
        (_P.CALLING, _I.ABANDON): Row(_P.ABANDONED, _A.ABANDON),
        (_P.CALLING, _I.OFFER): Row(_P.CALLING, _A.OFFER),
        (_P.CALLING, _I.HANG_UP): Row(_P.ABANDONED, _A.ABANDON),
        (_P.CALLING, _I.NO_SESSION): Row(_P.LEAVING, _A.BYE),
        (_P.CALLING, _I.LAST_WORDS): Row(_P.OVER, _A.CANCEL),
        (_P.ABANDONED, _I.REFUSED): Row(_P.OVER, _A.NOTHING),
        (_P.ABANDONED, _I.LAST_WORDS): Row(_P.OVER, _A.NOTHING),
        (_P.UP, _I.OFFER): Row(_P.UP, _A.OFFER),
        (_P.UP, _I.REFUSE): Row(_P.UP, _A.REFUSE_REOFFER),
        # The INVITE was answered while the call gave it up: a hang-up.
        (_P.UP, _I.ABANDON): Row(_P.LEAVING, _A.BYE),
        (_P.UP, _I.HANG_UP): Row(_P.LEAVING, _A.BYE),
        (_P.UP, _I.BYE): Row(_P.OVER, _A.END),
        (_P.UP, _I.LOST): Row(_P.LEAVING, _A.BYE),
        (_P.UP, _I.EXPIRED): Row(_P.LEAVING, _A.BYE),
        (_P.UP, _I.UNACKNOWLEDGED): Row(_P.LEAVING, _A.BYE),
        (_P.UP, _I.LAST_WORDS): Row(_P.OVER, _A.BYE_UNHEARD),
        (_P.LEAVING, _I.BYE_DONE): Row(_P.OVER, _A.REPORT_PARTING),
        (_P.LEAVING, _I.LAST_WORDS): Row(_P.OVER, _A.NOTHING),
        (_P.OVER, _I.LAST_WORDS): Row(_P.OVER, _A.NOTHING),
    },
    wire=frozenset(
        {
            _I.INVITE,
            _I.UNUSABLE,
            _I.CANCEL,
            _I.BYE,
            _I.CONFIRMED,
            _I.REFUSED,
            _I.PRACKED,
            _I.UNPRACKED,
            _I.UNACKNOWLEDGED,
            _I.NO_SESSION,
            _I.LOST,
            _I.EXPIRED,
            _I.BYE_DONE,
        }
    ),
)
