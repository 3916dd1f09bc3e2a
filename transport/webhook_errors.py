"""What can go wrong with a webhook; every error carries its public code.

`failure_of` is the one place where exceptions of the layers below (sockets, TLS) become these errors.
"""

from __future__ import annotations

import socket
import ssl
from typing import ClassVar

import trio

from . import errors
from .certificate import (
    CERTIFICATE_HAS_EXPIRED,
    CERTIFICATE_NOT_YET_VALID,
    HOSTNAME_MISMATCH,
    IP_ADDRESS_MISMATCH,
)


class WebhookError(errors.WebhookFailed):
    """A request to an application could not be carried out.

    `code` is the public error code, which also is the `ErrorCode` parameter of the fallback request; `url` the
    configured URL of the delivery without user, password and fragment, once the client has told it; `detail` says in
    words what happened.
    """

    code = 11200
    """HTTP retrieval failure, the generic one."""
    retried_by: ClassVar[str | None] = None
    """The retry policy (`ct`, `rt`, `all`) under which another attempt is made; None: no attempt would help."""

    def __init__(self, detail: str, *, url: str = "") -> None:
        super().__init__(type(self).code, url, detail)
        self.attempts = 1
        """How many attempts the delivery took."""

    def __str__(self) -> str:
        return f"{self.code} {self.url}: {self.detail}"


class BadUrl(WebhookError):
    """The URL cannot be requested: no http(s) URL, or a host name that is none."""

    code = 11100


class ConnectTimedOut(WebhookError):
    """No TCP connection within the connect timeout."""

    code = 11201
    retried_by = "ct"


class ConnectRefused(WebhookError):
    """The host refused the TCP connection."""

    code = 11202
    retried_by = "ct"


class TotalTimeExceeded(WebhookError):
    """The whole delivery, all attempts and redirects together, took longer than its ceiling."""

    code = 11203


class ConnectionFailed(WebhookError):
    """The host cannot be reached, or the connection broke."""

    code = 11205
    retried_by = "ct"


class ReadTimedOut(WebhookError):
    """Nothing came from the server for the read timeout."""

    code = 11205
    retried_by = "rt"


class ConnectionBroke(WebhookError):
    """An established connection was lost before the answer was complete; only the policy `all` tries again."""

    code = 11205
    retried_by = "all"


class HttpViolation(WebhookError):
    """The server does not speak HTTP, or sets a cookie that cannot be sent back."""

    code = 11206


class HostUnknown(WebhookError):
    """The host name does not resolve."""

    code = 11210
    retried_by = "ct"


class HostForbidden(WebhookError):
    """The host resolves to addresses that webhooks must not reach (see `allowed_networks`)."""

    code = 11210


class TooManyRedirects(WebhookError):
    code = 11215


class BadRedirect(WebhookError):
    """A 3xx that is not followed: another status than 301, 302, 303, 307, or no usable `Location`."""

    code = 11216


class TlsHandshakeFailed(WebhookError):
    code = 11220


class CertificateDomainWrong(WebhookError):
    code = 11235


class CertificateExpired(WebhookError):
    code = 11236


class CertificateUntrusted(WebhookError):
    """No chain from the certificate to a trusted authority (self-signed, for example)."""

    code = 11237


class BadEdge(WebhookError):
    """The `e` override is not a list of edge names."""

    code = 11240


class EdgeUnsupported(WebhookError):
    """None of the edges in the `e` override exists."""

    code = 11241


class EdgeNotAllowed(WebhookError):
    """The `e` override asks for a private interconnect."""

    code = 11242


class BadRetryPolicy(WebhookError):
    """The `rp` override names an unknown policy."""

    code = 11243


class TooLarge(WebhookError):
    """The body is larger than the bound of its purpose."""

    code = 11750


class MediaTooLarge(WebhookError):
    """A media file is larger than what is played."""

    code = 11200


class BadStatus(WebhookError):
    """The server answered 4xx or 5xx."""

    code = 11200

    def __init__(self, detail: str, *, status: int, body: bytes = b"") -> None:
        super().__init__(detail)
        self.status = status
        self.body = body
        """What the server said with it, cut to the bound of the purpose."""


class BadContentType(WebhookError):
    """A document came without a content type, or with one that cannot be a document."""

    code = 12300


# What OpenSSL says when the other side speaks something else than TLS.
NOT_TLS = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "HTTPS_PROXY_REQUEST", "UNKNOWN_PROTOCOL"})

# The table: the first row whose type matches wins. What is no row is a fault of ours and stays an exception.
TABLE: tuple[tuple[type[Exception], type[WebhookError]], ...] = (
    (errors.ConnectRefused, ConnectRefused),
    (errors.NameNotFound, HostUnknown),
    (errors.NameLookupFailed, HostUnknown),
    (errors.AddressNotAllowed, HostForbidden),
    (socket.gaierror, HostUnknown),
    (ConnectionRefusedError, ConnectRefused),
    (TimeoutError, ConnectTimedOut),
    (trio.TooSlowError, ConnectTimedOut),
    (trio.BrokenResourceError, ConnectionBroke),
    (trio.ClosedResourceError, ConnectionBroke),
    (errors.TransportError, ConnectionFailed),
    (OSError, ConnectionFailed),
)


def failure_of(error: Exception) -> WebhookError | None:
    """The webhook error that `error` means; None when it is no failure of the network or the peer."""
    if isinstance(error, WebhookError):
        return error
    if isinstance(error, ssl.SSLError):
        return tls_failure_of(error)
    for kind, meaning in TABLE:
        if isinstance(error, kind):
            return meaning(str(error) or kind.__name__)
    return None


def tls_failure_of(error: ssl.SSLError) -> WebhookError:
    """TLS failures: a wrong certificate by its reason, a peer without TLS, and everything else."""
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in (HOSTNAME_MISMATCH, IP_ADDRESS_MISMATCH):
            return CertificateDomainWrong(error.verify_message)
        if error.verify_code in (CERTIFICATE_HAS_EXPIRED, CERTIFICATE_NOT_YET_VALID):
            return CertificateExpired(error.verify_message)
        return CertificateUntrusted(error.verify_message)
    reason = getattr(error, "reason", None) or str(error)  # an error that OpenSSL did not make has no reason
    if reason in NOT_TLS:
        return HttpViolation(f"the server does not speak TLS on this port ({reason})")
    return TlsHandshakeFailed(reason)
