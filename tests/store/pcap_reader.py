"""Reads PCAPNG and the IP packets in it with nothing of ours: written from the formats' descriptions."""

from __future__ import annotations

import ipaddress
import struct
from pathlib import Path

import attrs


@attrs.frozen
class Block:
    kind: int
    fixed: bytes
    """The body, options and all."""


@attrs.frozen
class Seen:
    """One packet."""

    at_ns: int
    direction: int
    comment: str
    protocol: int
    source: tuple[str, int]
    target: tuple[str, int]
    payload: bytes
    """Of UDP or TCP."""
    sequence: int = 0
    """Of TCP."""

    @property
    def first_line(self) -> str:
        return self.payload.partition(b"\r\n")[0].decode()

    @property
    def step(self) -> str:
        """A method with an arrow, or a status: `> INVITE`, `< 200`, as the server sees it."""
        words = self.first_line.split(" ")
        what = words[1] if words[0] == "SIP/2.0" else words[0]
        return f"{'>' if self.direction == 2 else '<'} {what}"


def blocks_of(data: bytes) -> list[Block]:
    found = []
    while data:
        kind, length = struct.unpack("<II", data[:8])
        assert length % 4 == 0
        assert data[length - 4 : length] == data[4:8], "the length stands at both ends"
        found.append(Block(kind, data[8 : length - 4]))
        data = data[length:]
    return found


def options_of(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while data:
        code, length = struct.unpack("<HH", data[:4])
        if code == 0:
            assert length == 0
            assert data[4:] == b""
            return found
        found[code] = data[4 : 4 + length]
        padded = (length + 3) // 4 * 4
        assert set(data[4 + length : 4 + padded]) <= {0}
        data = data[4 + padded :]
    raise AssertionError("options without an end")


def read_pcapng(source: bytes | Path) -> list[Seen]:
    data = source.read_bytes() if isinstance(source, Path) else source
    section, interface, *rest = blocks_of(data)
    assert section.kind == 0x0A0D0D0A
    assert struct.unpack("<IHHq", section.fixed[:16]) == (0x1A2B3C4D, 1, 0, -1)
    assert options_of(section.fixed[16:])
    assert interface.kind == 1
    assert struct.unpack("<HHI", interface.fixed[:8]) == (101, 0, 0)
    assert options_of(interface.fixed[8:])[9] == b"\x09"
    return [packet_of(block) for block in rest if block.kind == 6]


def packet_of(block: Block) -> Seen:
    number, high, low, captured, size = struct.unpack("<IIIII", block.fixed[:20])
    assert number == 0
    assert captured == size
    about = options_of(block.fixed[20 + (size + 3) // 4 * 4 :])
    protocol, source, target, payload = ip_of(block.fixed[20 : 20 + size])
    from_port, to_port = struct.unpack("!HH", payload[:4])
    sequence, start = 0, 8
    if protocol == 17:
        assert struct.unpack("!H", payload[4:6]) == (len(payload),)
    else:
        (sequence,), start = struct.unpack("!I", payload[4:8]), (payload[12] >> 4) * 4
    return Seen(
        at_ns=high << 32 | low,
        direction=struct.unpack("<I", about[2])[0],
        comment=about.get(1, b"").decode(),
        protocol=protocol,
        source=(source, from_port),
        target=(target, to_port),
        payload=payload[start:],
        sequence=sequence,
    )


def ip_of(data: bytes) -> tuple[int, str, str, bytes]:
    """Protocol, both addresses and payload, of which all checksums are right."""
    if data[0] >> 4 == 4:
        assert data[0] == 0x45
        assert struct.unpack("!H", data[2:4]) == (len(data),)
        assert ones_sum(data[:20]) == 0xFFFF
        protocol, source, target, payload = data[9], data[12:16], data[16:20], data[20:]
    else:
        assert data[0] >> 4 == 6
        assert struct.unpack("!H", data[4:6]) == (len(data) - 40,)
        protocol, source, target, payload = data[6], data[8:24], data[24:40], data[40:]
    pseudo = source + target + struct.pack("!II", len(payload), protocol)
    assert ones_sum(pseudo + payload) == 0xFFFF
    assert payload[6:8] != b"\0\0" or protocol != 17, "no checksum at all"
    return protocol, str(ipaddress.ip_address(source)), str(ipaddress.ip_address(target)), payload


def ones_sum(data: bytes) -> int:
    """The sum of RFC 1071, word by word."""
    total = 0
    for at in range(0, len(data), 2):
        total += int.from_bytes(data[at : at + 2].ljust(2, b"\0"), "big")
        total = (total & 0xFFFF) + (total >> 16)
    return total
