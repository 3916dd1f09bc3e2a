"""Bindings outlive the process: as rows of the store, and back from them when a server starts.

What comes back is what a call could use: over UDP the phone is where it was, and its NAT still lets in what leaves from
the same address of ours. A connection has ended with the process, and its bindings with it (RFC 5626); a phone that
notices registers again.
"""

from __future__ import annotations

import datetime
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Final, TypeAlias

import attrs
import structlog
import trio

from ..sip.address import NameAddr, parse_addresses
from ..sip.bindings import Binding
from ..sip.errors import SipError
from ..store.domains import DomainDirectory
from ..store.records import BindingGone, BindingRecord, binding_id
from ..store.repository import Repository
from ..transport.errors import AddressInUse, AddressUnavailable
from ..transport.flow import Flow
from ..transport.network import Address, Network, family_of, is_wildcard
from ..transport.udp import UdpTransport
from .journal import Journal
from .mailbox import Ref
from .messages.registrar import RegistrarMessage, Restore
from .registration import may_stay
from .speaker import Offload

CHUNK: Final = 200
"""Bindings told to the registrar at once: a few ms, then others get their turn."""

Ways: TypeAlias = dict[Address, UdpTransport]
"""By our own address that phones spoke to: the socket that now sends from it."""

log = structlog.get_logger(__name__)


def row_of(binding: Binding, now: float, now_utc: datetime.datetime) -> BindingRecord:
    """The row of a binding that was refreshed just now. `now` is trio seconds."""
    flow = binding.flow if isinstance(binding.flow, Flow) else None
    return BindingRecord(
        id=row_id(binding),
        aor=binding.aor,
        contact=binding.contact_text,
        q=binding.q,
        refreshed_at=now_utc,
        expires_at=now_utc + datetime.timedelta(seconds=binding.until - now),
        call_id=binding.call_id,
        cseq=binding.cseq,
        path=", ".join(map(str, binding.path)),
        instance=binding.instance,
        reg_id=binding.reg_id,
        agent=binding.agent,
        transport=flow.transport if flow is not None else None,
        local_host=flow.local[0] if flow is not None else None,
        local_port=flow.local[1] if flow is not None else None,
        remote_host=flow.remote[0] if flow is not None else None,
        remote_port=flow.remote[1] if flow is not None else None,
    )


def row_id(binding: Binding) -> str:
    return binding_id(binding.aor, binding.key)


class Lost(Exception):
    """A row that is no binding any more; the text says why, in a word or two."""


@attrs.frozen(kw_only=True)
class Restoring:
    """What decides which bindings come back."""

    domains: DomainDirectory
    ways: Ways
    longest_s: float
    """What a registrar grants at most: a wall clock that was set back makes no binding immortal."""
    now: float
    now_utc: datetime.datetime

    def binding(self, record: BindingRecord) -> Binding:
        """Raises Lost."""
        left_s = (record.expires_at - self.now_utc).total_seconds()
        if left_s <= 0:
            raise Lost("expired")
        flow = self._flow(record)
        try:
            if not may_stay(record.aor, record.transport, self.domains):
                raise Lost("user may not register any more")
            contact = NameAddr.parse(record.contact, "Contact")
            path = tuple(parse_addresses(record.path, "Path")) if record.path else ()
        except SipError:
            raise Lost("unreadable") from None
        return Binding(
            aor=record.aor,
            contact=contact,
            q=record.q,
            until=self.now + min(left_s, self.longest_s),
            call_id=record.call_id,
            cseq=record.cseq,
            flow=flow,
            path=path,
            instance=record.instance,
            reg_id=record.reg_id,
            agent=record.agent,
        )

    def _flow(self, record: BindingRecord) -> Flow | None:
        """The way back to the phone, from the address of ours that it knows; None: a proxy stands between."""
        if record.transport is None:
            return None
        local, remote = local_of(record), _address(record.remote_host, record.remote_port)
        if record.transport != "UDP":
            raise Lost("connection closed")
        if local is None or remote is None:
            raise Lost("unreadable")
        way = self.ways.get(local)
        if way is None:
            raise Lost("address not served any more")
        return Flow("UDP", local, remote, port=way)

    def all(self, records: Iterable[BindingRecord]) -> tuple[list[Binding], dict[str, str]]:
        """The bindings that come back, and of the other rows the reason by id."""
        found: list[Binding] = []
        lost: dict[str, str] = {}
        for record in records:
            try:
                found.append(self.binding(record))
            except Lost as reason:
                lost[record.id] = str(reason)
        return found, lost


async def restore_bindings(
    repository: Repository,
    journal: Journal,
    registrar: Ref[RegistrarMessage],
    *,
    sockets: Sequence[UdpTransport],
    network: Network,
    domains: DomainDirectory,
    longest_s: float,
    now_utc: Callable[[], datetime.datetime],
    offload: Offload,
) -> None:
    """Give the registrar what the last process had registered, and remove from the store what does not come back.

    Call it when the sockets are bound, before anything is read from them. Raises StoreUnavailable.
    """
    records = await repository.bindings()
    if not records:
        return
    restoring = Restoring(
        domains=domains,
        ways=await find_ways(records, sockets, network),
        longest_s=longest_s,
        now=trio.current_time(),
        now_utc=now_utc(),
    )
    found, lost = await offload(restoring.all, records)
    for row in lost:
        journal.write_binding(BindingGone(row))
    for start in range(0, len(found), CHUNK):
        await registrar.ask(partial(Restore, tuple(found[start : start + CHUNK])), math.inf)
    log.info("registrations restored", bindings=len(found), dropped=dict(Counter(lost.values())))


async def find_ways(records: Iterable[BindingRecord], sockets: Sequence[UdpTransport], network: Network) -> Ways:
    """The socket for each address that phones registered at; those that are not ours any more are left out."""
    ways: Ways = {}
    for local in {address for record in records if (address := local_of(record)) is not None}:
        for socket in _candidates(local, sockets):
            if socket.local == local or await is_ours(local[0], network):
                ways[local] = socket
                break
    return ways


def _candidates(local: Address, sockets: Sequence[UdpTransport]) -> Iterator[UdpTransport]:
    """Sockets that could send from that address: bound to it, else to the wildcard of its family."""
    yield from (each for each in sockets if each.local == local)
    for each in sockets:
        host, port = each.local
        if is_wildcard(host) and port == local[1] and family_of(host) == family_of(local[0]):
            yield each


async def is_ours(host: str, network: Network) -> bool:
    """Whether this machine has the address."""
    try:
        probe = await network.udp((host, 0))
    except (AddressUnavailable, AddressInUse):
        return False
    probe.close()
    return True


def local_of(record: BindingRecord) -> Address | None:
    return _address(record.local_host, record.local_port)


def _address(host: str | None, port: int | None) -> Address | None:
    return (host, port) if host is not None and port is not None else None
