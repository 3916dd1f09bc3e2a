"""The settings of `[[trunk]]` and `[[number]]`, and what cannot be right between them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import attrs

from ..sip.uri import Uri
from ..store.records import IpNetwork, WebhookTarget
from . import trunk_values, values
from .problems import Problem

TLS_KEYS: Final = ("ca_file", "client_certificate", "client_key", "verify_certificate")
NO_TLS: Final = (None, None, None, True)
"""Their values where nothing is said."""


@attrs.frozen(kw_only=True)
class InboundSettings:
    """`inbound = { … }` of a trunk: the calls that it brings."""

    networks: tuple[IpNetwork, ...] = attrs.field(converter=values.networks)
    """Where they come from."""
    voice_url: WebhookTarget | None = attrs.field(default=None, converter=values.webhook)
    """For numbers without a `voice_url` of their own."""
    voice_method: str = attrs.field(default="POST", converter=values.method)
    voice_fallback_url: WebhookTarget | None = attrs.field(default=None, converter=values.webhook)
    voice_fallback_method: str = attrs.field(default="POST", converter=values.method)
    status_callback_url: WebhookTarget | None = attrs.field(default=None, converter=values.webhook)
    status_callback_method: str = attrs.field(default="POST", converter=values.method)


def inbound_of(value: object) -> InboundSettings | None:
    if value is None or isinstance(value, InboundSettings):
        return value
    raise values.Wrong(value, "InboundSettings", show=False)


@attrs.frozen(kw_only=True)
class TrunkSettings:
    """`[[trunk]]`: a way into the telephone network."""

    name: str = attrs.field(converter=trunk_values.trunk_name)
    uris: tuple[Uri, ...] = attrs.field(converter=trunk_values.gateways)
    """Gateways, the best first."""
    username: str | None = attrs.field(default=None, converter=trunk_values.optional_user)
    password: str | None = attrs.field(default=None, converter=trunk_values.optional_password, repr=False)
    register: bool = attrs.field(default=False, converter=values.flag)
    """Whether we register with each gateway, so that it knows where to send calls to."""
    prefixes: tuple[str, ...] = attrs.field(default=(), converter=trunk_values.prefixes)
    """Beginnings of the numbers that may be dialled; none: nothing may."""
    caller_id: str | None = attrs.field(default=None, converter=trunk_values.optional_e164)
    max_calls: int | None = attrs.field(default=None, converter=trunk_values.optional_count)
    """At once, both ways together."""
    calls_per_s: float | None = attrs.field(default=None, converter=trunk_values.optional_rate)
    """New calls to the trunk."""
    inbound: InboundSettings | None = attrs.field(default=None, converter=inbound_of, metadata={"table": "inbound"})
    emergency: bool = attrs.field(default=False, converter=values.flag)
    ca_file: Path | None = attrs.field(default=None, converter=values.optional_path)
    """PEM file of the carrier's authority, in place of `tls.ca_file`; with TLS only, as all that follows."""
    client_certificate: Path | None = attrs.field(default=None, converter=values.optional_path)
    """PEM, shown to gateways that ask for one."""
    client_key: Path | None = attrs.field(default=None, converter=values.optional_path)
    verify_certificate: bool = attrs.field(default=True, converter=values.flag)
    """False: whoever answers at the gateway's address is taken for it."""

    @property
    def tls(self) -> tuple[Path | None, Path | None, Path | None, bool]:
        """What two trunks with the same gateway must agree on."""
        return self.ca_file, self.client_certificate, self.client_key, self.verify_certificate


@attrs.frozen(kw_only=True)
class NumberSettings:
    """`[[number]]`: a telephone number that is ours, or that we have verified."""

    number: str = attrs.field(converter=trunk_values.e164)
    voice_url: WebhookTarget | None = attrs.field(default=None, converter=values.webhook)
    voice_method: str = attrs.field(default="POST", converter=values.method)
    voice_fallback_url: WebhookTarget | None = attrs.field(default=None, converter=values.webhook)
    voice_fallback_method: str = attrs.field(default="POST", converter=values.method)
    status_callback_url: WebhookTarget | None = attrs.field(default=None, converter=values.webhook)
    status_callback_method: str = attrs.field(default="POST", converter=values.method)


def trunks_of(items: object) -> tuple[TrunkSettings, ...]:
    return values.instances(items, TrunkSettings)


def numbers_of(items: object) -> tuple[NumberSettings, ...]:
    return values.instances(items, NumberSettings)


def misfits_of_trunks(
    trunks: Sequence[TrunkSettings | None], numbers: Sequence[NumberSettings | None]
) -> Iterator[Problem]:
    """What is wrong between values that are each right; None stands for a table that could not be read."""
    yield from _repeated("trunk", "name", [trunk.name if trunk is not None else None for trunk in trunks])
    yield from _repeated("number", "number", [number.number if number is not None else None for number in numbers])
    sources: dict[IpNetwork, str] = {}
    for place, trunk in enumerate(trunks, start=1):
        if trunk is None:
            continue
        path = f"trunk[{place}]"
        yield from _misfits_of(trunk, path)
        for network in trunk.inbound.networks if trunk.inbound is not None else ():
            if network in sources:
                yield Problem(
                    f"{path}.inbound.networks",
                    f'"{network}" should be of one trunk only: {sources[network]} has it too',
                )
            sources.setdefault(network, path)


def _misfits_of(trunk: TrunkSettings, path: str) -> Iterator[Problem]:
    if (trunk.username is None) is not (trunk.password is None):
        given, missing = ("username", "password") if trunk.password is None else ("password", "username")
        yield Problem(f"{path}.{missing}", f"should be given together with {given} (or leave out both)")
    elif trunk.register and trunk.username is None:
        yield Problem(f"{path}.username", "is required, with password, where register = true")
    if (trunk.client_certificate is None) is not (trunk.client_key is None):
        given, missing = ("client_certificate", "client_key")[:: 1 if trunk.client_key is None else -1]
        yield Problem(f"{path}.{missing}", f"should be given together with {given} (or leave out both)")
    if trunk.tls != NO_TLS and not any(map(trunk_values.over_tls, trunk.uris)):
        used = next(key for key, value, usual in zip(TLS_KEYS, trunk.tls, NO_TLS, strict=True) if value != usual)
        yield Problem(f"{path}.{used}", 'should be left out: none of its uris has ";transport=tls"')
    if trunk.inbound is not None and not trunk.inbound.networks:
        yield Problem(f"{path}.inbound.networks", "should have at least one network, or no call comes from the trunk")


def _repeated(table: str, key: str, found: Iterable[str | None]) -> Iterator[Problem]:
    """Values that should be unique among the tables of an array."""
    seen: dict[str, int] = {}
    for place, value in enumerate(found, start=1):
        if value is None:
            continue
        if value in seen:
            yield Problem(f"{table}[{place}].{key}", f'"{value}" should be unique: {table}[{seen[value]}] has it too')
        seen.setdefault(value, place)
