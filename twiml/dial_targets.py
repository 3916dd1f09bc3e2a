"""From the nouns of a Dial to who is called: addresses, users, numbers, as whom, and what each cannot be called for.

A noun that cannot be called is a failed part of the dial, with its alert; the others are called all the same. Only what
this server cannot do at all is an error of the document (`CannotExecute`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Final, TypeVar

import attrs

from ..sip.uri import Uri
from .caller_id import BadCallerId, Caller, CallerId, for_client, for_number, for_sip
from .dialling import dial_fault
from .errors import BadNumber, CannotExecute, TwimlError
from .nouns import Client, Header, Headers, Identity, Number, Parameter, Sip, SipUri
from .numbers import is_client_name, is_short, normalise, reads_as, refusal_code
from .outgoing_headers import HeaderItems, LeftOut, check, is_sendable, read
from .platform_names import PlatformNames, Resident
from .sip_address import Address, parse_address
from .steps import Alert
from .support import NOT_SUPPORTED, uncarried_nouns
from .targets import PhoneNumber, Planned, RegisteredUser, SipAddress, Target, Unreachable, Way
from .verbs import Dial

N = TypeVar("N")

Network = IPv4Network | IPv6Network
ANYWHERE: Final = (IPv4Network("0.0.0.0/0"), IPv6Network("::/0"))
CALL_REASON: Final = "X-Branded-CallReason"
"""Header of a trunk's INVITE that says why somebody is called."""


@attrs.frozen(kw_only=True)
class TrunkFacts:
    """What is known of the trunk that would take a number."""

    caller_id: str | None = None
    """The number it is known by."""


def _no_trunk(number: str) -> TrunkFacts | None:
    return None


def _first(total: int) -> int:
    return 0


@attrs.frozen(kw_only=True)
class House:
    """What a dial has to know about the server."""

    names: PlatformNames
    numbers: Set[str] = frozenset()
    """Telephone numbers that the account owns or has verified, in E.164."""
    trunk_of: Callable[[str], TrunkFacts | None] = _no_trunk
    """The trunk that takes a number; `None`: nobody may dial it."""
    networks: Sequence[Network] = ANYWHERE
    """Where SIP requests may be sent, as far as an address says it; names are looked at when they are resolved."""
    tls: bool = False
    """Whether TLS and SRTP are carried out."""
    header_prefix: str = ""
    """Of the headers that the house itself sends."""
    draw: Callable[[int], int] = _first
    """A number below `total`, by chance: shares the load among the `Uri`s of a `Sip`."""


@attrs.frozen(kw_only=True)
class Plan:
    """One entry for each noun, in order, and what the account should know about them."""

    targets: tuple[Planned, ...]
    alerts: tuple[Alert, ...] = ()


class _Refused(TwimlError):
    """A noun cannot be called."""


class _Reported(_Refused):
    """The same, and the parser has said so."""


def plan(dial: Dial, caller: Caller, house: House, domain: str | None = None) -> Plan:
    """Who `dial` calls, for a call that came to the domain of that NAME. Raises `CannotExecute`."""
    missing = uncarried_nouns(dial)
    if missing:
        raise CannotExecute(f"Dial with {missing} is not supported")
    code, detail = dial_fault(dial)
    if dial.fault is not None or code is not None:
        fault = dial.fault if dial.fault is not None else code or NOT_SUPPORTED
        alerts = () if dial.fault is not None else (Alert(code=fault, detail=detail, verb="Dial"),)
        return Plan(targets=tuple(Unreachable(code=fault, detail=detail) for _ in dial.nouns), alerts=alerts)
    planner = _Planner(dial, caller, house, domain)
    targets = tuple(planner.one(noun) for noun in dial.nouns)
    return Plan(targets=targets, alerts=tuple(planner.alerts))


