"""TLS on an open stream: the handshake of either side, within a time, with errors an operator can act on."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeAlias

import structlog
import trio

from .certificate import (
    CERTIFICATE_HAS_EXPIRED,
    CERTIFICATE_NOT_YET_VALID,
    HOSTNAME_MISMATCH,
    IP_ADDRESS_MISMATCH,
    ISSUER_UNKNOWN,
    ISSUER_UNKNOWN_OF_LEAF,
    SELF_SIGNED,
    SELF_SIGNED_IN_CHAIN,
    certificate_names,
    describe_certificate,
)
from .client_hello import MAX_BYTES, ClientHello, NotTls, read_client_hello
from .errors import CertificateRefused, TlsFailed, TlsTooOld, TransportError
from .network import Address, Stream, show
from .tls import TlsClients, TlsPolicy, TlsServer, TlsUnusable, probing_context, words

TlsStream: TypeAlias = "trio.SSLStream[trio.abc.Stream]"

HANDSHAKE_S: Final = 10.0
"""For one handshake, either way."""
PROBE_S: Final = 3.0
"""For a look at a certificate that was refused."""
HELLO_READ: Final = 4096

# What OpenSSL calls a peer that has no version in common with us.
VERSION_REASONS: Final = frozenset(
    {"UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION", "VERSION_TOO_LOW", "NO_PROTOCOLS_AVAILABLE"}
)
# Why a certificate is refused, and what there is to be done.
REMEDIES: Final = {
    CERTIFICATE_NOT_YET_VALID: "is not valid yet: check the clocks of both sides",
    CERTIFICATE_HAS_EXPIRED: "has expired: whoever runs that server must renew it",
    SELF_SIGNED: "is signed by itself: give it as ca_file, if it is the right one",
    SELF_SIGNED_IN_CHAIN: "comes from an authority that is not known here: give that authority as ca_file",
    ISSUER_UNKNOWN: "comes from an authority that is not known here: give that authority as ca_file",
    ISSUER_UNKNOWN_OF_LEAF: "comes from an authority that is not known here: give that authority as ca_file",
    HOSTNAME_MISMATCH: "is for another host: call it by a name that is in the certificate",
    IP_ADDRESS_MISMATCH: "is for another address: call it by a name that is in the certificate",
}
WITHOUT: Final = "; verify_certificate = false of its [[trunk]] would believe anybody"

log = structlog.get_logger(__name__)


class Replayed(trio.abc.HalfCloseableStream):
    """A stream that gives back bytes already read before it goes on."""

    def __init__(self, stream: Stream, read: bytes) -> None:
        self._stream, self._read = stream, read

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        if not self._read:
            return await self._stream.receive_some(max_bytes)
        await trio.lowlevel.checkpoint()
        count = len(self._read) if max_bytes is None else max_bytes
        first, self._read = self._read[:count], self._read[count:]
        return first

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        await self._stream.send_eof()

    async def aclose(self) -> None:
        await self._stream.aclose()


async def accept_tls(stream: Stream, server: TlsServer) -> TlsStream:
    """The handshake with a client. Raises TlsFailed, TlsTooOld where its version is the reason; the stream is closed
    then."""
    peer = show(stream.remote)
    async with _closed_unless_done(stream, peer):
        hello, read = await _hello(stream)
        try:
            return await _shake(Replayed(stream, read), server.context, peer, server_side=True)
        except ssl.SSLError as error:
            if error.reason in VERSION_REASONS:
                raise TlsTooOld(peer, f"{hello.version_name} is the newest it speaks", hello.server_name) from error
            raise TlsFailed(peer, words(error)) from error


async def connect_tls(
    connect: Callable[[], Awaitable[Stream]], name: str, address: Address, clients: TlsClients
) -> tuple[TlsStream, Stream]:
    """A connection to `address` with the server called `name` behind it, and the stream below it.

    `connect` opens a stream to that address; it is called once more when a certificate is refused, to see whose that
    is. Raises what `connect` raises, TlsFailed, TlsTooOld, CertificateRefused; nothing stays open then.
    """
    profile = clients.profile(name)
    try:
        context = clients.context(profile)
    except TlsUnusable as error:
        raise TlsFailed(name, str(error)) from error
    peer = f"{name} ({show(address)})" if name != address[0] else show(address)
    stream = await connect()
    try:
        async with _closed_unless_done(stream, peer):
            tls = await _shake(stream, context, peer, server_hostname=name)
            certificate = tls.getpeercert() or {}
            if profile.verify and not certificate_names(certificate, name, wildcards=clients.policy.wildcards):
                raise _NotFor
    except _NotFor as error:
        raise CertificateRefused(peer, await _refusal(connect, name, clients.policy, HOSTNAME_MISMATCH)) from error
    except ssl.SSLCertVerificationError as error:
        raise CertificateRefused(peer, await _refusal(connect, name, clients.policy, error.verify_code)) from error
    except ssl.SSLError as error:
        if error.reason in VERSION_REASONS:
            raise TlsTooOld(peer, "it speaks only versions of TLS that are refused") from error
        raise TlsFailed(peer, words(error)) from error
    return tls, stream


class _NotFor(Exception):
    """The TLS library let a wildcard pass that we do not."""


async def _refusal(connect: Callable[[], Awaitable[Stream]], name: str, policy: TlsPolicy, code: int) -> str:
    """Which certificate was refused, why, and what there is to be done."""
    why = REMEDIES.get(code, f"was refused (code {code} of the TLS library)")
    return f"{await _look(connect, name, policy)} {why}{WITHOUT}"


async def _look(connect: Callable[[], Awaitable[Stream]], name: str, policy: TlsPolicy) -> str:
    """Describe the certificate that a server shows. The library does not tell of one that it refused."""
    stream: Stream | None = None
    try:
        with trio.fail_after(PROBE_S):
            stream = await connect()
            tls = await _shake(stream, probing_context(policy), name, server_hostname=name)
            der = tls.getpeercert(binary_form=True)
    except (TransportError, ssl.SSLError, trio.TooSlowError) as error:
        log.info("no second look at a certificate", server=name, error=str(error))
        der = None
    finally:
        if stream is not None:
            await trio.aclose_forcefully(stream)
    return "the certificate that it shows" if der is None else describe_certificate(der)


class _Alerting:
    """A context that keeps hold of what the library wants to send: trio drops the alert of a handshake that fails, and
    the peer would not learn why."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._outgoing: ssl.MemoryBIO | None = None

    def wrap_bio(
        self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, *, server_side: bool, server_hostname: str | None
    ) -> ssl.SSLObject:
        self._outgoing = outgoing
        return self._context.wrap_bio(incoming, outgoing, server_side=server_side, server_hostname=server_hostname)

    def unsent(self) -> bytes:
        return b"" if self._outgoing is None else self._outgoing.read()


