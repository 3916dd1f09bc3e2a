"""What one REGISTER asks for (RFC 3261 10.3, RFC 3327, RFC 5626): its wishes within bounds, or why it is refused."""

from __future__ import annotations

import math
from typing import Final

import attrs

from .address import NameAddr
from .errors import BadHeader, SipError, UnsupportedScheme
from .grammar import parse_digits
from .message import Request
from .uri import Uri, escape_user

SUPPORTED: Final = ("path", "outbound")
"""Option tags that a REGISTER may require."""
REG_ID_MAX: Final = 2**31 - 1  # RFC 5626 section 4.2
HOUR_S: Final = 3600
AGENT_LENGTH: Final = 128


def _positive(instance: object, attribute: attrs.Attribute[int], value: int) -> None:
    if value < 1:
        raise ValueError(f"{attribute.name} is {value}, but must be at least 1")


@attrs.frozen
class Bounds:
    """What a registrar grants at most, and at least."""

    min_expires: int = attrs.field(default=600, validator=_positive)
    """Seconds; what is shorter gets 423. At most an hour, as nothing longer may be called too brief (10.3 step 7)."""
    max_expires: int = attrs.field(default=3600, validator=_positive)
    """Seconds; what is longer is cut to this, and who names no time gets this."""
    bindings_per_aor: int = attrs.field(default=10, validator=_positive)
    registers_per_second: int = attrs.field(default=5, validator=_positive)
    """For one address of record."""
    contact_length: int = attrs.field(default=1024, validator=_positive)
    """Characters of one Contact: each 200 repeats all of them."""
    path_length: int = attrs.field(default=2048, validator=_positive)
    """Characters of all Paths of one REGISTER."""

    def __attrs_post_init__(self) -> None:
        if self.min_expires > min(self.max_expires, HOUR_S):
            raise ValueError(f"min_expires is {self.min_expires}, above max_expires or an hour")


class RegistrationRefused(SipError):
    """A well-formed REGISTER that cannot be granted; nothing of it is."""

    headers: tuple[tuple[str, str], ...] = ()
    """Of the answer."""


class TooBrief(RegistrationRefused):
    """A binding is wanted for too short a time (10.3 step 7)."""

    status = 423

    def __init__(self, asked: int, minimum: int) -> None:
        super().__init__(f"{asked} s asked for, at least {minimum} s are granted")
        self.headers = (("Min-Expires", str(minimum)),)


class OutOfOrder(RegistrationRefused):
    """A later REGISTER of the same Call-ID has been carried out already (10.3 steps 6 and 7)."""

    def __init__(self, call_id: str, number: int, latest: int) -> None:
        super().__init__(f"CSeq {number} of {call_id} comes after {latest}")
        self.reason = "CSeq out of order"


class TooManyBindings(RegistrationRefused):
    """The address of record would have more bindings than it may have."""

    status = 403

    def __init__(self, aor: str, most: int) -> None:
        super().__init__(f"{aor} may have {most} bindings")
        self.reason = "Too many bindings"


class TooManyRegisters(RegistrationRefused):
    """REGISTERs for the address of record come too fast."""

    status = 503

    def __init__(self, aor: str, most: int, wait_s: float) -> None:
        super().__init__(f"{aor} may register {most} times a second")
        self.headers = (("Retry-After", str(max(1, math.ceil(wait_s)))),)


class FirstHopLacksOutbound(RegistrationRefused):
    """The phone wants a flow of its own, but the first proxy on its way cannot keep one (RFC 5626 section 6)."""

    status = 439

    def __init__(self) -> None:
        super().__init__("the first hop is no edge proxy for outbound")


@attrs.frozen
class Wish:
    """One Contact of a REGISTER."""

    contact: NameAddr
    """As sent, without its expires parameter."""
    expires: int
    """Seconds to grant; 0 unbinds."""
    q: float
    """Preference, 0 to 1; 1 when none is named."""
    instance: str | None
    """The device (RFC 5626): its bindings are told apart by `reg_id`, not by their URIs. None: none is named."""
    reg_id: int | None
    """Which flow of the device; None without one, and without an instance."""


