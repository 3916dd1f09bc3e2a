"""What a call tells a leg (imperatives) and what a leg answers with (messages to send, and facts in the past tense).

Session descriptions are opaque bytes here: who reads them is the call's media, never the dialog. A leg ends with
exactly one `LegRefused` or `LegEnded`; commands that cross it on the way are ignored.
"""

import enum
from typing import TypeAlias

import attrs

from ..address import NameAddr
from ..headers import Headers
from ..message import Request
from ..transaction.events import Flow, SendRequest, SendResponse
from ..uri import Uri
from .config import HeaderItems

__all__ = [
    "Accept",
    "Answer",
    "Bye",
    "CancelInvite",
    "Cause",
    "Credentials",
    "Flow",
    "Invite",
    "LegAnswered",
    "LegCommand",
    "LegEnded",
    "LegFact",
    "LegOfferAnswered",
    "LegOfferRefused",
    "LegOffered",
    "LegOutput",
    "LegProgressed",
    "LegRefreshed",
    "LegRefused",
    "LegReofferWithdrawn",
    "LegReoffered",
    "LegTrying",
    "Offer",
    "Refuse",
    "RefuseOffer",
    "Ring",
    "SendRequest",
    "SendResponse",
]


# ---- call to leg --------------------------------------------------------------------------------------------------


@attrs.frozen
class Ring:
    """Answer the INVITE provisionally; repeated by the leg once a minute so that no proxy gives up (13.3.1.1).

    Sent reliably (RFC 3262) when the caller asks for that and `LegConfig.reliability` goes along. One that is not
    acknowledged for 64*T1 ends the leg.
    """

    status: int = 180
    """101 to 199."""

    body: bytes | None = None
    """Early media; None: no session yet. The answer, which the 2xx will repeat, unless the response is reliable: then
    it is settled by this, and further ones are left out. Then, too, it may be our offer to an INVITE that brought none;
    the PRACK brings the answer, which is reported as `LegOfferAnswered`."""

    headers: HeaderItems = ()


@attrs.frozen
class Answer:
    """Accept the INVITE with 200; the leg repeats it until the ACK, which is reported as `LegAnswered`.

    It waits for the PRACK of a reliable `Ring` with a description.
    """

    body: bytes
    """The answer to the INVITE's offer, or the offer when the INVITE brought none. Left out after a reliable `Ring`
    with a description, as that has settled the session (RFC 6337 3.1.1)."""

    headers: HeaderItems = ()


@attrs.frozen
class Refuse:
    """Refuse the INVITE, which ends the leg; once the leg is up, refuse a `LegReoffered`, which changes nothing."""

    status: int
    """300 to 699."""

    reason: str | None = None
    """Reason phrase; None: the usual one."""

    headers: HeaderItems = ()


@attrs.frozen
class RefuseOffer:
    """Refuse a `LegReoffered`, be the leg up or not yet; the session stays as it was."""

    status: int = 488
    """300 to 699."""

    reason: str | None = None
    """Reason phrase; None: the usual one."""

    headers: HeaderItems = ()


@attrs.frozen
class Credentials:
    """What a 401 or 407 is answered with."""

    username: str
    password: str = attrs.field(repr=False)


@attrs.frozen
class Invite:
    """Call `target`. The first command of a leg that was made by `Leg.calling`."""

    target: Uri
    """Request-URI, and remote target until the callee names its own."""

    from_: NameAddr
    """Who calls; the leg adds its tag."""

    body: bytes | None
    """The offer; None: an INVITE without one, whose 2xx then brings the offer."""

    to: NameAddr | None = None
    """To header; None: the target."""

    headers: HeaderItems = ()
    auth: Credentials | None = None
    via: Flow | None = None
    """The callee's own connection, kept from its registration; None: routed by `target`."""

    routes: tuple[NameAddr, ...] = ()
    """Preset route set (8.1.2), such as an outbound proxy or a Path."""

    hop: Uri | None = None
    """Where it is sent when there is neither `via` nor a route; None: to where `target` says."""


@attrs.frozen
class CancelInvite:
    """Give the INVITE up. `LegEnded` comes at once; the leg finishes the exchange, and an answer in flight with it."""

    reason: str | None = None
    """Value of a Reason header (RFC 3326)."""

    unheard: bool = False
    """Nothing has come back for so long that nobody is taken to be there: the INVITE is repeated no more. What comes
    all the same is cancelled, or acknowledged and hung up, as ever. Else the INVITE goes on to be repeated, so that a
    callee whose 180 was lost tells us that there is something to cancel (9.1)."""


@attrs.frozen
class Offer:
    """Change the session. Ends in `LegOfferAnswered` or `LegOfferRefused`.

    A re-INVITE once the leg is up. Before, an UPDATE (RFC 3311), which needs a session that was settled by a reliable
    provisional response, and another side that takes UPDATE; without them it is refused at once.
    """

    body: bytes
    headers: HeaderItems = ()
    update: bool = False
    """By UPDATE although the leg is up, if the other side takes it: quicker, but nobody there is asked."""

    tag: str | None = None
    """Which of the callee's forks, before it has answered (`LegProgressed.tag`); None: the only one."""


@attrs.frozen
class Accept:
    """Answer what the other side offered: a `LegReoffered`, or a `LegProgressed` or `LegAnswered` that needs it."""

    body: bytes
    """The answer; for a `LegReoffered` without a body, our offer."""

    headers: HeaderItems = ()
    tag: str | None = None
    """Of the `LegProgressed` that is answered; None: the only one."""


