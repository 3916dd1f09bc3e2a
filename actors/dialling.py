"""Where a dialled party is: registered phones, foreign addresses, gateways of trunks. Shared by all calls that dial."""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Final, TypeAlias, assert_never

import attrs
import structlog

from ..sip.address import NameAddr
from ..sip.bindings import Binding
from ..sip.dialog.events import Credentials
from ..sip.registration import aor_of
from ..sip.routing import hop_of
from ..sip.trunks import NoRoute, Trunk, Trunks
from ..sip.trunks import Why as NoWay
from ..sip.uri import Uri
from ..transport.flow import Flow
from ..twiml.dial_house import House, TrunkFacts
from ..twiml.forking_steps import Contact
from ..twiml.redirection import RedirectRules
from ..twiml.targets import PhoneNumber, RegisteredUser, SipAddress, Target
from .mailbox import ActorGone, NoReply, Ref
from .messages.registrar import Locate, Located, RegistrarMessage
from .registrar import flow_of

LOCATED_WITHIN_S: Final = 2.0

NOT_ALLOWED: Final = 13224
"""A number that no trunk takes: nothing is sent."""
NO_ROOM: Final = 32011
"""The trunk that would take it cannot now."""

_NUMBER: Final = re.compile(r"[-0-9+*#().,_ ]+")
"""What a gateway may take for a number to dial, in whatever way it reads it."""

log = structlog.get_logger(__name__)


@attrs.frozen(kw_only=True)
class Path:
    """What reaching a contact takes beside its URI; rides on the core's contacts as `way`."""

    hop: Uri
    to: NameAddr
    host: str
    """Of our From header."""
    headers: tuple[tuple[str, str], ...] = ()
    auth: Credentials | None = None
    flow: Flow | None = None
    routes: tuple[NameAddr, ...] = ()
    trunk: str | None = None
    registered: bool = False
    secure: bool = False
    """Whether the media must be encrypted."""


@attrs.frozen
class Nowhere:
    """The party cannot be reached; nothing is sent."""

    code: int
    detail: str
    sip_status: int | None = None


Branches: TypeAlias = tuple[tuple[Contact, ...], ...]
"""Branches ring at once, the contacts of one branch after one another."""


