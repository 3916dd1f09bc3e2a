"""The certificate that phones are shown: files, chain, names, dates; and what weakens TLS."""

from __future__ import annotations

import datetime
import itertools
import ssl
import stat
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.utils import CryptographyDeprecationWarning

from ...transport.certificate import covers, names_of
from ...transport.tls import KeyPair, TlsUnusable, server_context
from ..certificates import WARN_BEFORE
from ..config import Config
from ..tls import certificate_hosts, configured_pair, own_files, root_files, tls_policy
from ..trunk_values import over_tls
from .findings import Finding, failure, fine, warning

ABOUT: Final = "certificate"


def examine_certificates(config: Config) -> Iterator[Finding]:
    """Everything about TLS."""
    if not config.sip.tls:
        yield from _without_tls(config)
        return
    pair = configured_pair(config)
    if pair is None:
        yield from _own(config)
    else:
        yield from _files(config, pair)
    yield from _weakened(config)


def _without_tls(config: Config) -> Iterator[Finding]:
    secure = [domain.name for domain in config.domains if domain.secure]
    if secure:
        text = f"sip.tls is empty, and domain {', '.join(secure)} takes calls over TLS only"
        yield failure("tls", text, "give sip.tls an address, or set secure = false")
    else:
        yield fine("tls", "not served: sip.tls is empty")


def _own(config: Config) -> Iterator[Finding]:
    pair, root = own_files(config), root_files(config).certificate
    if not pair.certificate.exists():
        yield fine(ABOUT, f"none yet: offhook makes its own at the first start, in {root.parent}")
        return
    found, told = _readable(config, pair)
    yield from told
    if found:
        yield fine("authority", f"our own: phones that check certificates need {root} (offhook ca export)")
        # Names and dates mend themselves: the server makes a new one at its next start.
        stale = set(certificate_hosts(config)) - set(names_of(found[0]))
        if stale:
            yield warning(ABOUT, f"not for {', '.join(sorted(stale))} yet", "restart the server: it makes a new one")


def _files(config: Config, pair: KeyPair) -> Iterator[Finding]:
    found, told = _readable(config, pair)
    yield from told
    if not found:
        return
    yield from _dates(found, config.now_utc())
    yield from _names(config, names_of(found[0]))
    yield from _chain(found)


def _readable(config: Config, pair: KeyPair) -> tuple[list[x509.Certificate], list[Finding]]:
    """The certificates of the file, none when it or its key cannot be used; and what there is to say of the two."""
    try:
        server_context(pair, tls_policy(config))
        found = x509.load_pem_x509_certificates(pair.certificate.read_bytes())
    except (TlsUnusable, OSError, ValueError) as error:
        remedy = "tls.certificate and tls.private_key must be PEM files of one pair that offhook's user can read"
        return [], [failure(ABOUT, str(error), remedy)]
    told = [fine(ABOUT, f"{pair.certificate}: {found[0].subject.rfc4514_string()}, with its key")]
    if stat.S_IMODE(pair.key.stat().st_mode) & 0o077:
        text = f"{pair.key} can be read by other users of this machine"
        told.append(warning("key", text, f"chmod 600 {pair.key}"))
    return found, told


def _dates(found: list[x509.Certificate], now: datetime.datetime) -> Iterator[Finding]:
    for certificate in found:
        name = certificate.subject.rfc4514_string()
        begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        if now < begin:
            remedy = "check the clock of this machine, or take the right file"
            yield failure("validity", f"{name} is not valid before {begin:%Y-%m-%d %H:%M} UTC", remedy)
        elif now >= end:
            yield failure("validity", f"{name} expired on {end:%Y-%m-%d}: phones refuse it", "renew it")
        elif end - now < WARN_BEFORE:
            yield warning("validity", f"{name} expires on {end:%Y-%m-%d}", "renew it; the server takes new files")
        else:
            yield fine("validity", f"{name} until {end:%Y-%m-%d}")


def _names(config: Config, names: list[str]) -> Iterator[Finding]:
    hosts = [config.sip.names.full(domain.name) for domain in config.domains]
    missing = [host for host in hosts if host not in names and not any(covers(name, host) for name in names)]
    if missing:
        remedy = f"have it issued for *.{config.sip.domain_suffix}, or for each of them"
        yield failure("names", f"the certificate is not for {', '.join(missing)}", remedy)
    else:
        yield fine("names", f"good for {', '.join(hosts) or 'no domain: there is none'}")
    address = config.server.advertised_address
    if address is not None and address not in names:
        remedy = "fine as long as phones call names; those that call the address must not check certificates"
        yield warning("names", f"the certificate is not for the advertised address {address}", remedy)


def _chain(found: list[x509.Certificate]) -> Iterator[Finding]:
    """Each certificate by the next one; the last by an authority that the world knows."""
    for lower, upper in itertools.pairwise(found):
        if lower.issuer != upper.subject:
            yield failure(
                "chain",
                f"{lower.subject.rfc4514_string()} was issued by {lower.issuer.rfc4514_string()}, but the file goes on "
                f"with {upper.subject.rfc4514_string()}",
                "put the certificates in order: ours, then its issuer, and so on (often called fullchain.pem)",
            )
            return
    last = found[-1]
    if last.issuer in _authorities():
        yield fine("chain", f"leads to {last.issuer.rfc4514_string()}, which this system trusts")
    elif last.issuer == last.subject:
        yield warning(
            "chain",
            f"ends at {last.subject.rfc4514_string()}, which phones do not know by themselves",
            "install it in those that check certificates",
        )
    else:
        yield warning(
            "chain",
            f"ends with {last.subject.rfc4514_string()}, whose issuer {last.issuer.rfc4514_string()} this system does "
            "not know",
            "add the missing certificates to the file, or install the authority in phones if it is a private one",
        )


def _authorities() -> set[x509.Name]:
    """Whom this system trusts."""
    context = ssl.create_default_context()
    names = set()
    with warnings.catch_warnings():
        # Some authorities have serial numbers that the standard forbids; what the system trusts is not ours to mend.
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        for der in context.get_ca_certs(binary_form=True):
            try:
                names.add(x509.load_der_x509_certificate(der).subject)
            except ValueError:  # an authority that cannot be read vouches for nobody
                continue
    return names


def _weakened(config: Config) -> Iterator[Finding]:
    if config.tls.allow_deprecated:
        remedy = "set tls.allow_deprecated = false as soon as the last old phone is gone"
        yield warning("tls", "TLS 1.0 and 1.1 are let through", remedy)
    for trunk in config.trunks:
        if not trunk.verify_certificate:
            hosts = ", ".join(uri.host for uri in trunk.uris if over_tls(uri))
            remedy = "set ca_file to the carrier's authority, and remove verify_certificate = false"
            yield warning(f"trunk {trunk.name}", f"whoever answers at {hosts} is believed", remedy)
    for path in _bundles(config):
        yield from _bundle(path)


def _bundles(config: Config) -> list[Path]:
    found = [config.tls.ca_file, config.webhooks.ca_file, *(trunk.ca_file for trunk in config.trunks)]
    return list(dict.fromkeys(path for path in found if path is not None))


def _bundle(path: Path) -> Iterator[Finding]:
    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as error:
        yield failure("ca_file", f"{path}: {error}", "give a PEM file of certificates of authorities")
    else:
        yield fine("ca_file", f"{path}: {len(found)} authorities")
