"""Who may call, what it may cost, and secrets that can be guessed."""

from __future__ import annotations

import ipaddress
import math
from collections import Counter
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from ..config import Config, DomainSettings
from ..trunk_config import TrunkSettings
from .findings import Finding, failure, fine, warning

TOKEN_BITS: Final = 80.0
"""Below that an auth token can be guessed; one of 32 random hexadecimal digits has 128."""
PASSWORD_LENGTH: Final = 12
"""What the original demands of digest passwords, with a digit, an upper-case and a lower-case letter."""
TOO_WIDE: Final = 2**16
"""Addresses of a network that is to say "these callers"."""


def examine_safety(config: Config) -> Iterator[Finding]:
    yield _token(config.account.auth_token)
    for domain in config.domains:
        yield from _callers(domain)
        yield from _passwords(domain)
        yield from _application(config, domain)
    for trunk in config.trunks:
        yield from _trunk(trunk)
    if config.http.exposed and not config.http.public_url.startswith("https://"):
        text = f"{config.http.bind} is open to others, in the clear: token and recordings can be read on the way"
        yield warning("http.bind", text, "put a reverse proxy with TLS before it, and give http.public_url its address")


def bits(secret: str) -> float:
    """How many bits of surprise there are at most, by how often each character comes (Shannon)."""
    counts = Counter(secret)
    return -sum(count * math.log2(count / len(secret)) for count in counts.values())


def _token(token: str) -> Finding:
    if not token:
        return fine("auth_token", "made by offhook and kept in data_dir")
    if bits(token) < TOKEN_BITS:
        remedy = "take 32 random hexadecimal digits (openssl rand -hex 16)"
        return warning("auth_token", "it can be guessed: whoever does signs webhooks and hears recordings", remedy)
    return fine("auth_token", "long and mixed enough")


def _callers(domain: DomainSettings) -> Iterator[Finding]:
    about = f"domain {domain.name}"
    calling = [credential for credential in domain.credentials if credential.calls]
    if not domain.ip_access_control and not domain.credentials:
        yield failure(about, "nobody may call it", "give it ip_access_control, [[domain.credential]], or both")
    elif domain.ip_access_control and not calling:
        wide = [network for network in domain.ip_access_control if network.num_addresses > TOO_WIDE]
        wide = [network for network in wide if not network.is_loopback]
        if wide:
            text = f"everybody in {', '.join(map(str, wide))} may call without a password"
            yield warning(about, text, "add [[domain.credential]], or narrow ip_access_control")
        else:
            yield fine(about, "callers are known by their address")
    else:
        yield fine(about, f"{len(calling)} users may call")
    if domain.sip_registration and not any(credential.registrations for credential in domain.credentials):
        yield failure(about, "phones may register, but no credential may", "give it [[domain.credential]]")


def _passwords(domain: DomainSettings) -> Iterator[Finding]:
    weak = [user.username for user in domain.credentials if not strong(user.username, user.password)]
    if weak:
        remedy = f"take {PASSWORD_LENGTH} characters or more, with digits and letters of both cases"
        yield warning(f"domain {domain.name}", f"passwords that can be guessed: {', '.join(weak)}", remedy)


def strong(username: str, password: str) -> bool:
    """Whether a digest password is as the original wants it, and is not made of the user's name."""
    mixed = all(any(map(kind, password)) for kind in (str.isdigit, str.isupper, str.islower))
    return len(password) >= PASSWORD_LENGTH and mixed and username.lower() not in password.lower()


def _application(config: Config, domain: DomainSettings) -> Iterator[Finding]:
    about = f"domain {domain.name}"
    if domain.voice_url is None:
        yield warning(about, "it has no voice_url: callers get 404", "set voice_url to the application's address")
        return
    for url in (domain.voice_url, domain.voice_fallback_url, domain.status_callback_url):
        if not isinstance(url, str):
            continue
        host, scheme = urlsplit(url).hostname or "", urlsplit(url).scheme
        address = _address(host)
        if address is not None and not address.is_global:
            if not any(address in network for network in config.webhooks.allowed_networks):
                remedy = f'add "{address}" or its network to webhooks.allowed_networks'
                yield failure(about, f"{url} is not asked: {address} is not public", remedy)
        elif scheme == "http":
            yield warning(about, f"{url} is asked in the clear: keys pressed and numbers can be read", "take https")


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """What a numeric host, or `localhost`, is; None for other names."""
    try:
        return ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        return None


def _trunk(trunk: TrunkSettings) -> Iterator[Finding]:
    about = f"trunk {trunk.name}"
    if "+" in trunk.prefixes:
        remedy = "list the countries that are really called, and set max_calls"
        yield warning(about, "every number of the world may be dialled at your expense", remedy)
    elif not trunk.prefixes and not trunk.emergency:
        yield warning(about, "nothing may be dialled through it", "give it prefixes, unless it only brings calls")
    elif trunk.max_calls is None:
        yield warning(about, "it has no limit of calls at once", "set max_calls: a stolen password costs less then")
    else:
        yield fine(about, f"dials {', '.join(trunk.prefixes) or 'emergency numbers'}")