@attrs.define(eq=False)
class Dialling:
    """One for the process."""

    house: House
    rules: RedirectRules
    trunks: Trunks
    registrar: Ref[RegistrarMessage]

    async def find(self, target: Target, now: float) -> Branches | Nowhere:
        """The contacts of a party. A call by a trunk counts as one of the trunk's from here on: see `release`."""
        branch: list[Contact] = []
        for way in target.ways:
            headers = (*target.headers, *way.headers)
            match way:
                case SipAddress():
                    branch.append(self._foreign(way, headers))
                case RegisteredUser():
                    return await self._registered(way, headers)
                case PhoneNumber():
                    return self._by_trunk(way.number, headers, now)
                case _:
                    assert_never(way)
        return (tuple(branch),)

    def release(self, branches: Branches) -> None:
        """The call that was found these ways is over."""
        for name in {path_of(contact).trunk for branch in branches for contact in branch}:
            if name is not None:
                self.trunks.release(name)

    def redirected(self, path: Path, uri: Uri) -> Path:
        """The way to where a 3xx points.

        The password goes along to where it was meant for, and to the other gateways of its trunk: whoever may
        challenge us can guess at it.
        """
        host = hop_of(uri).host
        trunks = self.trunks.at(host) if path.trunk is not None else ()
        known = host == hop_of(path.hop).host or path.trunk in [trunk.name for trunk in trunks]
        return attrs.evolve(path, hop=uri, flow=None, routes=(), auth=path.auth if known else None)

    def objection(self, path: Path, uri: Uri) -> str | None:
        """What there is against following a 3xx of the leg on `path` to `uri`; None: nothing.

        At a trunk's gateway somebody else would choose what is called at our expense, as many take whatever comes from
        our address: so no leg of another kind is sent there, and one of that trunk only to numbers that it takes.
        """
        trunks = self.trunks.at(hop_of(uri).host)
        if not trunks:
            return None
        # As it stands: a gateway may read a number without its plus, or with 00, in a way of its own.
        taken = self.trunks.trunks_of((uri.user_text or "").partition(";")[0])
        if any(trunk.name == path.trunk and trunk in taken for trunk in trunks):
            return None
        return f"{uri.user_text or 'nobody'} may not be called at {uri.host}, a gateway of ours"

    def _foreign(self, way: SipAddress, headers: tuple[tuple[str, str], ...]) -> Contact:
        auth = Credentials(way.username, way.password or "") if way.username is not None else None
        path = Path(
            hop=way.hop,
            to=NameAddr(way.uri),
            host=self.house.names.suffix,
            headers=headers,
            auth=auth,
            secure=way.secure,
        )
        return Contact(uri=way.uri, way=path)

    async def _registered(self, way: RegisteredUser, headers: tuple[tuple[str, str], ...]) -> Branches | Nowhere:
        host = self.house.names.full(way.domain)
        aor = aor_of(way.user, host)
        try:
            located: Located = await self.registrar.ask(lambda reply: Locate(aor, reply), LOCATED_WITHIN_S)
        except (ActorGone, NoReply) as error:
            return Nowhere(12400, str(error), 480)
        if not located.contacts:
            return Nowhere(way.absent, f"{way.user} is not registered with {way.domain}", 480)
        phones = [binding for binding in located.contacts if not self._leads_to_a_number(binding, way.user)]
        if not phones:
            return Nowhere(NOT_ALLOWED, f"{way.user} is registered at a number that a gateway might dial")
        bindings = [binding for binding in phones if binding.secure or not way.secure]
        if not bindings:
            return Nowhere(32209, f"no phone of {way.user} is registered over TLS", 480)
        # Flows of one device stand in for one another: it must not ring twice (RFC 5626 section 5.3).
        devices: dict[Hashable, list[Contact]] = {}
        for binding in bindings:
            path = Path(
                hop=binding.target,
                to=NameAddr(way.uri),
                host=host,
                headers=headers,
                flow=flow_of(binding),
                routes=() if flow_of(binding) is not None else tuple(binding.path),
                registered=True,
                secure=way.secure,
            )
            contact = Contact(uri=binding.target, way=path)
            devices.setdefault(binding.instance or binding, []).append(contact)
        return tuple(map(tuple, devices.values()))

    def _leads_to_a_number(self, binding: Binding, user: str) -> bool:
        """Whether a phone has registered what a gateway of ours may take for a number to call at our expense.

        Gateways take calls from our address, and with `Path`, or as if through a proxy, a stolen password could have
        them sent anywhere; behind a proxy a gateway may also hide under another name. A phone's own name is no such
        number: the house has given it.
        """
        called = (binding.target.user_text or "").partition(";")[0]
        if not len(self.trunks) or called == user or _NUMBER.fullmatch(called) is None:
            return False
        flow = flow_of(binding)
        leads = flow is None or any(self.trunks.at(host) for host in (flow.remote[0], hop_of(binding.target).host))
        if leads:
            log.warning("contact left out: a gateway might dial it", aor=binding.aor, contact=binding.uri_text)
        return leads

    def _by_trunk(self, number: str, headers: tuple[tuple[str, str], ...], now: float) -> Branches | Nowhere:
        route = self.trunks.route(number, now)
        if isinstance(route, NoRoute):
            if route.why is NoWay.NOT_ALLOWED:
                return Nowhere(NOT_ALLOWED, f"no trunk takes {number}")
            return Nowhere(NO_ROOM, f"{number} cannot be called now: {route.why.value}", 503)
        return (tuple(self._gateway(route.trunk, gateway, number, headers) for gateway in route.gateways),)

    def _gateway(self, trunk: Trunk, gateway: Uri, number: str, headers: tuple[tuple[str, str], ...]) -> Contact:
        called = Uri.of(number, gateway.host, gateway.port)
        auth = Credentials(trunk.username, trunk.password or "") if trunk.username is not None else None
        path = Path(
            hop=gateway, to=NameAddr(called), host=self.house.names.suffix, headers=headers, auth=auth, trunk=trunk.name
        )
        return Contact(uri=attrs.evolve(gateway, user=called.user), way=path)


def path_of(contact: Contact) -> Path:
    """What this house has put on a contact."""
    if not isinstance(contact.way, Path):
        raise TypeError(f"{contact} was not found by this house")
    return contact.way


def trunk_facts(trunks: Trunks, number: str) -> TrunkFacts | None:
    """What the planner of a dial asks about a number."""
    trunk = trunks.trunk_of(number)
    return None if trunk is None else TrunkFacts(caller_id=trunk.caller_id)
