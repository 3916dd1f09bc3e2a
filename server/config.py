"""The configuration tree: frozen, and validated however it is made. Keys and defaults are those of `offhook.toml`.

Field by field see docs/configuration.md. `load.py` reads the file; an embedding program may build the same classes in
code, where strings are accepted wherever the file has them (`SipSettings(domain_suffix="sip.test", udp=["[::1]:0"])`).
"""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import attrs

from ..store.domains import DomainNames
from ..store.records import IpNetwork, WebhookTarget
from . import trunk_values, values
from .problems import ConfigError, Problem
from .trunk_config import NumberSettings, TrunkSettings, misfits_of_trunks, numbers_of, trunks_of
from .values import HostPort, PortRange
from .version import VERSION

ANYWHERE: tuple[IpNetwork, ...] = (ipaddress.IPv4Network("0.0.0.0/0"), ipaddress.IPv6Network("::/0"))


@attrs.frozen(kw_only=True)
class ServerSettings:
    """`[server]`"""

    data_dir: Path = attrs.field(default=Path("offhook-data"), converter=values.path)
    """Where account, database and recordings are kept, of one server; made when missing."""
    advertised_address: str | None = attrs.field(default=None, converter=values.address)
    """Address that peers are told (Via, Contact, SDP); None: that of the interface which reaches the peer."""
    drain_s: float = attrs.field(default=300, converter=values.seconds)
    """How long live calls may go on after SIGTERM."""


@attrs.frozen(kw_only=True)
class AccountSettings:
    """`[account]`: both or neither; made on first start and kept in `data_dir` when absent."""

    sid: str = attrs.field(default="", converter=values.account_sid)
    auth_token: str = attrs.field(default="", converter=values.optional_secret, repr=False)


@attrs.frozen(kw_only=True)
class SipSettings:
    """`[sip]`"""

    domain_suffix: str = attrs.field(converter=values.domain_name)
    """Lower case; a domain is NAME.suffix."""
    regions: tuple[str, ...] = attrs.field(default=(), converter=values.regions)
    """Labels accepted after the suffix's first label; empty: any."""
    default_domain: str = attrs.field(default="", converter=values.optional_domain_label)
    """NAME of the domain for bare addresses and unknown hosts; empty: none, they get 403."""
    udp: tuple[HostPort, ...] = attrs.field(default=(HostPort("0.0.0.0", 5060),), converter=values.binds)
    tcp: tuple[HostPort, ...] = attrs.field(default=(HostPort("0.0.0.0", 5060),), converter=values.binds)
    tls: tuple[HostPort, ...] = attrs.field(default=(HostPort("0.0.0.0", 5061),), converter=values.binds)
    """Without any, calls over TLS go nowhere either: nobody could call back."""
    realm: str = attrs.field(default="", converter=values.realm)
    """As written; `auth_realm` is what is sent."""
    digest_algorithms: tuple[str, ...] = attrs.field(default=("MD5",), converter=values.digest_algorithms)
    registration_min_s: int = attrs.field(default=600, converter=values.lifetime)
    """Shortest registration that is granted; a phone that asks for less is told this (423)."""
    registration_max_s: int = attrs.field(default=3600, converter=values.lifetime)
    """Longest registration that is granted; what is longer is cut to this."""
    header_prefix: str = attrs.field(default="X-Twilio-", converter=values.header_prefix)
    server_header: str = attrs.field(default=f"offhook/{VERSION}", converter=values.text)
    """Server and User-Agent; empty: neither is sent."""

    @property
    def auth_realm(self) -> str:
        return self.realm or self.domain_suffix

    @property
    def names(self) -> DomainNames:
        return DomainNames(self.domain_suffix, frozenset(self.regions))


@attrs.frozen(kw_only=True)
class TlsSettings:
    """`[tls]`"""

    certificate: Path | None = attrs.field(default=None, converter=values.optional_path)
    """PEM: ours, then those up to its authority; None: of an authority of our own, kept in `data_dir`."""
    private_key: Path | None = attrs.field(default=None, converter=values.optional_path)
    ca_file: Path | None = attrs.field(default=None, converter=values.optional_path)
    """PEM file of further authorities for the servers that we call; None: the system's only."""
    allow_deprecated: bool = attrs.field(default=False, converter=values.flag)
    """TLS 1.0 and 1.1 as well, in all directions."""
    ciphers: tuple[str, ...] = attrs.field(default=(), converter=values.ciphers)
    """By OpenSSL's names, best first; up to TLS 1.2. Empty: the usual ones."""
    wildcards: bool = attrs.field(default=True, converter=values.flag)
    """Whether a wildcard in the certificate of a server that we call stands for its host."""


@attrs.frozen(kw_only=True)
class MediaSettings:
    """`[media]`"""

    rtp_ports: PortRange = attrs.field(default=PortRange(20_000, 29_999), converter=values.port_range)
    """UDP; RTP takes an even port, RTCP the odd one above."""
    timeout_s: float = attrs.field(default=60, converter=values.patience)
    """A call that hears no packet for that long is ended."""


