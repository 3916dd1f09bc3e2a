"""Peer certificates: whom one is for, and how to name it to an operator."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any, Final

from cryptography import x509

# X509_V_ERR_* of OpenSSL: the `verify_code` of a certificate that was refused.
CERTIFICATE_NOT_YET_VALID: Final = 9
CERTIFICATE_HAS_EXPIRED: Final = 10
SELF_SIGNED: Final = 18
SELF_SIGNED_IN_CHAIN: Final = 19
ISSUER_UNKNOWN: Final = 20
ISSUER_UNKNOWN_OF_LEAF: Final = 21
HOSTNAME_MISMATCH: Final = 62
IP_ADDRESS_MISMATCH: Final = 64

SHOWN_NAMES = 4
"""Of the names in a certificate, in messages."""


def certificate_names(certificate: Mapping[str, Any], host: str, *, wildcards: bool = True) -> bool:
    """Whether a peer certificate (`getpeercert()`) is for `host` (RFC 9525: SAN only, one leading wildcard).

    Without `wildcards` a name must stand there in full, as RFC 5922 section 7.2 wants it of SIP.
    """
    host = host.lower().removesuffix(".")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        address = None
    for kind, value in certificate.get("subjectAltName", ()):
        if kind == "IP Address" and address is not None:
            try:
                if ipaddress.ip_address(value.strip()) == address:
                    return True
            except ValueError:
                continue
        if kind == "DNS" and address is None:
            name = value.lower().removesuffix(".")
            if name == host or (wildcards and covers(name, host)):
                return True
    return False


def covers(name: str, host: str) -> bool:
    """Whether `*.example.com` stands for `host`: for exactly one more label, and never for a whole top-level domain."""
    return name.startswith("*.") and host.partition(".")[2] == name[2:] and "." in name[2:]


def describe_certificate(der: bytes) -> str:
    """One clause about a certificate in DER: whose it is, who issued it, until when."""
    try:
        certificate = x509.load_der_x509_certificate(der)
        subject, issuer = certificate.subject.rfc4514_string(), certificate.issuer.rfc4514_string()
        until = certificate.not_valid_after_utc
        names = names_of(certificate)
    except ValueError as error:  # what a peer sends may be anything
        return f"a certificate that cannot be read ({error})"
    listed = ", ".join(names[:SHOWN_NAMES]) + (" and more" if len(names) > SHOWN_NAMES else "")
    return (
        f'the certificate "{subject}"{f" for {listed}" if listed else " without names"}, '
        f'issued by "{issuer}", valid until {until:%Y-%m-%d}'
    )


def names_of(certificate: x509.Certificate) -> list[str]:
    """The host names and addresses that a certificate is for."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))]
