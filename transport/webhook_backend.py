"""How httpcore2 reaches the network here: through our `Network`, past the address guard, with TLS on top."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Iterable
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

import attrs
import httpcore2
import trio

from .network import Address, Network, Stream
from .webhook_errors import (
    CertificateDomainWrong,
    ConnectTimedOut,
    HostUnknown,
    TlsHandshakeFailed,
    failure_of,
    tls_failure_of,
)
from .webhook_guard import AddressGuard

STAGGER_S = 0.25
"""Before the next address of a host is tried beside the one under way (RFC 8305 section 5)."""
ADDRESSES_MAX = 8
"""Of one host that are tried."""


@attrs.define(eq=False)
class Attempt:
    """What the backend notes about the request that runs in this task."""

    connected: bool = False
    """A connection was opened for it; otherwise it went out on one that had been idle."""
    answered: bool = False
    """Some byte of an answer came."""


ATTEMPT: ContextVar[Attempt] = ContextVar("webhook_attempt")


@attrs.define(eq=False)
class Backend(httpcore2.AsyncNetworkBackend):
    """Opens connections for one client."""

    network: Network
    guard: AddressGuard
    sni: bool = True
    """Whether the TLS handshake names the host; the certificate is checked against it either way."""

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109  (httpcore2's interface)
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Look `host` up and connect to the first permitted address that answers, within `timeout` seconds."""
        ATTEMPT.get().connected = True
        looked_up = False
        try:
            with trio.fail_after(_seconds(timeout)):
                addresses = self.guard.sift(host, await self.network.lookup(host, port))
                looked_up = True
                stream = await connect_any(self.network, addresses[:ADDRESSES_MAX])
        except trio.TooSlowError:
            if not looked_up:
                raise HostUnknown(f"{host}: no name server answered within {timeout:g} s") from None
            raise ConnectTimedOut(f"no connection to {host}:{port} within {timeout:g} s") from None
        except Exception as error:
            raise _meaning(error) from error.__cause__
        return WebhookStream(stream, host, self.sni)

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(seconds)


class WebhookStream(httpcore2.AsyncNetworkStream):
    """One connection, plain or TLS, as httpcore2 reads and writes it.

    httpcore2 writes a request in pieces (head, body) and then reads: the pieces are gathered and leave together when
    it turns to reading, which saves a system call, a packet and a TLS record for each request. What goes wrong in
    sending is left to the reading to find out, as httpcore2 itself does: the server may have answered before it
    closed.
    """

    def __init__(self, stream: trio.abc.Stream, host: str, sni: bool) -> None:
        self._stream = stream
        self._host = host
        self._sni = sni
        self._unsent = bytearray()

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ASYNC109  (httpcore2's interface)
        try:
            if timeout is None:
                data = await self._turn(max_bytes)
            else:
                with trio.fail_after(timeout):
                    data = await self._turn(max_bytes)
        except trio.TooSlowError:
            raise httpcore2.ReadTimeout(f"nothing came for {timeout:g} s") from None
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise httpcore2.ReadError(_reason(error)) from error
        if data:
            ATTEMPT.get().answered = True
        return bytes(data)

    async def _turn(self, max_bytes: int) -> bytes | bytearray:
        """Send what was gathered, if anything was, and read."""
        if self._unsent:
            data, self._unsent = self._unsent, bytearray()
            with suppress(trio.BrokenResourceError):
                await self._stream.send_all(data)
        return await self._stream.receive_some(max_bytes)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ASYNC109  (httpcore2's interface)
        await trio.lowlevel.checkpoint_if_cancelled()
        self._unsent += buffer

    async def aclose(self) -> None:
        await trio.aclose_forcefully(self._stream)

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109  (httpcore2's interface)
    ) -> httpcore2.AsyncNetworkStream:
        if isinstance(self._stream, trio.SSLStream):
            raise TypeError("TLS inside TLS is not spoken here")
        tls = trio.SSLStream(
            self._stream,
            ssl_context,
            server_hostname=self._host if self._sni else None,
            https_compatible=True,
        )
        try:
            with trio.fail_after(_seconds(timeout)):
                await tls.do_handshake()
            if not self._sni and not certificate_names(tls.getpeercert() or {}, self._host):
                raise CertificateDomainWrong(f"the certificate is not for {self._host}")
        except BaseException as error:
            await trio.aclose_forcefully(self._stream)
            if isinstance(error, trio.TooSlowError):
                raise TlsHandshakeFailed(f"{self._host}: no TLS handshake within {timeout:g} s") from None
            if isinstance(error, trio.BrokenResourceError):
                if isinstance(error.__cause__, ssl.SSLError):
                    raise tls_failure_of(error.__cause__) from error
                raise TlsHandshakeFailed(f"{self._host}: the connection broke in the TLS handshake") from error
            raise
        return WebhookStream(tls, self._host, self._sni)

    def get_extra_info(self, info: str) -> Any:
        """Nothing: HTTP/2 is never negotiated, and an idle connection that the server has closed meanwhile is noticed
        by the next request on it, which the client then repeats on another (`Attempt`)."""
        return None


async def connect_any(network: Network, addresses: list[Address]) -> Stream:
    """Connect to the first address that takes us: one after the other, `STAGGER_S` apart (RFC 8305).

    When none does, the error of the first is raised: it is the one the name server recommends.
    """
    if len(addresses) == 1:
        return await network.connect_tcp(addresses[0])
    errors: dict[int, Exception] = {}
    winners: list[Stream] = []
    failed = [trio.Event() for _ in addresses]

    async def connect(index: int, nursery: trio.Nursery) -> None:
        if index:
            with trio.move_on_after(STAGGER_S):
                await failed[index - 1].wait()
        if index + 1 < len(addresses):
            nursery.start_soon(connect, index + 1, nursery)
        try:
            stream = await network.connect_tcp(addresses[index])
        except Exception as error:
            errors[index] = error
            failed[index].set()
            return
        winners.append(stream)
        nursery.cancel_scope.cancel()

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(connect, 0, nursery)
    except BaseException:
        for stream in winners:
            await trio.aclose_forcefully(stream)
        raise
    for spare in winners[1:]:
        await trio.aclose_forcefully(spare)
    if not winners:
        raise errors[min(errors)]
    return winners[0]


def certificate_names(certificate: Any, host: str) -> bool:
    """Whether a peer certificate (`getpeercert()`) is for `host` (RFC 9525: SAN only, one leading wildcard)."""
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
            if name == host or (name.startswith("*.") and host.partition(".")[2] == name[2:] and "." in name[2:]):
                return True
    return False


def _meaning(error: Exception) -> Exception:
    """The webhook error that a failure of the network is, so that the pool passes it on; a fault of ours stays."""
    return failure_of(error) or error


def _seconds(timeout: float | None) -> float:
    return float("inf") if timeout is None else timeout


def _reason(error: BaseException) -> str:
    cause = error.__cause__
    return str(cause) if cause is not None else str(error) or type(error).__name__