@attrs.frozen(kw_only=True)
class HttpSettings:
    """`[http]`"""

    bind: HostPort = attrs.field(default=HostPort("127.0.0.1", 8080), converter=values.bind)
    public_url: str = attrs.field(default="", converter=values.optional_base_url)
    """Base of the RecordingUrl and other links, without slash at the end; empty: http://BIND."""

    @property
    def exposed(self) -> bool:
        """Whether others than this machine can reach it: then every page but /healthz asks for credentials."""
        return not self.bind.loopback

    def base_url(self, bound: tuple[str, int]) -> str:
        """Base of links when `bound` is the address that was really bound (its port may have been chosen freely)."""
        return self.public_url or f"http://{HostPort(*bound[:2])}"


@attrs.frozen(kw_only=True)
class WebhooksSettings:
    """`[webhooks]`"""

    allowed_networks: tuple[IpNetwork, ...] = attrs.field(default=(), converter=values.networks)
    """Non-public networks that webhooks and media URLs may reach; public ones always may be."""
    ca_file: Path | None = attrs.field(default=None, converter=values.optional_path)
    """PEM file of further certificate authorities; None: the system's only."""


@attrs.frozen(kw_only=True)
class DialSettings:
    """`[dial]`"""

    allowed_networks: tuple[IpNetwork, ...] = attrs.field(default=ANYWHERE, converter=values.networks)
    """Where SIP requests of ours may be sent."""
    service_records: bool = attrs.field(default=True, converter=values.flag)
    """Whether a host without a port is looked for by NAPTR and SRV; False: by its addresses only."""


@attrs.frozen(kw_only=True)
class CapturesSettings:
    """`[captures]`"""

    enabled: bool = attrs.field(default=True, converter=values.flag)
    """Whether the SIP messages of each call are kept."""
    rtp: bool = attrs.field(default=False, converter=values.flag)
    """RTP and RTCP as well, in the clear."""
    secrets: bool = attrs.field(default=False, converter=values.flag)
    """Whether digests and keys of SRTP stay readable."""
    call_mb: int = attrs.field(default=100, converter=values.megabytes)
    """Most that one call may take."""
    total_mb: int = attrs.field(default=1000, converter=values.megabytes)
    """Most that all may take; the oldest go."""
    days: float = attrs.field(default=7, converter=values.days)
    """How long a capture is kept after its last packet."""


@attrs.frozen(kw_only=True)
class CredentialSettings:
    """`[[domain.credential]]`"""

    username: str = attrs.field(converter=values.username)
    password: str = attrs.field(converter=values.secret, repr=False)
    calls: bool = attrs.field(default=True, converter=values.flag)
    registrations: bool = attrs.field(default=True, converter=values.flag)


def credentials_of(items: object) -> tuple[CredentialSettings, ...]:
    return values.instances(items, CredentialSettings)


@attrs.frozen(kw_only=True)
class DomainSettings:
    """`[[domain]]`; in code an async function may stand in for each URL."""

    name: str = attrs.field(converter=values.domain_label)
    """NAME, lower case, without the suffix."""
    voice_url: WebhookTarget | None = attrs.field(default=None, converter=values.webhook)
    voice_method: str = attrs.field(default="POST", converter=values.method)
    voice_fallback_url: WebhookTarget | None = attrs.field(default=None, converter=values.webhook)
    voice_fallback_method: str = attrs.field(default="POST", converter=values.method)
    status_callback_url: WebhookTarget | None = attrs.field(default=None, converter=values.webhook)
    status_callback_method: str = attrs.field(default="POST", converter=values.method)
    secure: bool = attrs.field(default=False, converter=values.flag)
    sip_registration: bool = attrs.field(default=False, converter=values.flag)
    ip_access_control: tuple[IpNetwork, ...] = attrs.field(default=(), converter=values.networks)
    credentials: tuple[CredentialSettings, ...] = attrs.field(
        default=(), converter=credentials_of, metadata={"key": "credential"}
    )


def domains_of(items: object) -> tuple[DomainSettings, ...]:
    return values.instances(items, DomainSettings)


def now_utc() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


