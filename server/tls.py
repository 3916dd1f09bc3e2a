"""TLS of a server, from its configuration: the certificate it shows and what it demands of the servers it calls."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog

from ..transport.network import is_wildcard
from ..transport.own_authority import Issued, is_of, issue, lasts, make_authority, serves
from ..transport.tls import CIPHERS, KeyPair, TlsClients, TlsPolicy, TlsProfile, TlsServer, TlsUnusable, server_context
from .config import Config
from .kept_files import keep, kept
from .problems import ConfigError, Problem
from .trunk_values import over_tls

FOLDER = "tls"
"""In `data_dir`."""
LOCAL = ("localhost", "127.0.0.1", "::1")
"""What phones on the same machine call us."""

log = structlog.get_logger(__name__)


def tls_policy(config: Config) -> TlsPolicy:
    tls = config.tls
    return TlsPolicy(tls.allow_deprecated, tls.ciphers or CIPHERS, tls.wildcards)


def tls_server(config: Config) -> TlsServer | None:
    """Our side of accepted connections; None: no address in `sip.tls`. Makes what is missing. Raises ConfigError."""
    if not config.sip.tls:
        return None
    policy = tls_policy(config)
    pair = configured_pair(config) or own_pair(config)
    try:
        return TlsServer(server_context(pair, policy), policy)
    except TlsUnusable as error:
        raise ConfigError((Problem("tls.certificate" if config.tls.certificate else "", str(error)),)) from error


def tls_clients(config: Config) -> TlsClients | None:
    """How servers are called over TLS; None where we do not listen for it. Raises ConfigError."""
    if not config.sip.tls:
        return None
    by_host: dict[str, TlsProfile] = {}
    for trunk in config.trunks:
        pair = None
        if trunk.client_certificate is not None and trunk.client_key is not None:
            pair = KeyPair(trunk.client_certificate, trunk.client_key)
        profile = TlsProfile(trunk.ca_file or config.tls.ca_file, pair, trunk.verify_certificate)
        for uri in filter(over_tls, trunk.uris):
            by_host[uri.host.lower()] = profile
            if not profile.verify:
                log.warning(
                    "THE CERTIFICATE OF A GATEWAY IS NOT VERIFIED: whoever answers there hears the calls and gets the "
                    "password",
                    trunk=trunk.name,
                    gateway=str(uri),
                )
    clients = TlsClients(tls_policy(config), TlsProfile(config.tls.ca_file), by_host)
    try:
        clients.take(clients.anew())
    except TlsUnusable as error:
        raise ConfigError((Problem("", str(error)),)) from error
    return clients


def configured_pair(config: Config) -> KeyPair | None:
    tls = config.tls
    if tls.certificate is None or tls.private_key is None:
        return None
    return KeyPair(tls.certificate, tls.private_key)


def own_files(config: Config) -> KeyPair:
    """Where our own certificate is kept."""
    return KeyPair(_folder(config) / "server.pem", _folder(config) / "server.key")


def root_files(config: Config) -> KeyPair:
    """Where our own authority is kept."""
    return KeyPair(_folder(config) / "ca.pem", _folder(config) / "ca.key")


def _folder(config: Config) -> Path:
    return config.server.data_dir / FOLDER


def own_pair(config: Config) -> KeyPair:
    """The certificate of our own authority, in `data_dir`; made, or made anew, where it is missing, about to expire
    or for other names than the configuration now says. Raises ConfigError."""
    pair, now, hosts = own_files(config), config.now_utc(), certificate_hosts(config)
    with _explained(_folder(config)):
        authority = _authority(config)
        issued = kept(pair)
        if (
            issued is None
            or not serves(issued.certificate, hosts, now)
            or not is_of(issued.certificate, authority.certificate)
        ):
            issued = issue(authority, hosts, now)
            keep(pair, issued)
            log.info("made a certificate", file=str(pair.certificate), hosts=hosts)
    return pair


def own_authority(config: Config) -> bytes:
    """The certificate of our own authority in PEM; made when there is none. Raises ConfigError."""
    with _explained(_folder(config)):
        return _authority(config).certificate


def _authority(config: Config) -> Issued:
    """What is kept, while it lasts long enough to issue from; else a new one, which phones need to be given."""
    root, now = root_files(config), config.now_utc()
    authority = kept(root)
    if authority is None or not lasts(authority.certificate, now):
        say = log.warning if root.certificate.exists() else log.info  # phones that have the old one need it too
        authority = make_authority(f"offhook at {config.sip.domain_suffix}", now)
        keep(root, authority)
        say("made a certificate authority; phones that check certificates need it", file=str(root.certificate))
    return authority


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    """What cannot be read, written or understood in our own folder, as a ConfigError."""
    try:
        yield
    except OSError as error:
        raise ConfigError((Problem("server.data_dir", f"{error.filename or folder}: {error.strerror}"),)) from error
    except ValueError as error:
        text = f"does not hold what offhook made there ({error}); remove the folder for new certificates"
        raise ConfigError((Problem("", text, str(folder)),)) from error


def certificate_hosts(config: Config) -> list[str]:
    """Whom our own certificate is for: the domains, the address that peers are told, those we listen on."""
    suffix = config.sip.domain_suffix
    first, _, rest = suffix.partition(".")
    hosts = [f"*.{suffix}", suffix]
    if rest:
        hosts += [f"*.{first}.{region}.{rest}" for region in config.sip.regions]
    bound = (address.host for address in config.sip.tls if not is_wildcard(address.host))
    advertised = (config.server.advertised_address,) if config.server.advertised_address else ()
    return list(dict.fromkeys([*hosts, *advertised, *bound, *LOCAL]))
