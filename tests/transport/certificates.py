"""Certificates for tests: an authority, what it issues, and TLS settings of both sides."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Sequence
from pathlib import Path

from offhook.transport.own_authority import Issued, issue, make_authority
from offhook.transport.tls import KeyPair, TlsClients, TlsPolicy, TlsProfile, TlsServer, server_context

NOW = datetime.datetime.now(datetime.UTC)
"""The TLS library looks at the real clock."""
DAY = datetime.timedelta(days=1)


def authority(name: str = "the authority of these tests") -> Issued:
    """The same for the same name."""
    return _made(name)


@functools.cache
def _made(name: str) -> Issued:
    return make_authority(name, NOW - 1000 * DAY)


@functools.cache
def issued(hosts: tuple[str, ...], age_days: int = 0) -> Issued:
    return issue(authority(), hosts, NOW - age_days * DAY)


def files(folder: Path, made: Issued) -> KeyPair:
    folder.mkdir(parents=True, exist_ok=True)
    pair = KeyPair(folder / "certificate.pem", folder / "key.pem")
    pair.certificate.write_bytes(made.certificate)
    pair.key.write_bytes(made.key)
    return pair


def tls_server(
    folder: Path, hosts: Sequence[str] = ("*.sip.test", "10.0.0.1"), *, age_days: int = 0, deprecated: bool = False
) -> TlsServer:
    policy = TlsPolicy(allow_deprecated=deprecated)
    return TlsServer(server_context(files(folder, issued(tuple(hosts), age_days)), policy), policy)


def tls_clients(
    folder: Path, *, trusting: Issued | None = None, wildcards: bool = True, deprecated: bool = False
) -> TlsClients:
    """Clients that trust the authority of these tests, or another one."""
    folder.mkdir(parents=True, exist_ok=True)
    ca = folder / "trusted.pem"
    ca.write_bytes((trusting or authority()).certificate)
    return TlsClients(TlsPolicy(deprecated, wildcards=wildcards), TlsProfile(ca_file=ca))
