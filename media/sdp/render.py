"""Model to text: the lines in the order of RFC 8866 section 5, CRLF after each."""

from __future__ import annotations

from collections.abc import Iterable

from .model import Attribute, Bandwidth, Connection, Media, SessionDescription

__all__ = ["render"]


def render(description: SessionDescription) -> bytes:
    """The description as the body of a message."""
    lines = _session(description)
    lines.append("")
    return "\r\n".join(lines).encode("utf-8", "surrogateescape")


def _session(it: SessionDescription) -> list[str]:
    o = it.origin
    lines = [
        "v=0",
        f"o={o.username} {o.session_id} {o.version} {o.network} {o.address_type} {o.address}",
        f"s={it.name}",
    ]
    if it.information is not None:
        lines.append(f"i={it.information}")
    if it.uri is not None:
        lines.append(f"u={it.uri}")
    lines += [f"e={email}" for email in it.emails]
    lines += [f"p={phone}" for phone in it.phones]
    lines += _shared(() if it.connection is None else (it.connection,), it.bandwidths)
    for timing in it.times:
        lines.append(f"t={timing.start} {timing.stop}")
        lines += [f"r={repeat}" for repeat in timing.repeats]
    if it.zone is not None:
        lines.append(f"z={it.zone}")
    lines += _tail(it.key, it.attributes)
    for media in it.media:
        lines += _media(media)
    return lines


def _media(it: Media) -> list[str]:
    port = f"{it.port}" if it.port_count == 1 else f"{it.port}/{it.port_count}"
    lines = [f"m={it.kind} {port} {it.profile} {' '.join(it.formats)}"]
    if it.title is not None:
        lines.append(f"i={it.title}")
    lines += _shared(it.connections, it.bandwidths)
    lines += _tail(it.key, it.attributes)
    return lines


def _shared(connections: Iterable[Connection], bandwidths: Iterable[Bandwidth]) -> list[str]:
    lines = [f"c={c.network} {c.address_type} {c.address}" for c in connections]
    lines += [f"b={bandwidth.kind}:{bandwidth.value}" for bandwidth in bandwidths]
    return lines


def _tail(key: str | None, attributes: Iterable[Attribute]) -> list[str]:
    lines = [] if key is None else [f"k={key}"]
    lines += [f"a={each.name}" if each.value is None else f"a={each.name}:{each.value}" for each in attributes]
    return lines
