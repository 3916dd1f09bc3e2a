"""The signature on every request to an application: how it is made, and how one is checked.

HMAC over the URL and, for a form, its parameters; the key is the account's token (or a shared secret, which goes with
SHA-256). The fragment and any user and password in the URL are never part of it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable
from typing import Literal
from urllib.parse import parse_qsl

HEADER = "X-Twilio-Signature"
SETTINGS_HEADER = "X-Twilio-Webhooks-Signature-Settings"
"""Names key and algorithm of a signature with a shared secret: `key=<id>,algorithm=HMAC_SHA256`."""

Algorithm = Literal["sha1", "sha256"]

_PORTS = {"http": "80", "ws": "80", "https": "443", "wss": "443"}


def signed_url(url: str) -> str:
    """The URL as it is signed: without fragment and userinfo, untouched otherwise."""
    url = url.partition("#")[0]
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url
    end = min((index for index in map(rest.find, "/?") if index >= 0), default=len(rest))
    return f"{scheme}://{rest[:end].rpartition('@')[2]}{rest[end:]}"


def sign(token: str, url: str, parameters: Iterable[tuple[str, str]] = (), *, algorithm: Algorithm = "sha1") -> str:
    """The signature of a request to `url` with these form parameters.

    None for a GET, whose parameters are already in its URL, and for a body that is not a form. Names are sorted by
    their bytes; the values of a repeated name count once each, sorted.
    """
    pairs = sorted({(name, value) for name, value in parameters}, key=_bytes)
    message = signed_url(url) + "".join(name + value for name, value in pairs)
    digest = hmac.digest(token.encode(), message.encode("utf-8", "surrogatepass"), algorithm)
    return base64.b64encode(digest).decode("ascii")


def _bytes(pair: tuple[str, str]) -> tuple[bytes, bytes]:
    return pair[0].encode("utf-8", "surrogatepass"), pair[1].encode("utf-8", "surrogatepass")


def check(
    token: str,
    url: str,
    signature: str,
    parameters: Iterable[tuple[str, str]] = (),
    *,
    body: bytes | None = None,
    algorithm: Algorithm = "sha1",
) -> bool:
    """Whether a request was signed with `token`. Its URL counts with and without the port, as senders differ.

    `body` is that of a request which is not a form: its digest must be the one that the signed URL names.
    """
    given = tuple(parameters)
    if body is not None and not _body_matches(url, body):
        return False
    matches = False
    for candidate in _with_and_without_port(signed_url(url)):
        expected = sign(token, candidate, given, algorithm=algorithm)
        matches |= hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace"))
    return matches


def body_digest(body: bytes) -> str:
    """The value of the query parameter `bodySHA256`."""
    return hashlib.sha256(body).hexdigest()


def _body_matches(url: str, body: bytes) -> bool:
    query = url.partition("#")[0].partition("?")[2]
    wanted = dict(parse_qsl(query, keep_blank_values=True)).get("bodySHA256")
    return wanted is not None and hmac.compare_digest(wanted.encode("utf-8", "replace"), body_digest(body).encode())


def _with_and_without_port(url: str) -> tuple[str, ...]:
    scheme, separator, rest = url.partition("://")
    if not separator:
        return (url,)
    end = min((index for index in map(rest.find, "/?") if index >= 0), default=len(rest))
    host, tail = rest[:end], rest[end:]
    name, colon, port = host.rpartition(":")
    if colon and port.isdigit():
        return (url, f"{scheme}://{name}{tail}")
    default = _PORTS.get(scheme.lower())
    return (url,) if default is None else (url, f"{scheme}://{host.rstrip(':')}:{default}{tail}")