def in_order(uris: Sequence[SipUri], draw: Callable[[int], int] = _first) -> tuple[SipUri, ...]:
    """By priority, the lower first; by chance and weight among equals, as SRV records are (RFC 2782).

    Without weights the order of the document stays.
    """
    ordered: list[SipUri] = []
    for priority in sorted({uri.priority or 0 for uri in uris}):
        left = [uri for uri in uris if (uri.priority or 0) == priority]
        while left:
            total = sum(uri.weight or 0 for uri in left)
            chosen, at = left[0], draw(total) if total else -1
            for uri in left:
                if at < 0:
                    break
                chosen, at = uri, at - (uri.weight or 0)
            left.remove(chosen)
            ordered.append(chosen)
    return tuple(ordered)


@attrs.define(eq=False)
class _Planner:
    """The planning of one dial."""

    dial: Dial
    caller: Caller
    house: House
    domain: str | None
    alerts: list[Alert] = attrs.field(factory=list)
    _interconnects: int = 0

    def one(self, noun: object) -> Planned:
        try:
            match noun:
                case Number():
                    return self._number(noun)
                case Sip():
                    return self._sip(noun)
                case Client():
                    return self._client(noun)
                case _:
                    raise CannotExecute(f"Dial with {type(noun).__name__} is not supported")
        except _Reported as error:
            return Unreachable(code=error.code, detail=error.message)
        except CannotExecute:
            raise
        except TwimlError as error:
            self._alert(error.code, error.message, type(noun).__name__)
            return Unreachable(code=error.code, detail=error.message)

    # ---- numbers -----------------------------------------------------------------------------------------------------

    def _number(self, noun: Number) -> Target:
        _check_fault(noun.fault, "Number")
        try:
            number = normalise(noun.number)
        except BadNumber:
            if not is_short(noun.number):
                raise
            number = noun.number
        trunk = self.house.trunk_of(number)
        if trunk is None:
            raise _Refused(f"{number} cannot be called: no trunk takes it", code=refusal_code(number))
        return Target(
            noun=noun,
            to=number,
            caller=for_number(self.dial.caller_id, self.caller, self.house.numbers, trunk.caller_id),
            ways=(PhoneNumber(number=number, headers=self._call_reason()),),
        )

    def _call_reason(self) -> HeaderItems:
        reason = self.dial.call_reason
        if not reason:
            return ()
        if not is_sendable(reason):
            self._alert(32112, "callReason holds control characters, and is left out", "Dial")
            return ()
        return ((CALL_REASON, reason),)

    # ---- SIP addresses -----------------------------------------------------------------------------------------------

    def _sip(self, noun: Sip) -> Target:
        _check_fault(noun.fault, "Sip")
        uris = in_order([child for child in noun.children if isinstance(child, SipUri)], self.house.draw)
        named = [
            *([(noun.uri, noun.username, noun.password)] if noun.uri else []),
            *((uri.uri, uri.username or noun.username, uri.password or noun.password) for uri in uris),
        ]
        if not named:
            raise _Refused("Sip needs a SIP URI, such as sip:ann@example.com", code=13243)
        headers = self._element_headers(noun)
        ways, refusals = [], []
        reads: str | None = None
        for text, username, password in named:
            try:
                _check_credentials(username, password)
                address = parse_address(text, self.house.header_prefix)
                self._left_out(address.left_out, "Sip")
                ways.append(self._way(address, username, password))
                reads = reads or reads_as(address.uri)
            except _Reported:
                raise
            except CannotExecute:
                raise
            except TwimlError as error:
                refusals.append(error)
        if not ways:
            raise refusals[0]
        for refusal in refusals:  # one of several: the others may do
            self._alert(refusal.code, refusal.message, "Sip")
        return Target(
            noun=noun,
            to=reads or "",
            caller=for_sip(self.dial.caller_id, self.caller),
            ways=tuple(ways),
            headers=headers,
        )

    def _way(self, address: Address, username: str | None, password: str | None) -> Way:
        uri = address.uri
        if (address.transport == "tls" or address.secure) and not self.house.tls:
            raise CannotExecute("Dial over TLS (transport=tls, secure=true or sips) is not supported")
        resident = self.house.names.resident(uri.user_text, uri.host)
        if resident is not None:
            return self._registered(resident, address.headers, secure=address.secure)
        if address.tnx is not None:
            self._interconnects += 1
            if self._interconnects > 1:
                raise _Refused("only one Sip of a Dial may name an interconnect (tnx)", code=32303)
            raise _Refused(f"there is no interconnect {address.tnx[:40]!r}", code=32302)
        if not is_public(uri.host, self.house.networks):
            raise _Refused(f"{uri.host} may not be called", code=13254)
        return SipAddress(
            uri=uri,
            transport=address.transport,
            secure=address.secure,
            headers=address.headers,
            username=username,
            password=password,
        )

    def _registered(self, resident: Resident, headers: HeaderItems = (), *, secure: bool = False) -> RegisteredUser:
        return RegisteredUser(
            user=resident.user,
            domain=resident.domain,
            uri=Uri.of(resident.user, self.house.names.full(resident.domain)),
            headers=headers,
            secure=secure,
            absent=resident.absent,
        )

    def _element_headers(self, noun: Sip) -> HeaderItems:
        groups = [child for child in noun.children if isinstance(child, Headers)]
        for group in groups:
            _check_fault(group.fault, "Headers")
        items = [(header.name, header.value) for group in groups for header in group.headers if _usable(header)]
        headers, left_out = read(items, self.house.header_prefix)
        self._left_out(left_out, "Header")
        return headers

    # ---- clients -----------------------------------------------------------------------------------------------------

    def _client(self, noun: Client) -> Target:
        _check_fault(noun.fault, "Client")
        name = noun.identity or next((child.identity for child in noun.children if isinstance(child, Identity)), "")
        if not is_client_name(name):
            raise _Refused("Client needs an identity of 1 to 256 plain characters", code=31105)
        caller = for_client(self.dial.caller_id, self.caller)
        domain = self._home()
        if domain is None:
            raise _Refused(f"client:{name} is at no domain: the call came to none, and there is no default", code=32009)
        headers: list[tuple[str, str]] = []
        for child in noun.children:
            if isinstance(child, Parameter) and child.fault is None:
                checked = check(_parameter_header(child.name), child.value, self.house.header_prefix)
                if isinstance(checked, LeftOut):
                    self._left_out((checked,), "Parameter")
                else:
                    headers.append(checked)
        return Target(
            noun=noun,
            to=f"client:{name}",
            caller=caller,
            ways=(self._registered(Resident(user=name, domain=domain, absent=32009)),),
            headers=tuple(headers),
        )

    def _home(self) -> str | None:
        """NAME of the domain whose users are clients: that of the call, else the default."""
        for name in (self.domain, self.house.names.default_domain):
            if name and name in self.house.names.domains:
                return name
        return None

    # ---- alerts ------------------------------------------------------------------------------------------------------

    def _left_out(self, items: Sequence[LeftOut], verb: str) -> None:
        for item in items:
            self._alert(item.code, item.detail, verb)

    def _alert(self, code: int, detail: str, verb: str) -> None:
        self.alerts.append(Alert(code=code, detail=detail, verb=verb))


def is_public(host: str, networks: Sequence[Network]) -> bool:
    """Whether requests may be sent to a host; a name is looked at again when it has been resolved."""
    try:
        address = ip_address(host)
    except ValueError:
        return True
    mapped = getattr(address, "ipv4_mapped", None) or address
    return any(mapped.version == network.version and mapped in network for network in networks)


def _parameter_header(name: str) -> str:
    """The header that carries a client's parameter."""
    return name if name.lower().startswith("x-") else f"X-{name}"


def _usable(header: Header) -> bool:
    return header.fault is None


def _check_fault(fault: int | None, what: str) -> None:
    if fault is not None:
        raise _Reported(f"{what} cannot be called as it is written", code=fault)


def _check_credentials(username: str | None, password: str | None) -> None:
    if any(text is not None and not is_sendable(text) for text in (username, password)):
        raise _Refused("username and password must not hold control characters", code=13249)


__all__ = ["ANYWHERE", "BadCallerId", "CallerId", "House", "Plan", "TrunkFacts", "in_order", "is_public", "plan"]
