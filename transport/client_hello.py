"""The first bytes of a TLS client, read before the TLS library does: what it offers, whom it asks for (RFC 8446 4.1.2).

Only so can a refusal be told to the account concerned: the library says no more than that the handshake failed. Pure.
"""

from __future__ import annotations

from typing import Final

import attrs

MAX_BYTES: Final = 16 * 1024 + 5
"""Of one record with its header (RFC 8446 5.1); no client says hello at greater length."""
MAX_RECORDS: Final = 64
"""That a hello may be spread over. All are read again with every byte that comes, so many tiny ones would cost much."""
TLS_1_0: Final = 0x0301
TLS_1_1: Final = 0x0302
TLS_1_2: Final = 0x0303
TLS_1_3: Final = 0x0304
VERSIONS: Final = {0x0300: "SSL 3.0", TLS_1_0: "TLS 1.0", TLS_1_1: "TLS 1.1", TLS_1_2: "TLS 1.2", TLS_1_3: "TLS 1.3"}

HANDSHAKE: Final = 22
CLIENT_HELLO: Final = 1
SERVER_NAME: Final = 0
SUPPORTED_VERSIONS: Final = 43
HOST_NAME: Final = 0


class NotTls(ValueError):
    """The bytes are not how a TLS client begins."""


@attrs.frozen
class ClientHello:
    """What a client says first."""

    version: int
    """The newest that it offers, e.g. 0x0303 for TLS 1.2."""
    server_name: str | None = None
    """The host it asks for (SNI, RFC 6066 section 3), in lower case."""

    @property
    def version_name(self) -> str:
        return VERSIONS.get(self.version, f"version 0x{self.version:04x}")


def read_client_hello(data: bytes) -> ClientHello | None:
    """The hello at the beginning of `data`; None while more bytes are needed (at most `MAX_BYTES`).

    Raises NotTls. A hello spread over several records is put together (RFC 8446 5.1 allows it).
    """
    message = bytearray()
    at = 0
    for _ in range(MAX_RECORDS):
        _check_beginning(data[at:])
        if len(data) < at + 5:
            _check_length(data)
            return None
        length = int.from_bytes(data[at + 3 : at + 5], "big")
        if not length or length > MAX_BYTES - 5:
            raise NotTls("a record of an impossible length")
        message += data[at + 5 : at + 5 + length]
        if message and message[0] != CLIENT_HELLO:
            raise NotTls("the first handshake message is no ClientHello")
        if len(message) >= 4:
            whole = 4 + int.from_bytes(message[1:4], "big")
            if whole > MAX_BYTES:
                raise NotTls("a ClientHello of an impossible length")
            if len(message) >= whole:
                return _hello(_Reader(bytes(message[4:whole])))
        if len(data) < at + 5 + length:
            _check_length(data)
            return None
        at += 5 + length
    raise NotTls(f"a ClientHello in more than {MAX_RECORDS} records")


def _check_beginning(data: bytes) -> None:
    if data and data[0] != HANDSHAKE:
        raise NotTls("the first byte is not that of a TLS handshake")
    if len(data) > 1 and data[1] != 3:
        raise NotTls("the record is not of TLS")


def _check_length(data: bytes) -> None:
    if len(data) >= MAX_BYTES:
        raise NotTls("a ClientHello that does not end")


def _hello(reader: _Reader) -> ClientHello:
    version = reader.number(2)
    reader.take(32)  # random
    reader.block(1)  # session id
    reader.block(2)  # cipher suites
    reader.block(1)  # compression methods
    name = None
    extensions = _Reader(reader.block(2)) if reader.left else _Reader(b"")
    while extensions.left:
        kind, body = extensions.number(2), _Reader(extensions.block(2))
        if kind == SUPPORTED_VERSIONS:
            offered = _Reader(body.block(1))
            known = [each for each in offered.numbers(2) if each in VERSIONS]  # GREASE (RFC 8701) is skipped
            version = max(known, default=version)
        elif kind == SERVER_NAME and body.left:
            name = _host_name(_Reader(body.block(2)))
    return ClientHello(version, name)


def _host_name(names: _Reader) -> str | None:
    while names.left:
        kind, name = names.number(1), names.block(2)
        if kind == HOST_NAME:
            return name.decode("ascii", "replace").lower()
    return None


@attrs.define
class _Reader:
    """Reads lengths and blocks; what is cut short is no TLS."""

    data: bytes
    at: int = 0

    @property
    def left(self) -> int:
        return len(self.data) - self.at

    def take(self, count: int) -> bytes:
        if self.left < count:
            raise NotTls("a ClientHello that is cut short")
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def block(self, size: int) -> bytes:
        """Bytes with their length in front."""
        return self.take(self.number(size))

    def numbers(self, size: int) -> list[int]:
        """All that is left."""
        return [self.number(size) for _ in range(self.left // size)]
