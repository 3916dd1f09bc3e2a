"""Opens connections to applications: through our `Network`, past the address guard, with TLS on top."""

from __future__ import annotations

import ssl

import attrs
import trio

from .certificate import certificate_names
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
class Opener:
    """Opens connections to one origin."""

    network: Network
    guard: AddressGuard
    host: str
    port: int
    context: ssl.SSLContext | None = None
    """TLS settings; None: plain."""
    sni: bool = True
    """Whether the TLS handshake names the host; the certificate is checked against it either way."""

    async def open(self, within_s: float) -> trio.abc.Stream:
        """Look the host up and connect to the first permitted address that answers, within `within_s` seconds; the
        TLS handshake gets as long again. Raises `WebhookError`."""
        stream = await self._connect(within_s)
        return stream if self.context is None else await self._secured(stream, self.context, within_s)

    async def _connect(self, within_s: float) -> Stream:
        looked_up = False
        try:
            with trio.fail_after(within_s):
                addresses = self.guard.sift(self.host, await self.network.lookup(self.host, self.port))
                looked_up = True
                return await connect_any(self.network, addresses[:ADDRESSES_MAX])
        except trio.TooSlowError:
            if not looked_up:
                raise HostUnknown(f"{self.host}: no name server answered within {within_s:g} s") from None
            raise ConnectTimedOut(f"no connection to {self.host}:{self.port} within {within_s:g} s") from None
        except Exception as error:
            failure = failure_of(error)
            if failure is None or failure is error:
                raise  # a fault of ours, or what says already what it means
            raise failure from error

    async def _secured(self, stream: Stream, context: ssl.SSLContext, within_s: float) -> trio.abc.Stream:
        host = self.host
        tls = trio.SSLStream(stream, context, server_hostname=host if self.sni else None, https_compatible=True)
        try:
            with trio.fail_after(within_s):
                await tls.do_handshake()
            if not self.sni and not certificate_names(tls.getpeercert() or {}, host):
                raise CertificateDomainWrong(f"the certificate is not for {host}")
        except BaseException as error:
            await trio.aclose_forcefully(stream)
            if isinstance(error, trio.TooSlowError):
                raise TlsHandshakeFailed(f"{host}: no TLS handshake within {within_s:g} s") from None
            if isinstance(error, trio.BrokenResourceError):
                if isinstance(error.__cause__, ssl.SSLError):
                    raise tls_failure_of(error.__cause__) from error
                raise TlsHandshakeFailed(f"{host}: the connection broke in the TLS handshake") from error
            raise
        return tls


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
