"""`FakeDns`: the name server of a fake network."""

from __future__ import annotations

from collections import Counter

import attrs
import trio

from ..transport.errors import NameLookupFailed
from ..transport.network import NaptrRecord, SrvRecord


@attrs.define(eq=False)
class FakeDns:
    """Tables of names (case and trailing dot do not matter). Records are answered in the order they were given in."""

    delay_s: float = 0.0
    """How long each answer takes."""
    asked: Counter[str] = attrs.field(factory=Counter, init=False)
    """Questions so far, as `"A example.com"` (A stands for A and AAAA), `"SRV …"`, `"NAPTR …"`."""
    _addresses: dict[str, list[str]] = attrs.field(factory=dict, init=False)
    _srv: dict[str, list[SrvRecord]] = attrs.field(factory=dict, init=False)
    _naptr: dict[str, list[NaptrRecord]] = attrs.field(factory=dict, init=False)
    _failing: set[str] = attrs.field(factory=set, init=False)
    _silent: set[str] = attrs.field(factory=set, init=False)

    def address(self, name: str, *addresses: str) -> None:
        """A and AAAA records; without addresses the name is forgotten."""
        self._addresses[_key(name)] = list(addresses)

    def srv(self, name: str, *records: SrvRecord) -> None:
        """SRV records, in the order a resolver would try them."""
        self._srv[_key(name)] = list(records)

    def naptr(self, name: str, *records: NaptrRecord) -> None:
        """NAPTR records, in the order a resolver would try them."""
        self._naptr[_key(name)] = list(records)

    def fail(self, name: str) -> None:
        """Answer every question about `name` with a server failure, until `recover`."""
        self._failing.add(_key(name))

    def hang(self, name: str) -> None:
        """Never answer a question about `name`, until `recover`."""
        self._silent.add(_key(name))

    def recover(self, name: str) -> None:
        """End `fail` and `hang`."""
        self._failing.discard(_key(name))
        self._silent.discard(_key(name))

    async def ask_addresses(self, name: str) -> list[str]:
        """The addresses of a name; empty when there are none."""
        return list(self._addresses.get(await self._ask("A", name), ()))

    async def ask_srv(self, name: str) -> list[SrvRecord]:
        """The SRV records of a name; empty when there are none."""
        return list(self._srv.get(await self._ask("SRV", name), ()))

    async def ask_naptr(self, name: str) -> list[NaptrRecord]:
        """The NAPTR records of a name; empty when there are none."""
        return list(self._naptr.get(await self._ask("NAPTR", name), ()))

    async def _ask(self, kind: str, name: str) -> str:
        key = _key(name)
        self.asked[f"{kind} {key}"] += 1
        if key in self._silent:
            await trio.sleep_forever()
        await trio.sleep(self.delay_s)
        if key in self._failing:
            raise NameLookupFailed(name, f"{kind}: SERVFAIL")
        return key


def _key(name: str) -> str:
    return name.lower().rstrip(".")
