"""What one call's webhooks share: its cookies, and the credentials its servers have asked for.

A session belongs to one call and ends with it, so that no call's cookies ever reach another's requests.
"""

from __future__ import annotations

import datetime
import email.utils
import math
import re

import attrs

from .network import is_numeric
from .webhook_auth import Credentials
from .webhook_errors import HttpViolation
from .webhook_target import Target

COOKIES_MAX = 50
"""Per call; the oldest goes first."""
COOKIE_BYTES_MAX = 4096
"""RFC 6265 section 6.1; longer ones are not kept."""

FORBIDDEN = re.compile("[\t\r\n\v\f]")


@attrs.frozen
class Cookie:
    """One cookie as RFC 6265 section 5.3 keeps it."""

    name: str
    value: str
    domain: str
    """Lower case, no leading dot."""
    host_only: bool
    path: str
    secure: bool
    expires_at: float
    """trio seconds; infinity: as long as the call."""

    def goes_to(self, target: Target, now: float) -> bool:
        """Whether a request to `target` carries it (section 5.4)."""
        host = target.host.lower()
        if not (host == self.domain or (not self.host_only and domain_matches(host, self.domain))):
            return False
        if self.secure and target.scheme != "https":
            return False
        return self.expires_at > now and path_matches(target.path.partition("?")[0], self.path)


@attrs.define(eq=False)
class CookieJar:
    """The cookies of one call, in the order they were first set."""

    _cookies: dict[tuple[str, str, str], Cookie] = attrs.field(factory=dict)

    def __len__(self) -> int:
        return len(self._cookies)

    def store(self, header: str, target: Target, *, now: float, utc: datetime.datetime) -> None:
        """Keep what one `Set-Cookie` value sets; raises `HttpViolation` for a cookie that cannot be sent back.

        `now` is trio seconds and `utc` the same moment on the wall, against which `Expires` is read.
        """
        cookie = parse_cookie(header, target, now=now, utc=utc)
        if cookie is None:
            return
        key = (cookie.name, cookie.domain, cookie.path)
        if cookie.expires_at <= now:
            self._cookies.pop(key, None)
            return
        self._cookies[key] = cookie
        while len(self._cookies) > COOKIES_MAX:
            del self._cookies[next(iter(self._cookies))]

    def header(self, target: Target, now: float) -> str | None:
        """The `Cookie` header of a request to `target`; None when no cookie goes there."""
        if not self._cookies:
            return None
        cookies = [cookie for cookie in self._cookies.values() if cookie.goes_to(target, now)]
        # Longer paths first (section 5.4); sorting is stable, so older ones stay in front.
        cookies.sort(key=lambda cookie: -len(cookie.path))
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in cookies) or None


@attrs.define(eq=False)
class CallSession:
    """The HTTP state of one call."""

    cookies: CookieJar = attrs.field(factory=CookieJar)
    credentials: Credentials = attrs.field(factory=Credentials)


def parse_cookie(header: str, target: Target, *, now: float, utc: datetime.datetime) -> Cookie | None:
    """Read a `Set-Cookie` value (RFC 6265 section 5.2); None when it is to be ignored."""
    pair, *attributes = header.split(";")
    name, equals, value = pair.partition("=")
    if not equals:
        return None
    name, value = name.strip(" "), value.strip(" ")
    if not name or FORBIDDEN.search(pair):
        raise HttpViolation(f"the cookie {pair.strip()[:80]!r} has no name, or a control character")
    if len(pair) > COOKIE_BYTES_MAX:
        return None
    host = target.host.lower()
    domain, host_only, path, secure = host, True, default_path(target.path), False
    expires_at, max_age_seen = math.inf, False
    for attribute in attributes:
        key, _, text = attribute.partition("=")
        key, text = key.strip().lower(), text.strip()
        if key == "domain" and text.strip("."):
            domain, host_only = text.lower().lstrip("."), False
        elif key == "path" and text.startswith("/"):
            path = text
        elif key == "secure":
            secure = True
        elif key == "max-age" and re.fullmatch(r"-?[0-9]{1,12}", text):
            expires_at, max_age_seen = (now + int(text) if int(text) > 0 else -math.inf), True
        elif key == "expires" and not max_age_seen:
            date = parse_date(text)
            if date is not None:
                expires_at = now + (date - utc).total_seconds()
    if not host_only and domain == host:
        host_only = "." not in host or is_numeric(host)
    elif not host_only and ("." not in domain or not domain_matches(host, domain)):
        return None
    return Cookie(name, value, domain, host_only, path, secure, expires_at)


def domain_matches(host: str, domain: str) -> bool:
    """Section 5.1.3: the host itself, or a name below the domain; addresses have no names below them."""
    return host == domain or (host.endswith(f".{domain}") and not is_numeric(host))


def path_matches(path: str, cookie_path: str) -> bool:
    """Section 5.1.4."""
    if not path.startswith(cookie_path):
        return False
    return len(path) == len(cookie_path) or cookie_path.endswith("/") or path[len(cookie_path)] == "/"


def default_path(path: str) -> str:
    """Section 5.1.4: the directory of the request's path."""
    directory = path.partition("?")[0].rpartition("/")[0]
    return directory or "/"


def parse_date(text: str) -> datetime.datetime | None:
    """An HTTP date, also with the dashes that cookies may have; None when it is none."""
    try:
        date = email.utils.parsedate_to_datetime(text.replace("-", " "))
    except (ValueError, TypeError, IndexError):
        return None
    return date if date.tzinfo is not None else date.replace(tzinfo=datetime.UTC)