async def _shake(
    stream: trio.abc.Stream,
    context: ssl.SSLContext,
    peer: str,
    *,
    server_side: bool = False,
    server_hostname: str | None = None,
) -> TlsStream:
    """The handshake. Raises TlsFailed, and what the TLS library has to say as it is; the peer gets its alert."""
    alerting = _Alerting(context)
    # `https_compatible`: peers hang up without saying so in TLS, and a SIP message tells its own length.
    tls: TlsStream = trio.SSLStream(
        stream,
        alerting,  # type: ignore[arg-type]  # of a context trio needs this one method
        server_side=server_side,
        server_hostname=server_hostname,
        https_compatible=True,
    )
    try:
        await tls.do_handshake()
    except trio.BrokenResourceError as error:
        if not isinstance(error.__cause__, ssl.SSLError):
            raise TlsFailed(peer, "the connection broke in the TLS handshake") from error
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            await stream.send_all(alerting.unsent())
        raise error.__cause__ from None
    return tls


@asynccontextmanager
async def _closed_unless_done(stream: Stream, peer: str) -> AsyncIterator[None]:
    """Bounds a handshake in time; the stream is closed when it comes to nothing."""
    try:
        with trio.fail_after(HANDSHAKE_S):
            yield
    except trio.TooSlowError:
        await trio.aclose_forcefully(stream)
        raise TlsFailed(peer, f"no TLS handshake within {HANDSHAKE_S:g} s") from None
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise


async def _hello(stream: Stream) -> tuple[ClientHello, bytes]:
    """What the client says first, and the bytes it said it in. Raises TlsFailed."""
    peer, read = show(stream.remote), b""
    while True:
        try:
            hello = read_client_hello(read)
        except NotTls as error:
            raise TlsFailed(peer, f"it does not speak TLS: {error}") from error
        if hello is not None:
            return hello, read
        try:
            more = await stream.receive_some(min(HELLO_READ, MAX_BYTES - len(read)))
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise TlsFailed(peer, "the connection broke before the TLS handshake") from error
        if not more:
            raise TlsFailed(peer, "it hung up before the TLS handshake")
        read += more
