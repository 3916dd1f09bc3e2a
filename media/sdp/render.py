"""Model to text: the lines in the order of RFC 8866 section 5, CRLF after each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from .model import Attribute, Bandwidth, Connection, Media, SessionDescription

__all__ = ["render"]


def render(description: SessionDescription) -> bytes:
    """The description as the body of a message."""
    return "".join(f"{line}\r\n" for line in _session(description)).encode("utf-8", "surrogateescape")


def _session(it: SessionDescription) -> Iterator[str]:
    o = it.origin
    yield "v=0"
    yield f"o={o.username} {o.session_id} {o.version} {o.network} {o.address_type} {o.address}"
    yield f"s={it.name}"
    if it.information is not None:
        yield f"i={it.information}"
    if it.uri is not None:
        yield f"u={it.uri}"
    yield from (f"e={email}" for email in it.emails)
    yield from (f"p={phone}" for phone in it.phones)
    yield from _shared(() if it.connection is None else (it.connection,), it.bandwidths)
    for timing in it.times:
        yield f"t={timing.start} {timing.stop}"
        yield from (f"r={repeat}" for repeat in timing.repeats)
    if it.zone is not None:
        yield f"z={it.zone}"
    yield from _tail(it.key, it.attributes)
    for media in it.media:
        yield from _media(media)


def _media(it: Media) -> Iterator[str]:
    port = f"{it.port}" if it.port_count == 1 else f"{it.port}/{it.port_count}"
    yield f"m={it.kind} {port} {it.profile} {' '.join(it.formats)}"
    if it.title is not None:
        yield f"i={it.title}"
    yield from _shared(it.connections, it.bandwidths)
    yield from _tail(it.key, it.attributes)


def _shared(connections: Iterable[Connection], bandwidths: Iterable[Bandwidth]) -> Iterator[str]:
    yield from (f"c={c.network} {c.address_type} {c.address}" for c in connections)
    yield from (f"b={bandwidth.kind}:{bandwidth.value}" for bandwidth in bandwidths)


def _tail(key: str | None, attributes: Iterable[Attribute]) -> Iterator[str]:
    if key is not None:
        yield f"k={key}"
    for attribute in attributes:
        yield f"a={attribute.name}" if attribute.value is None else f"a={attribute.name}:{attribute.value}"
