"""Who is called, once a noun has been read: where to, as whom, with which headers; or why not."""

from __future__ import annotations

from typing import TypeAlias

import attrs

from ..sip.uri import Uri
from .caller_id import CallerId
from .nouns import CallEvent, Client, Method, Number, Sip
from .outgoing_headers import HeaderItems

CalledNoun: TypeAlias = Number | Sip | Client
"""The nouns that are calls to somebody."""


@attrs.frozen(kw_only=True)
class SipAddress:
    """Somewhere else, by SIP."""

    uri: Uri
    """The Request-URI: scheme sip, without header part and without the parameters that are ours to consume."""
    transport: str | None = None
    """`udp`, `tcp` or `tls`; `None`: none was named, which is UDP unless the DNS says otherwise."""
    secure: bool = False
    """Whether the media must be encrypted too (SRTP)."""
    headers: HeaderItems = ()
    """From the header part of the address."""
    username: str | None = None
    """For a challenge of the far end."""
    password: str | None = attrs.field(default=None, repr=False)

    @property
    def hop(self) -> Uri:
        """Where the INVITE is sent: the Request-URI with the transport that was named."""
        return self.uri if self.transport is None else self.uri.with_param("transport", self.transport)


@attrs.frozen(kw_only=True)
class RegisteredUser:
    """A user of a domain of ours, at whatever contacts they have registered: all of them ring at once."""

    user: str
    """Without escapes."""
    domain: str
    """NAME of the domain."""
    uri: Uri
    """The user's address, for the To header."""
    headers: HeaderItems = ()
    secure: bool = False
    absent: int = 32009
    """The code when nothing is registered."""


@attrs.frozen(kw_only=True)
class PhoneNumber:
    """A number of the telephone network, reached through a trunk."""

    number: str
    """E.164, or a short code."""
    headers: HeaderItems = ()


Way: TypeAlias = SipAddress | RegisteredUser | PhoneNumber


@attrs.frozen(kw_only=True)
class Target:
    """One party to call: a child call."""

    noun: CalledNoun
    to: str
    """What the `To` of the child's requests reads."""
    caller: CallerId
    ways: tuple[Way, ...]
    """Tried one after the other; a single one but for a `Sip` with several `Uri`s."""
    headers: HeaderItems = ()
    """For every INVITE, whichever way."""

    @property
    def url(self) -> str | None:
        """The document that screens the callee."""
        return self.noun.url

    @property
    def method(self) -> Method:
        return self.noun.method

    @property
    def digits(self) -> str:
        """Keys to send after the answer."""
        return self.noun.send_digits if isinstance(self.noun, Number) else ""

    @property
    def is_number(self) -> bool:
        return isinstance(self.noun, Number)

    def wants(self, event: CallEvent) -> bool:
        """Whether an event of the call is told to the noun's status callback."""
        return self.noun.status_callback is not None and event in self.noun.status_callback_event


@attrs.frozen(kw_only=True)
class Unreachable:
    """A noun that cannot be called: its part of the dial has failed before it began."""

    code: int
    detail: str


Planned: TypeAlias = Target | Unreachable
