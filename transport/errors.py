"""What can go wrong between us and a peer: one small tree, each error knowing what it means."""

from __future__ import annotations

from .network import Address, show


class TransportError(Exception):
    """Bytes could not be exchanged with a peer, or a door could not be opened."""


class Unreachable(TransportError):
    """Nothing could be sent to `target` (a host name or `host:port`); `reason` says why, in words."""

    def __init__(self, target: str, reason: str) -> None:
        super().__init__(f"{target}: {reason}")
        self.target, self.reason = target, reason


class ConnectRefused(Unreachable):
    """The peer's machine answered that nobody listens there."""


class NameNotFound(Unreachable):
    """The name server, or /etc/hosts, knows no address of that name."""


class NameLookupFailed(Unreachable):
    """The name could not be asked for: no name server answered, or it answered with a failure."""


class AddressNotAllowed(Unreachable):
    """The address lies outside the networks that the configuration lets us send to."""


class ConnectionLost(TransportError):
    """A connection ended while somebody still needed it."""

    def __init__(self, peer: str, reason: str) -> None:
        super().__init__(f"{peer}: {reason}")
        self.peer, self.reason = peer, reason


class WriterStuck(ConnectionLost):
    """The peer reads too slowly: its queue was full, or nothing moved for too long."""


class WebhookFailed(TransportError):
    """A customer's application gave no usable answer; `code` is the public error code (11200 and its kin)."""

    def __init__(self, code: int, url: str, detail: str) -> None:
        super().__init__(f"{code} {url}: {detail}")
        self.code, self.url, self.detail = code, url, detail


class AddressUnavailable(TransportError):
    """A local address could not be bound; `address` is `(host, port)`."""

    def __init__(self, kind: str, address: Address, reason: str) -> None:
        super().__init__(f"cannot listen on {kind} {show(address)}: {reason}")
        self.kind, self.address, self.reason = kind, address, reason


class AddressInUse(AddressUnavailable):
    """Another program, or another listener of ours, already has that port."""

    def __init__(self, kind: str, address: Address) -> None:
        super().__init__(kind, address, "the port is already taken by another program")


class TlsFailed(Unreachable):
    """No TLS connection could be made with a peer whose TCP connection stood; `target` names it."""


class TlsTooOld(TlsFailed):
    """The peer speaks only versions of TLS that are refused (32222).

    `server_name` is the host that a client asked for, None when it named none or when we were the client.
    """

    def __init__(self, target: str, reason: str, server_name: str | None = None) -> None:
        super().__init__(target, reason)
        self.server_name = server_name


class CertificateRefused(TlsFailed):
    """The certificate of a server that we called proves nothing: expired, for another host, of nobody we trust."""
