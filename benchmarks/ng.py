"""The control protocol of rtpengine, "ng": a cookie, then a bencoded dictionary, in one datagram each way."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import attrs

Value: TypeAlias = "str | int | Sequence[Value] | Mapping[str, Value]"
PATIENCE_S = 2.0
TRIES = 3


class Refused(Exception):
    """rtpengine did not do what it was told."""


@attrs.define(eq=False)
class Control:
    """Asks the rtpengine at 127.0.0.1:`port`."""

    port: int
    _socket: socket.socket = attrs.field(init=False)
    _cookies: itertools.count[int] = attrs.field(factory=itertools.count, init=False)

    def __attrs_post_init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(PATIENCE_S)
        self._socket.connect(("127.0.0.1", self.port))

    def ask(self, command: str, **parameters: Value) -> Mapping[str, Value]:
        """The answer; underscores of names become hyphens. Raises Refused."""
        cookie = f"bench{next(self._cookies)}".encode()
        names = {name.replace("_", "-"): value for name, value in parameters.items()}
        asked = cookie + b" " + encode({"command": command, **names})
        for _ in range(TRIES):  # an answer to a known cookie is repeated, not done twice
            self._socket.send(asked)
            try:
                while True:
                    came, _, body = self._socket.recv(65_536).partition(b" ")
                    if came == cookie:
                        return accepted(command, decode(body))
            except TimeoutError:
                continue
        raise Refused(f"{command}: no answer")

    def close(self) -> None:
        self._socket.close()


def accepted(command: str, answer: Value) -> Mapping[str, Value]:
    if not isinstance(answer, Mapping) or answer.get("result") != "ok":
        raise Refused(f"{command}: {answer!r}")
    return answer


def encode(value: Value) -> bytes:
    """Bencode: strings by length, keys in order."""
    if isinstance(value, str):
        data = value.encode()
        return b"%d:%b" % (len(data), data)
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, Mapping):
        return b"d" + b"".join(encode(key) + encode(value[key]) for key in sorted(value)) + b"e"
    return b"l" + b"".join(map(encode, value)) + b"e"


def decode(data: bytes) -> Value:
    """One bencoded value."""
    value, _ = _decode(data, 0)
    return value


def _decode(data: bytes, at: int) -> tuple[Value, int]:
    kind = data[at : at + 1]
    if kind == b"i":
        end = data.index(b"e", at)
        return int(data[at + 1 : end]), end + 1
    if kind in (b"l", b"d"):
        items: list[Value] = []
        at += 1
        while data[at : at + 1] != b"e":
            item, at = _decode(data, at)
            items.append(item)
        if kind == b"l":
            return items, at + 1
        return {str(key): item for key, item in zip(items[::2], items[1::2], strict=True)}, at + 1
    colon = data.index(b":", at)
    end = colon + 1 + int(data[at:colon])
    return data[colon + 1 : end].decode("utf-8", "replace"), end
