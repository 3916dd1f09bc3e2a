"""A certificate authority of our own, for who brings no certificate: its root, and what it issues to this server.

Pure but for the keys' random numbers. RSA, since the usual cipher list and old phones know nothing else.
"""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Sequence
from typing import Final

import attrs
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from .certificate import names_of

KEY_BITS: Final = 2048
ROOT_LASTS: Final = datetime.timedelta(days=3650)
"""Phones have it installed by hand: it should not end soon."""
LASTS: Final = datetime.timedelta(days=397)
"""As long as clients take one to be valid at most."""
RENEWED_BEFORE: Final = datetime.timedelta(days=30)
"""Its end."""
BACKDATED: Final = datetime.timedelta(days=1)
"""So that a phone whose clock is a little behind takes it."""
COMMON_NAME_MAX: Final = 64
"""Characters (RFC 5280, ub-common-name)."""


@attrs.frozen
class Issued:
    """A certificate and its key, both as PEM."""

    certificate: bytes
    key: bytes = attrs.field(repr=False)


def make_authority(name: str, now: datetime.datetime) -> Issued:
    """A root that signs for itself; `name` is what an operator sees in a phone's list."""
    key = _new_key()
    subject = _named(name)
    builder = (
        _certificate(subject, subject, key, now, ROOT_LASTS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
    )
    return _signed(builder, key, key)


def issue(authority: Issued, hosts: Sequence[str], now: datetime.datetime) -> Issued:
    """A server certificate for `hosts`: names, wildcards, numeric addresses; the first one names it.

    Raises ValueError when the authority's files are no certificate and key.
    """
    root = x509.load_pem_x509_certificate(authority.certificate)
    root_key = serialization.load_pem_private_key(authority.key, None)
    if not isinstance(root_key, rsa.RSAPrivateKey) or root_key.public_key() != root.public_key():
        raise ValueError("the authority's key is not that of its certificate")
    key = _new_key()
    lasts = min(LASTS, root.not_valid_after_utc - now)
    builder = (
        _certificate(_named(hosts[0]), root.subject, key, now, lasts)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([_general_name(host) for host in hosts]), critical=False)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()),
            critical=False,
        )
    )
    return _signed(builder, key, root_key)


def serves(certificate: bytes, hosts: Sequence[str], now: datetime.datetime) -> bool:
    """Whether a PEM certificate is for exactly these hosts and need not be renewed. Raises ValueError for no PEM."""
    found = x509.load_pem_x509_certificate(certificate)
    fresh = found.not_valid_before_utc <= now < found.not_valid_after_utc - RENEWED_BEFORE
    return fresh and names_of(found) == _listed(hosts)


def lasts(certificate: bytes, now: datetime.datetime) -> bool:
    """Whether a PEM certificate of an authority is good for another certificate. Raises ValueError for no PEM."""
    return x509.load_pem_x509_certificate(certificate).not_valid_after_utc - now > 2 * RENEWED_BEFORE


def is_of(certificate: bytes, authority: bytes) -> bool:
    """Whether the authority has issued the certificate; both PEM. Raises ValueError for no PEM."""
    issued, root = x509.load_pem_x509_certificate(certificate), x509.load_pem_x509_certificate(authority)
    try:
        issued.verify_directly_issued_by(root)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _listed(hosts: Sequence[str]) -> list[str]:
    """In the order of `names_of`: names first."""
    numeric = [host for host in hosts if isinstance(_general_name(host), x509.IPAddress)]
    return [*(host for host in hosts if host not in numeric), *(str(ipaddress.ip_address(each)) for each in numeric)]


def _new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:COMMON_NAME_MAX])])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: rsa.RSAPrivateKey, now: datetime.datetime, lasts: datetime.timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + lasts)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=not signs_certificates,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _signed(builder: x509.CertificateBuilder, key: rsa.RSAPrivateKey, signer: rsa.RSAPrivateKey) -> Issued:
    return Issued(
        builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM),
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )
