"""What one leg plays, in order: sources, fed samples and digits, without a gap between one and the next."""

from __future__ import annotations

from collections import deque
from typing import Final

import attrs

from .dtmf import check_digits
from .events import Played
from .frames import FRAME_BYTES, SAMPLE_BYTES, SAMPLE_RATE_HZ, Frame
from .sources import Reader, SampleReader, Source

FEED_LIMIT_BYTES: Final = 10 * 60 * SAMPLE_RATE_HZ * SAMPLE_BYTES
"""Ten minutes of fed samples in the queue: applications send faster than real time and count on minutes of room."""


@attrs.define(eq=False)
class _Item:
    id: str | None
    """None for fed samples, which nobody is told about."""
    reader: Reader | None
    digits: str = ""
    """What to send when there is no reader."""
    fed_bytes: int = 0
    begun: bool = False
    """Digits that are being sent."""


@attrs.define(eq=False)
class Playlist:
    """The queue. `ended` collects what is over, for the session to take."""

    ended: list[Played] = attrs.field(factory=list)
    _items: deque[_Item] = attrs.field(factory=deque)
    _fed_bytes: int = 0

    def play(self, id: str, source: Source) -> None:  # noqa: A002  # the name that the orders and events have
        self._items.append(_Item(id, source.open()))

    def send_digits(self, id: str, digits: str) -> None:  # noqa: A002  # as above
        """Queue digits; raises BadDigits."""
        self._items.append(_Item(id, None, check_digits(digits)))

    def feed(self, samples: bytes) -> bool:
        """Queue samples; False when there is no room for them."""
        if self._fed_bytes + len(samples) > FEED_LIMIT_BYTES:
            return False
        self._fed_bytes += len(samples)
        self._items.append(_Item(None, SampleReader(samples), fed_bytes=len(samples)))
        return True

    def next_frame(self) -> Frame | None:
        """The next 20 ms; None when nothing is to be played, or digits are."""
        items = self._items
        frame = b""
        while items:
            reader = items[0].reader
            if reader is None:
                break
            piece = reader.read(FRAME_BYTES - len(frame))
            frame = frame + piece if frame else piece
            if len(frame) == FRAME_BYTES:
                return frame
            self._pop(whole=True)
        return frame.ljust(FRAME_BYTES, b"\0") if frame else None

    @property
    def digits(self) -> str | None:
        """The digits that are to be sent now, before anything else; None when there are none."""
        items = self._items
        return items[0].digits if items and items[0].reader is None else None

    def begin_digits(self) -> str:
        """The digits at the head are being sent from now on, until `digits_over`."""
        self._items[0].begun = True
        return self._items[0].digits

    @property
    def digits_begun(self) -> bool:
        """Whether the head is digits that are being sent."""
        return bool(self._items) and self._items[0].begun

    def digits_over(self, whole: bool) -> None:
        """The digits at the head were sent, or cannot be."""
        self._pop(whole)

    def stop(self, id: str | None) -> bool:  # noqa: A002  # as above
        """Drop everything queued under `id`, or everything; says whether digits that are being sent are among it."""
        cut = self.digits_begun
        stay: deque[_Item] = deque()
        for item in self._items:
            if id is None or item.id == id:
                self._forget(item, whole=False)
            else:
                stay.append(item)
        self._items = stay
        return cut and not self.digits_begun

    def _pop(self, whole: bool) -> None:
        self._forget(self._items.popleft(), whole)

    def _forget(self, item: _Item, whole: bool) -> None:
        self._fed_bytes -= item.fed_bytes
        if item.id is not None:
            self.ended.append(Played(item.id, whole))

    def __bool__(self) -> bool:
        return bool(self._items)