@attrs.frozen
class Bye:
    """End the leg in whatever way its state asks for: BYE, CANCEL, or 480 to an INVITE that still rings.

    An answer that is not acknowledged yet delays the BYE until it is, 32 s at most (RFC 3261 section 15).
    """

    reason: str | None = None
    """Value of a Reason header (RFC 3326)."""

    headers: HeaderItems = ()


LegCommand: TypeAlias = Ring | Answer | Refuse | Invite | CancelInvite | Offer | Accept | RefuseOffer | Bye


# ---- leg to call --------------------------------------------------------------------------------------------------


class Cause(enum.Enum):
    """Why a leg ended."""

    HUNG_UP = "hung up"
    """The other side sent BYE."""

    LOCAL = "local"
    """The call asked for it by `Bye`."""

    CANCELLED = "cancelled"
    """Before any answer: by the caller's CANCEL or BYE, or by our `CancelInvite` or `Bye`."""

    REFUSED = "refused"
    """The call refused the INVITE."""

    NO_ACK = "no ack"
    """Our 2xx stayed unacknowledged for 64*T1; a BYE went out."""

    NO_PRACK = "no prack"
    """A reliable provisional response stayed unacknowledged for 64*T1; the INVITE was refused with 504."""

    LOST = "lost"
    """The other side no longer knows the dialog, or does not answer in it (12.2.1.2); a BYE went out."""

    EXPIRED = "expired"
    """The session was not refreshed within its interval (RFC 4028); a BYE went out."""

    NO_SESSION = "no session"
    """The exchange ended without the answer it owed to an offer; a BYE went out."""


@attrs.frozen
class LegOffered:
    """An INVITE came in. `Ring`, `Answer` or `Refuse` it."""

    request: Request
    body: bytes | None
    """The offer; None: it brought none, and `Answer` carries ours."""


@attrs.frozen
class LegTrying:
    """A 100 to our INVITE: the next hop has it and works on it."""


@attrs.frozen
class LegProgressed:
    """The callee answered provisionally, 101 to 199."""

    status: int
    reason: str
    body: bytes | None
    """Early media; None: no session description in it, or none that counts after an earlier one."""

    headers: Headers
    tag: str | None
    """Which of the callee's forks it comes from; None: no early dialog."""

    needs_answer: bool = False
    """`body` is an offer (our INVITE had none, and the response is reliable): the PRACK waits for `Accept`."""


@attrs.frozen
class LegAnswered:
    """The session is up: the callee's 2xx came, or the caller acknowledged ours."""

    body: bytes | None
    """Called leg: the answer from the ACK, None when the INVITE had brought the offer or all was settled early.
    Calling leg: the 2xx's body, or what was settled early."""

    headers: Headers
    """Of the 2xx or of the ACK."""

    needs_answer: bool = False
    """`body` is an offer (our INVITE had none): the ACK waits for `Accept`."""

    early: bool = False
    """The session was settled by reliable provisional responses: `body` is nothing new."""

    local: bytes | None = None
    """With `early`: our own description in that session. Of several forks that have settled one, the one that answered
    counts."""


@attrs.frozen
class LegRefused:
    """Our INVITE failed. The leg is over."""

    status: int
    """300 to 699; 408 and 503 also stand for silence and for an unreachable hop."""

    reason: str
    headers: Headers
    contacts: tuple[NameAddr, ...]
    """Where a 3xx points to, best first; else empty."""

    local: bool
    """No such response came: we concluded it ourselves."""


@attrs.frozen
class LegReoffered:
    """The other side wants to change the session, maybe before the leg is up. `Accept` or `RefuseOffer` it, soon."""

    request: Request
    """INVITE, UPDATE or PRACK. The From tag of what a callee sends tells which fork it comes from."""

    body: bytes | None
    """The offer; None: it asks for ours, which `Accept` carries."""


@attrs.frozen
class LegReofferWithdrawn:
    """The `LegReoffered` was cancelled, or its fork lost, before we answered; the session stays as it was."""


@attrs.frozen
class LegOfferAnswered:
    """The answer to our `Offer`, or to the offer that an `Accept` or a reliable `Ring` carried."""

    body: bytes
    headers: Headers


@attrs.frozen
class LegRefreshed:
    """The session was refreshed by a re-INVITE of the leg's own, and the other side has used that to change its part.

    Most refreshes change nothing, and are not reported.
    """

    offer: bytes
    """Ours: what was agreed last."""

    answer: bytes
    headers: Headers


@attrs.frozen
class LegOfferRefused:
    """Our `Offer` came to nothing; the session stays as it was."""

    status: int
    """491 with `local` when it crossed an exchange that was already under way."""

    reason: str
    local: bool


@attrs.frozen
class LegEnded:
    """The leg is over."""

    cause: Cause
    headers: Headers
    """Of the BYE or CANCEL that ended it; empty when we did."""


@attrs.frozen
class LegParted:
    """The other side has answered our BYE; comes after `LegEnded`, or never."""

    headers: Headers


LegFact: TypeAlias = (
    LegOffered
    | LegTrying
    | LegProgressed
    | LegAnswered
    | LegRefused
    | LegReoffered
    | LegReofferWithdrawn
    | LegOfferAnswered
    | LegOfferRefused
    | LegRefreshed
    | LegEnded
    | LegParted
)
LegOutput: TypeAlias = SendRequest | SendResponse | LegFact
