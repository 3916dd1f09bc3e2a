"""URLs of documents and callbacks: checked (RFC 3986 appendix A) and resolved (section 5), and left alone otherwise.

A signature covers the URL as it was written, so nothing is normalised here: no case folding, no default ports, no
re-encoding beyond what the grammar asks for (characters outside ASCII are percent-encoded in UTF-8, RFC 3987 3.1).
"""

from __future__ import annotations

import re
from collections.abc import Collection

import attrs

from .errors import BadUrl

# URI-reference by its parts                                              RFC 3986 appendix B
_PARTS = re.compile(r"(?:([A-Za-z][A-Za-z0-9+.-]*):)?(?://([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?", re.DOTALL)
# unreserved / pct-encoded / sub-delims / gen-delims                      RFC 3986 sections 2.1 to 2.3
_ALLOWED = re.compile(r"(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=|{}^`\"\\-]|%[0-9A-Fa-f]{2}|[^\x00-\xa0])*")
_TEMPLATE = re.compile(r"[{}|^`\"\\]")  # not in the grammar, but every browser sends them; encoded as browsers do
_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")
# host [ ":" port ]; the userinfo has been taken off                      RFC 3986 section 3.2.2
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:@/?#\[\]<>\\^`{|}\"%]+)(?::([0-9]{0,5}))?")


@attrs.frozen
class Parts:
    """A reference taken apart; `None` is a part that is not there, which is not the same as an empty one."""

    scheme: str | None
    authority: str | None
    path: str
    query: str | None
    fragment: str | None

    @classmethod
    def of(cls, text: str) -> Parts:
        match = _PARTS.fullmatch(text)
        assert match is not None  # the pattern matches any text
        scheme, authority, path, query, fragment = match.groups()
        return cls(scheme, authority, path, query, fragment)

    def __str__(self) -> str:
        """Put together again (RFC 3986 section 5.3)."""
        return "".join(
            (
                "" if self.scheme is None else f"{self.scheme}:",
                "" if self.authority is None else f"//{self.authority}",
                self.path,
                "" if self.query is None else f"?{self.query}",
                "" if self.fragment is None else f"#{self.fragment}",
            )
        )

    @property
    def host(self) -> str:
        return (self.authority or "").rpartition("@")[2].partition(":")[0]


def check(reference: str, *, schemes: Collection[str] = ("http", "https"), absolute: bool = False) -> Parts:
    """The parts of a URL or relative reference that could be fetched, or `BadUrl`."""
    if _ALLOWED.fullmatch(reference) is None:
        raise BadUrl("a URL in which spaces and other special characters are percent-encoded")
    parts = Parts.of(reference)
    if parts.scheme is None:
        if absolute:
            raise BadUrl(f"an absolute URL ({' or '.join(schemes)})")
        if parts.authority is None:
            return parts
    elif parts.scheme.lower() not in schemes:
        raise BadUrl(f"a URL of scheme {' or '.join(schemes)}")
    host = _HOST.fullmatch((parts.authority or "").rpartition("@")[2])
    if host is None or (host[2] and not 0 < int(host[2]) < 65536):
        raise BadUrl("a URL with a valid host name and port")
    return parts


def check_callback(reference: str) -> None:
    """Refuse the host names that callbacks may not have."""
    if "_" in Parts.of(reference).host:
        raise BadUrl("a URL whose host name has no underscore")


def resolve(base: str | None, reference: str, *, schemes: Collection[str] = ("http", "https")) -> str:
    """The URL that `reference` means inside the document at `base` (RFC 3986 section 5.2.2); `BadUrl` if none.

    An empty reference is the document itself, with the connection overrides in its fragment. `base` is `None` for a
    document that was given inline: then only absolute URLs mean anything. A document whose own URL is of another scheme
    (an application inside the same program) may be referred to relatively.
    """
    parts = check(reference.strip(), schemes=schemes)
    if parts.scheme is not None:
        return str(_encoded(parts))
    if base is None:
        raise BadUrl("an absolute URL, as the document has no URL of its own", code=15004)
    ground = Parts.of(base)
    if ground.scheme is None:
        raise BadUrl("an absolute URL, as the document has no URL of its own", code=15004)
    if str(parts) == "":
        return base
    if parts.authority is not None:
        target = attrs.evolve(parts, scheme=ground.scheme, path=_without_dots(parts.path))
    elif not parts.path:
        query = ground.query if parts.query is None else parts.query
        target = attrs.evolve(ground, query=query, fragment=parts.fragment)
    else:
        path = parts.path if parts.path.startswith("/") else _merged(ground, parts.path)
        target = attrs.evolve(ground, path=_without_dots(path), query=parts.query, fragment=parts.fragment)
    return str(_encoded(target))


def with_scheme(url: str, schemes: dict[str, str]) -> str:
    """`url` with its scheme exchanged, for links whose scheme differs from their document's (`https` to `wss`)."""
    parts = Parts.of(url)
    scheme = (parts.scheme or "").lower()
    return str(attrs.evolve(parts, scheme=schemes.get(scheme, scheme)))


def _merged(base: Parts, path: str) -> str:
    """RFC 3986 section 5.2.3."""
    if base.authority is not None and not base.path:
        return "/" + path
    return base.path[: base.path.rfind("/") + 1] + path


def _without_dots(path: str) -> str:
    """RFC 3986 section 5.2.4."""
    if "." not in path:
        return path
    output: list[str] = []
    segments = path.split("/")
    for segment in segments[:-1]:
        if segment == "..":
            if len(output) > 1 or (output and output[0] != ""):
                output.pop()
        elif segment != ".":
            output.append(segment)
    last = segments[-1]
    if last == "..":
        if len(output) > 1 or (output and output[0] != ""):
            output.pop()
        last = ""
    elif last == ".":
        last = ""
    if path.startswith("/") and not output:
        output.append("")
    return "/".join([*output, last])


def _encoded(parts: Parts) -> Parts:
    """Percent-encode what the grammar has no place for, everywhere but in the authority (its host may be a U-label)."""

    def encode(text: str) -> str:
        text = _NOT_ASCII.sub(lambda run: "".join(f"%{byte:02X}" for byte in run[0].encode()), text)
        return _TEMPLATE.sub(lambda char: f"%{ord(char[0]):02X}", text)

    return attrs.evolve(
        parts,
        path=encode(parts.path),
        query=None if parts.query is None else encode(parts.query),
        fragment=None if parts.fragment is None else encode(parts.fragment),
    )
