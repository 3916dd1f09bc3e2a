"""Sources: what a leg can be told to play, as immutable descriptions that many calls may share.

A `Source` is opened once for each playing and then read in steps; only the reader has a position. All samples are
8 kHz, signed 16-bit, mono, little endian (`media/frames.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import attrs

from .frames import SAMPLE_BYTES, SAMPLES_PER_MS

ENDLESS_ROUNDS = 1000
"""How often "loop without end" is played (the bound of `<Play loop="0">` and `<Say loop="0">`)."""


class Reader(Protocol):
    """A source being played."""

    def read(self, size: int) -> bytes:
        """The next `size` bytes of samples (an even number); fewer only when the source is used up, then none."""
        ...


class Source(Protocol):
    """Something that can be played; holds no position, so one object serves any number of calls."""

    def open(self) -> Reader:
        """A reader that stands at the beginning."""
        ...


@attrs.define(eq=False)
class SampleReader:
    """Reads a block of samples from front to back."""

    _samples: bytes
    _at: int = 0

    def read(self, size: int) -> bytes:
        at = self._at
        piece = self._samples[at : at + size]
        self._at = at + len(piece)
        return piece


def _whole_samples(instance: object, attribute: attrs.Attribute[bytes], value: bytes) -> None:
    if len(value) % SAMPLE_BYTES:
        raise ValueError(f"{len(value)} bytes are no whole number of 16-bit samples")


@attrs.frozen(eq=False)
class Clip:
    """Recorded or synthesized sound, kept once however many calls play it."""

    samples: bytes = attrs.field(validator=_whole_samples, repr=lambda samples: f"<{len(samples)} bytes>")

    def open(self) -> Reader:
        return SampleReader(self.samples)

    @property
    def duration_ms(self) -> float:
        return len(self.samples) / SAMPLE_BYTES / SAMPLES_PER_MS


@attrs.define(eq=False)
class _PeriodReader:
    """Repeats one period until `left` bytes are read; `left` is None for a period without end."""

    _period: bytes
    _left: int | None
    _at: int = 0

    def read(self, size: int) -> bytes:
        if self._left is not None:
            size = min(size, self._left)
            self._left -= size
        period = self._period
        piece = period[self._at : self._at + size]
        while len(piece) < size:
            piece += period[: size - len(piece)]
        self._at = (self._at + size) % len(period)
        return piece


def _positive(instance: object, attribute: attrs.Attribute[int | None], value: int | None) -> None:
    if value is not None and value < 0:
        raise ValueError(f"a source cannot last {value} ms")


@attrs.frozen
class Silence:
    """Nothing to hear, for `duration_ms`; without end when that is None. `Silence(0)` is a mark in the play queue."""

    duration_ms: int | None = attrs.field(default=None, validator=_positive)

    def open(self) -> Reader:
        return _PeriodReader(bytes(SAMPLES_PER_MS * SAMPLE_BYTES), _length(self.duration_ms))


def _some(instance: object, attribute: attrs.Attribute[bytes], value: bytes) -> None:
    _whole_samples(instance, attribute, value)
    if not value:
        raise ValueError("a tone needs at least one sample of its period")


@attrs.frozen(eq=False)
class Tone:
    """A periodic signal (a cadence with its pauses is a period too), for `duration_ms` or without end."""

    period: bytes = attrs.field(validator=_some, repr=lambda samples: f"<{len(samples)} bytes>")
    duration_ms: int | None = attrs.field(default=None, validator=_positive)

    def open(self) -> Reader:
        return _PeriodReader(self.period, _length(self.duration_ms))


def _length(duration_ms: int | None) -> int | None:
    return None if duration_ms is None else duration_ms * SAMPLES_PER_MS * SAMPLE_BYTES


@attrs.define(eq=False)
class _SeriesReader:
    """Reads one source after the other with no gap between them, even inside one frame."""

    _sources: tuple[Source, ...]
    _rounds: int
    _next: int = 0
    _reader: Reader | None = None
    _heard_any: bool = False

    def read(self, size: int) -> bytes:
        heard = b""
        while len(heard) < size:
            if self._reader is None:
                if not self._open_next():
                    break
                continue
            piece = self._reader.read(size - len(heard))
            self._heard_any = self._heard_any or bool(piece)
            heard = heard + piece if heard else piece
            if len(heard) < size:
                self._reader = None
        return heard

    def _open_next(self) -> bool:
        if self._next == len(self._sources):
            self._rounds -= 1
            if not self._heard_any:  # a round of nothing would be repeated a thousand times inside one beat
                self._rounds = 0
            self._next = 0
            self._heard_any = False
        if self._rounds <= 0 or not self._sources:
            return False
        self._reader = self._sources[self._next].open()
        self._next += 1
        return True


def _in_order(sources: Iterable[Source]) -> tuple[Source, ...]:
    return tuple(sources)


@attrs.frozen
class Chain:
    """Sources one after the other, without a gap."""

    sources: tuple[Source, ...] = attrs.field(converter=_in_order)

    def open(self) -> Reader:
        return _SeriesReader(self.sources, 1)


@attrs.frozen
class Repeat:
    """A source played `times` times without a gap; 0 means `ENDLESS_ROUNDS`, and no number goes beyond that."""

    source: Source
    times: int = attrs.field(validator=attrs.validators.ge(0))

    def open(self) -> Reader:
        return _SeriesReader((self.source,), min(self.times or ENDLESS_ROUNDS, ENDLESS_ROUNDS))
