"""The sockets of a far end whose media is encrypted: what it sends is SRTP, and all that it gets must be."""

from __future__ import annotations

import random
from collections.abc import Callable

import attrs

from offhook.media.sdp.crypto import KEY_OCTETS, Keys, Suite
from offhook.media.srtp import Srtp
from offhook.transport.network import Address, Datagram, UdpSocket


@attrs.define(eq=False)
class SealedSocket:
    """A `UdpSocket` between SRTP and the wire."""

    inner: UdpSocket
    seal: Callable[[bytes], bytes]
    unseal: Callable[[bytes, float], bytes | None]

    @property
    def local(self) -> Address:
        return self.inner.local

    def recv_nowait(self) -> Datagram | None:
        datagram = self.inner.recv_nowait()
        if datagram is None:
            return None
        plain = self.unseal(datagram.data, 0.0)
        assert plain is not None, "a leg whose media is encrypted sent what its far end cannot open"
        return datagram._replace(data=plain)

    def send_nowait(self, data: bytes, remote: Address, source: str | None = None) -> bool:
        return self.inner.send_nowait(self.seal(data), remote, source)

    async def readable(self) -> None:
        await self.inner.readable()

    def close(self) -> None:
        self.inner.close()


@attrs.define(eq=False)
class FarEnd:
    """The far end's half of SRTP."""

    keys: Keys
    """As its leg has them."""
    srtp: Srtp = attrs.field(factory=lambda: Srtp([]), init=False)

    def __attrs_post_init__(self) -> None:
        self.agree(self.keys)

    def agree(self, keys: Keys) -> None:
        """Take other keys, again as the leg has them."""
        self.keys = keys
        self.srtp.agree(attrs.evolve(keys, ours=keys.theirs, theirs=keys.ours), 0.0)

    def rtp(self, socket: UdpSocket) -> UdpSocket:
        return SealedSocket(socket, self.srtp.seal, self.srtp.open)

    def rtcp(self, socket: UdpSocket) -> UdpSocket:
        return SealedSocket(socket, self.srtp.seal_report, self.srtp.open_report)


def some_keys(rng: random.Random) -> Keys:
    return Keys(1, rng.choice(list(Suite)), rng.randbytes(KEY_OCTETS), rng.randbytes(KEY_OCTETS))
