"""Which domain a host name means: `NAME.suffix`, or the same with a region or edge label after the suffix's first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import attrs

from .records import DomainRecord


@attrs.frozen
class DomainNames:
    """The naming rule of one server, e.g. suffix `sip.example.test`."""

    suffix: str
    """Lower case, without dots at its ends."""
    regions: frozenset[str] = frozenset()
    """Region and edge labels accepted in `NAME.sip.REGION.example.test`; empty: any."""

    def full(self, name: str) -> str:
        return f"{name}.{self.suffix}"

    def candidates(self, host: str) -> list[str]:
        """The NAMEs that `host` may mean, the more direct first; none for an address or a foreign host."""
        host = host.lower().removesuffix(".")
        found = []
        if host.endswith(f".{self.suffix}"):
            found.append(host[: -len(self.suffix) - 1])
        first, _, rest = self.suffix.partition(".")
        if rest and host.endswith(f".{rest}"):
            labels = host[: -len(rest) - 1].split(".")
            if len(labels) >= 3 and labels[-2] == first and self._accepts(labels[-1]):
                found.append(".".join(labels[:-2]))
        return [name for name in found if name and all(name.split("."))]

    def _accepts(self, region: str) -> bool:
        # `EDGE-ix` is the private interconnect of an edge.
        return bool(region) and (
            not self.regions or region in self.regions or region.removesuffix("-ix") in self.regions
        )


@attrs.define(eq=False)
class DomainDirectory:
    """The domains of a server by name."""

    names: DomainNames
    default_name: str = ""
    """NAME of the domain that takes what no domain takes: bare addresses, unknown hosts. Empty: none."""
    _by_name: dict[str, DomainRecord] = attrs.field(factory=dict)
    _by_host: dict[str, DomainRecord] = attrs.field(factory=dict, init=False)
    """By full name, as hosts are mostly written."""

    def __attrs_post_init__(self) -> None:
        for record in self._by_name.values():
            self._by_host[self.names.full(record.name)] = record

    @classmethod
    def of(cls, names: DomainNames, records: Iterable[DomainRecord], default_name: str = "") -> DomainDirectory:
        return cls(names, default_name, {record.name: record for record in records})

    def find(self, host: str) -> DomainRecord | None:
        """The domain that a Request-URI with this host is for; None when nobody takes it."""
        named = self.named(host)
        if named is not None:
            return named
        return self._by_name.get(self.default_name) if self.default_name else None

    def named(self, host: str) -> DomainRecord | None:
        """The domain that this host is a name of; None for an address, a foreign name, or one that is not in use."""
        plain = self._by_host.get(host)
        if plain is not None:
            return plain
        for name in self.names.candidates(host):
            record = self._by_name.get(name)
            if record is not None:
                return record
        return None

    def put(self, record: DomainRecord) -> None:
        self._by_name[record.name] = self._by_host[self.names.full(record.name)] = record

    def remove(self, name: str) -> None:
        self._by_name.pop(name, None)
        self._by_host.pop(self.names.full(name), None)

    def __iter__(self) -> Iterator[DomainRecord]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)
