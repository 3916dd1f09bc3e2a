"""TLS settings as contexts of the TLS library: what we offer as server, what we demand as client (RFC 5922)."""

from __future__ import annotations

import ssl
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, TypeAlias

import attrs

from .errors import TransportError

CIPHERS: Final = (
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-SHA256",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-SHA384",
    "AES128-GCM-SHA256",
    "AES128-SHA256",
    "AES128-SHA",
    "AES256-GCM-SHA384",
    "AES256-SHA256",
    "AES256-SHA",
)
"""Up to TLS 1.2, best first; those of the original, and ECDSA ones for who brings such a certificate. TLS 1.3 has its
own, which nobody needs to choose."""


class TlsUnusable(TransportError):
    """Certificate, key or cipher list cannot be used; the message says which and why."""


@attrs.frozen
class KeyPair:
    """A certificate and its key, in PEM files."""

    certificate: Path
    """Ours first, then those between it and its authority."""
    key: Path


@attrs.frozen
class TlsPolicy:
    """What holds for every TLS connection of the server."""

    allow_deprecated: bool = False
    """TLS 1.0 and 1.1 too. One switch for the whole server: a choice by name inside the handshake comes too late."""
    ciphers: tuple[str, ...] = CIPHERS
    wildcards: bool = True
    """Whether `*.example.com` in a peer's certificate stands for its hosts; RFC 5922 7.2 forbids what most do."""


@attrs.frozen
class TlsProfile:
    """What we demand of a server that we call, and show it."""

    ca_file: Path | None = None
    """Further authorities, beside the system's; for a trunk usually the carrier's own."""
    client: KeyPair | None = None
    """Shown when the server asks for a certificate."""
    verify: bool = True
    """False: whoever answers is believed. For laboratories."""


Contexts: TypeAlias = dict[TlsProfile, ssl.SSLContext]


@attrs.define(eq=False)
class TlsServer:
    """Our side of accepted connections. `context` may be replaced at any time: new connections take the new one."""

    context: ssl.SSLContext
    policy: TlsPolicy = TlsPolicy()


@attrs.define(eq=False)
class TlsClients:
    """Contexts for connections that we open, by the host they go to."""

    policy: TlsPolicy = TlsPolicy()
    usual: TlsProfile = TlsProfile()
    by_host: Mapping[str, TlsProfile] = attrs.field(factory=dict)
    """Of gateways with settings of their own; keys in lower case."""
    _contexts: Contexts = attrs.field(factory=dict, init=False)

    def profile(self, host: str) -> TlsProfile:
        return self.by_host.get(host.lower(), self.usual)

    def context(self, profile: TlsProfile) -> ssl.SSLContext:
        """The context of a profile, made once. Raises TlsUnusable."""
        made = self._contexts.get(profile)
        if made is None:
            made = self._contexts[profile] = client_context(profile, self.policy)
        return made

    def anew(self) -> Contexts:
        """Every context, made from the files as they are now. Raises TlsUnusable."""
        profiles = dict.fromkeys((self.usual, *self.by_host.values()))  # the gateways of a trunk share theirs
        return {profile: client_context(profile, self.policy) for profile in profiles}

    def take(self, contexts: Contexts) -> None:
        """Use these for connections from now on."""
        self._contexts = contexts


def server_context(pair: KeyPair, policy: TlsPolicy) -> ssl.SSLContext:
    """For accepted connections. Certificates of clients are not asked for: TLS authenticates nobody here (8.1 of the
    interface). Raises TlsUnusable."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _apply(context, policy)
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    _load(context, pair)
    return context


def client_context(profile: TlsProfile, policy: TlsPolicy) -> ssl.SSLContext:
    """For connections that we open. Raises TlsUnusable."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _apply(context, policy)
    if profile.verify:
        context.load_default_certs()
        if profile.ca_file is not None:
            try:
                context.load_verify_locations(cafile=str(profile.ca_file))
            except (OSError, ssl.SSLError) as error:
                raise TlsUnusable(
                    f"{profile.ca_file}: no certificates of authorities in PEM ({words(error)})"
                ) from error
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if profile.client is not None:
        _load(context, profile.client)
    return context


def probing_context(policy: TlsPolicy) -> ssl.SSLContext:
    """For a look at a certificate that was refused; nothing is ever sent over such a connection."""
    return client_context(TlsProfile(verify=False), policy)


def _apply(context: ssl.SSLContext, policy: TlsPolicy) -> None:
    """Versions and ciphers. OpenSSL lets the old versions through only at its lowest security level."""
    with warnings.catch_warnings():
        # Naming the old versions is what `allow_deprecated` is for.
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1 if policy.allow_deprecated else ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    level = ":@SECLEVEL=0" if policy.allow_deprecated else ""
    try:
        context.set_ciphers(":".join(policy.ciphers) + level)
    except ssl.SSLError as error:
        raise TlsUnusable(
            f"tls.ciphers: none of {', '.join(policy.ciphers)} is known to {ssl.OPENSSL_VERSION}"
        ) from error


def _load(context: ssl.SSLContext, pair: KeyPair) -> None:
    for path in (pair.certificate, pair.key):
        try:
            path.open("rb").close()
        except OSError as error:
            raise TlsUnusable(f"{path}: {error.strerror}") from error
    try:
        context.load_cert_chain(str(pair.certificate), str(pair.key), password=_no_password(pair.key))
    except (OSError, ssl.SSLError) as error:
        raise TlsUnusable(f"{pair.certificate} with {pair.key}: {words(error)}") from error


def _no_password(key: Path) -> Callable[[], str]:
    """The library would ask for a password at the terminal."""

    def refuse() -> str:
        raise TlsUnusable(f"{key}: the key is protected by a password; store it without one, readable by offhook alone")

    return refuse


def words(error: BaseException) -> str:
    """What the TLS library says, without its source lines."""
    reason = getattr(error, "reason", None)
    if reason == "KEY_VALUES_MISMATCH":
        return "the key belongs to another certificate"
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if reason:
        return str(reason).replace("_", " ").lower()
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