@attrs.frozen
class Wishes:
    """A REGISTER, read."""

    call_id: str
    cseq: int
    everything: bool
    """`Contact: *`: all bindings are to go."""
    wishes: tuple[Wish, ...]
    """Empty, and `everything` unset: only a question."""
    path: tuple[NameAddr, ...]
    """Proxies that requests to the contacts must visit (RFC 3327)."""
    direct: bool
    """The phone itself is at the other end of the flow: no proxy stands between."""
    outbound: bool
    """Whether a flow in the sense of RFC 5626 is kept, and the answer has to say so."""
    agent: str | None
    """User-Agent, cut to a length for lists."""


def read_wishes(request: Request, bounds: Bounds) -> Wishes:
    """What a REGISTER that passed `validate_request` asks for. Raises SipError when it may not ask for that."""
    contacts, path = request.contacts, request.paths
    if sum(len(line) for line in request.headers.all("path")) > bounds.path_length:
        raise _too_long("Path")
    everything = bool(contacts) and contacts[0].is_star
    if everything and request.expires != 0:
        raise BadHeader("Contact", "*")  # 10.3 step 6
    wishes = () if everything else tuple(_wish(contact, request.expires, bounds) for contact in contacts)
    direct = len(request.vias) == 1 and not path
    return Wishes(
        request.call_id,
        request.cseq.number,
        everything,
        wishes,
        path,
        direct,
        _wants_outbound(request, wishes, path, direct),
        (request.headers.get("User-Agent") or "")[:AGENT_LENGTH] or None,
    )


def _wish(contact: NameAddr, header_expires: int | None, bounds: Bounds) -> Wish:
    if not contact.uri.is_sip:
        raise UnsupportedScheme(f"a call cannot be sent to {contact.uri}")
    instance, reg_id = _device(contact)
    asked = contact.expires
    if asked is None:
        asked = header_expires
    if asked is None:
        asked = bounds.max_expires
    if 0 < asked < bounds.min_expires:
        raise TooBrief(asked, bounds.min_expires)
    q = contact.q
    kept = contact
    if "expires" in contact.params:
        kept = attrs.evolve(contact, params=contact.params.without("expires"))
    if len(str(kept)) > bounds.contact_length:
        raise _too_long("Contact")
    return Wish(kept, min(asked, bounds.max_expires), 1.0 if q is None else q, instance, reg_id)


def _device(contact: NameAddr) -> tuple[str | None, int | None]:
    """The +sip.instance and reg-id of a Contact; a reg-id without an instance says nothing (RFC 5626 section 6)."""
    instance = contact.params.get("+sip.instance")
    if not instance:
        return None, None
    if instance.lower().startswith("<urn:uuid:"):
        instance = instance.lower()  # RFC 4122 section 3: case makes no difference in a UUID
    text = contact.params.get("reg-id")
    if text is None:
        return instance, None
    number = parse_digits(text, REG_ID_MAX)
    if not number:
        raise BadHeader("Contact", str(contact))
    return instance, number


def _wants_outbound(request: Request, wishes: tuple[Wish, ...], path: tuple[NameAddr, ...], direct: bool) -> bool:
    flows = [wish for wish in wishes if wish.reg_id is not None and wish.expires]
    if len(flows) > 1:
        raise BadHeader("Contact", "more than one reg-id")  # one request, one flow
    if not flows or not {"outbound"} & {tag.lower() for tag in (*request.supported, *request.require)}:
        return False
    # Each proxy puts its Path on top, so the last one is of the first hop.
    if not direct and (not path or path[-1].uri.param("ob") is None):
        raise FirstHopLacksOutbound
    return True


def _too_long(name: str) -> BadHeader:
    error = BadHeader(name, "…")
    error.reason = f"{name} too long"
    return error


def aor_of(user: str, domain: str) -> str:
    """The canonical address of record of a user (plain text, escapes undone) of a domain (10.3 step 5)."""
    return f"sip:{escape_user(user)}@{domain.lower()}"


def aor_of_uri(uri: Uri, domain: str) -> str | None:
    """The address of record that a URI means, whose host stands for `domain`; None when it names no user."""
    user = uri.user_text if uri.is_sip else None
    return aor_of(user, domain) if user else None