@attrs.frozen(kw_only=True)
class Config:
    """Everything a server needs to know before it binds anything. Raises ConfigError when its parts do not fit."""

    sip: SipSettings
    server: ServerSettings = attrs.field(factory=ServerSettings)
    account: AccountSettings = attrs.field(factory=AccountSettings)
    tls: TlsSettings = attrs.field(factory=TlsSettings)
    media: MediaSettings = attrs.field(factory=MediaSettings)
    http: HttpSettings = attrs.field(factory=HttpSettings)
    webhooks: WebhooksSettings = attrs.field(factory=WebhooksSettings)
    dial: DialSettings = attrs.field(factory=DialSettings)
    captures: CapturesSettings = attrs.field(factory=CapturesSettings)
    domains: tuple[DomainSettings, ...] = attrs.field(default=(), converter=domains_of, metadata={"key": "domain"})
    trunks: tuple[TrunkSettings, ...] = attrs.field(default=(), converter=trunks_of, metadata={"key": "trunk"})
    numbers: tuple[NumberSettings, ...] = attrs.field(default=(), converter=numbers_of, metadata={"key": "number"})
    now_utc: Callable[[], datetime.datetime] = now_utc
    """The wall clock; not a key of the file."""

    def __attrs_post_init__(self) -> None:
        problems = (
            *misfits(self.sip, self.http, self.account, self.domains),
            *misfits_of_tls(self.sip, self.tls, self.trunks),
            *misfits_of_trunks(self.trunks, self.numbers),
            *misfits_of_captures(self.captures),
        )
        if problems:
            raise ConfigError(problems)


def misfits(
    sip: SipSettings | None,
    http: HttpSettings | None,
    account: AccountSettings | None,
    domains: tuple[DomainSettings | None, ...],
) -> Iterator[Problem]:
    """What is wrong between values that are each right; None stands for a part that could not be read."""
    if account is not None and bool(account.sid) != bool(account.auth_token):
        given, missing = ("sid", "auth_token") if account.sid else ("auth_token", "sid")
        yield Problem(f"account.{missing}", f"should be given together with account.{given} (or leave out both)")
    if sip is not None and sip.registration_min_s > sip.registration_max_s:
        yield Problem(
            "sip.registration_min_s",
            f"{sip.registration_min_s} should be at most sip.registration_max_s, which is {sip.registration_max_s}: "
            "set both",
        )
    taken: dict[HostPort, str] = {}
    streams = (("sip.tcp", sip.tcp if sip else ()), ("sip.tls", sip.tls if sip else ()))
    for path, addresses in (*streams, ("http.bind", (http.bind,) if http else ())):
        for address in addresses:
            if address.port and address in taken:
                yield Problem(path, f"{address} should be another port: {taken[address]} has the same")
            taken.setdefault(address, path)
    names: dict[str, int] = {}
    for number, domain in enumerate(domains, start=1):
        if domain is None:
            continue
        if domain.name in names:
            yield Problem(
                f"domain[{number}].name", f'"{domain.name}" should be unique: domain[{names[domain.name]}] has it too'
            )
        names.setdefault(domain.name, number)
        users: dict[str, int] = {}
        for place, credential in enumerate(domain.credentials, start=1):
            if credential.username in users:
                yield Problem(
                    f"domain[{number}].credential[{place}].username",
                    f'"{credential.username}" should be unique in its domain: '
                    f"domain[{number}].credential[{users[credential.username]}] has it too",
                )
            users.setdefault(credential.username, place)
    if sip is not None and sip.default_domain and sip.default_domain not in names and None not in domains:
        hint = values.suggest(sip.default_domain, names) if names else "; there is no [[domain]]"
        yield Problem("sip.default_domain", f'"{sip.default_domain}" should be the name of a [[domain]]{hint}')


def misfits_of_captures(captures: CapturesSettings | None) -> Iterator[Problem]:
    """The same of captures."""
    if captures is None:
        return
    if captures.rtp and not captures.enabled:
        yield Problem("captures.rtp", "should be false, or captures.enabled true: media is kept with its signalling")
    if captures.call_mb > captures.total_mb:
        yield Problem(
            "captures.call_mb",
            f"{captures.call_mb} should be at most captures.total_mb, which is {captures.total_mb}: set both",
        )


def misfits_of_tls(
    sip: SipSettings | None, tls: TlsSettings | None, trunks: Sequence[TrunkSettings | None]
) -> Iterator[Problem]:
    """The same of TLS: files that go together, gateways with settings that nothing uses or that contradict."""
    if tls is not None and (tls.certificate is None) is not (tls.private_key is None):
        given, missing = ("certificate", "private_key")[:: 1 if tls.private_key is None else -1]
        yield Problem(f"tls.{missing}", f"should be given together with tls.{given} (or leave out both)")
    taken: dict[str, tuple[str, TrunkSettings]] = {}
    for place, trunk in enumerate(trunks, start=1):
        if trunk is None:
            continue
        secured = [uri for uri in trunk.uris if trunk_values.over_tls(uri)]
        if secured and sip is not None and not sip.tls:
            yield Problem(
                f"trunk[{place}].uris", f'"{secured[0]}" needs an address in sip.tls, so that it can call back'
            )
        for uri in secured:
            path, other = taken.setdefault(uri.host.lower(), (f"trunk[{place}]", trunk))
            if other.tls != trunk.tls:
                yield Problem(
                    f"trunk[{place}].uris", f'"{uri}" is also a gateway of {path}, with other settings of TLS'
                )
