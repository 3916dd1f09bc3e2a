"""From the nouns of a Dial to who is called: addresses, users, numbers, as whom, and what each cannot be called for.

A noun that cannot be called is a failed part of the dial, with its alert; the others are called all the same. Only what
this server cannot do at all is an error of the document (`CannotExecute`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs

from ..sip.uri import Uri
from .caller_id import Caller, for_client, for_number, for_sip
from .dial_house import House, in_order, is_public
from .dialling import dial_fault
from .errors import BadNumber, CannotExecute, TwimlError
from .nouns import Client, Header, Headers, Identity, Number, Parameter, Sip, SipUri
from .numbers import is_client_name, is_short, normalise, reads_as, refusal_code
from .outgoing_headers import HeaderItems, LeftOut, check, is_sendable, read
from .platform_names import Resident
from .sip_address import Address, parse_address
from .steps import Alert
from .support import NOT_SUPPORTED, uncarried_nouns
from .targets import PhoneNumber, Planned, RegisteredUser, SipAddress, Target, Unreachable, Way
from .verbs import Dial

CALL_REASON: Final = "X-Branded-CallReason"
"""Header of a trunk's INVITE that says why somebody is called."""


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
