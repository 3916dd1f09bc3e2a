"""Our registration with one gateway of a trunk (RFC 3261 10.2): made, renewed before it expires, tried again later.

`now` is trio seconds. The owner sends what is to be sent, and hands in what comes back.
"""

from __future__ import annotations

import math
from typing import Final, TypeAlias

import attrs

from .address import NameAddr
from .build import request as build_request
from .dialog.auth import Authorizer
from .dialog.events import Credentials
from .errors import SipError
from .ids import Ids
from .message import Response
from .params import Params
from .routing import Hop, hop_of
from .timers import Timers
from .transaction.client import NonInviteClient
from .transaction.events import Flow, Responded, SendRequest, TimedOut, TransactionOutput, Undelivered
from .uri import Uri
from .via import Via

EXPIRES_S: Final = 3600
"""What we ask for at first."""
EXPIRES_MAX_S: Final = 604_800
"""A gateway that wants longer registrations than this (423) is not believed."""
RENEW_MARGIN_S: Final = 40.0
"""What is left of a registration when it is renewed, at least: more than a REGISTER may stay unanswered (timer F)."""
RENEW_SHARE: Final = 0.1
"""The same, as a share of what was granted; never more than half of it."""
SHORTEST_S: Final = 5.0
"""However little is granted, there are no renewals at shorter intervals."""
START_S: Final = 0.2
"""Until the first REGISTER; up to a second more, so that gateways do not get those of all trunks at once."""
RETRY_S: Final = 10.0
"""Pause after a first failure; doubled with every further one. Between half of it and all, by chance."""
RETRY_MAX_S: Final = 600.0
RETRY_AFTER_MAX_S: Final = 3600.0
"""No gateway is believed to be away for longer."""
MAX_TRIES: Final = 5
"""REGISTERs of one attempt: challenges, a stale nonce, a time that was too brief."""


@attrs.frozen
class Registered:
    """The gateway knows where we are, for `expires_s` from now on."""

    expires_s: int
    refreshed: bool
    """We were registered before."""


@attrs.frozen
class Failed:
    """An attempt came to nothing; another one follows in `retry_s`."""

    status: int | None
    """Of the refusal; None: there was no response, or no way."""
    detail: str
    retry_s: float
    first: bool
    """The attempt before it went well, or there was none."""


@attrs.frozen
class Ended:
    """We are registered no longer."""

    reason: str
    """`expired` or `withdrawn`."""


Output: TypeAlias = SendRequest | Registered | Failed | Ended


@attrs.define(eq=False)
class GatewayRegistration:
    """One gateway. Each attempt is a chain of REGISTERs, until one of them is granted or refused for good."""

    trunk: str
    """Name of the trunk."""
    gateway: Uri
    credentials: Credentials
    ids: Ids
    timers: Timers
    agent: str = ""
    """User-Agent; empty: none is sent."""

    contact: NameAddr | None = attrs.field(default=None, init=False)
    """Where the gateway is to send calls to; the owner keeps it right before every `wake`."""
    call_id: str = attrs.field(init=False)
    tag: str = attrs.field(init=False)
    expires: int = attrs.field(default=EXPIRES_S, init=False)
    """What is asked for."""
    until: float = attrs.field(default=-math.inf, init=False)
    """When the present registration expires; minus infinity when there is none."""
    failures: int = attrs.field(default=0, init=False)
    """In a row."""
    _due: float = attrs.field(default=math.inf, init=False)
    """When the next attempt begins."""
    _client: NonInviteClient | None = attrs.field(default=None, init=False)
    """The REGISTER that is under way."""
    _tries: int = attrs.field(default=0, init=False)
    _cseq: int = attrs.field(default=0, init=False)
    _leaving: bool = attrs.field(default=False, init=False)
    _authorizer: Authorizer = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.call_id, self.tag = self.ids.call_id(), self.ids.tag()
        self._authorizer = Authorizer(self.ids, self.credentials)

    # ---- who and where -----------------------------------------------------------------------------------------------

    @property
    def hop(self) -> Hop:
        return hop_of(self.gateway)

    @property
    def user(self) -> str:
        """User part of our address there. Some carriers give out whole addresses as user names."""
        return self.credentials.username.partition("@")[0]

    @property
    def address(self) -> NameAddr:
        """The address that we register."""
        host = self.credentials.username.partition("@")[2]
        return NameAddr(Uri.of(self.user, host or self.gateway.host))

    @property
    def registered(self) -> bool:
        return self.until > -math.inf

    @property
    def finished(self) -> bool:
        """Whether the registration was withdrawn and nothing more is waited for."""
        return self._leaving and self._client is None

    # ---- inputs ------------------------------------------------------------------------------------------------------

    def begin(self, now: float) -> None:
        """Let the first attempt follow soon."""
        self._due = now + START_S + self._chance()

    def wake_at(self) -> float:
        """When `wake` next has work."""
        if self._client is not None:
            due = self._client.wake_at()
        else:
            due = math.inf if self._leaving else self._due
        return min(due, self.until) if self.registered else due

    def wake(self, now: float) -> list[Output]:
        """All timers that are due."""
        outputs: list[Output] = []
        if self.registered and now >= self.until:
            outputs += self._lapse("expired")
        if self._client is not None:
            if now >= self._client.wake_at():
                outputs += self._take(self._client.wake(now), now)
        elif not self._leaving and now >= self._due:
            self._authorizer = Authorizer(self.ids, self.credentials)  # a nonce seldom lives as long as a registration
            self._tries = 0
            outputs += self._register(now)
        return outputs

    def receive(self, response: Response, flow: Flow, now: float) -> list[Output]:
        """A response with our Call-ID and tag; late copies are passed over."""
        client = self._client
        if client is None or response.via.branch != client.sending.branch:
            return []
        return self._take(client.receive(response, flow, now), now)

    def transport_failed(self, branch: str, now: float) -> list[Output]:
        """A REGISTER reached no address."""
        client = self._client
        if client is None or branch != client.sending.branch:
            return []
        return self._take(client.transport_failed(now), now)

    def failed(self, detail: str, now: float, status: int | None = None, retry_after_s: float | None = None) -> Output:
        """The attempt is over without success: wait, the longer the more often it has failed."""
        self._client = None
        pause = min(RETRY_S * 2 ** min(self.failures, 16), RETRY_MAX_S)
        pause *= 0.5 + self._chance() / 2
        if retry_after_s is not None:
            pause = max(pause, min(retry_after_s, RETRY_AFTER_MAX_S))
        self.failures += 1
        self._due = now + pause
        return Failed(status, detail, pause, first=self.failures == 1)

    def withdraw(self, now: float) -> list[Output]:
        """Take the registration back, as the server ends. `finished` says when that is done."""
        known = self.registered or self._client is not None  # what is under way may yet be granted
        self._leaving, self._client, self._tries = True, None, 0
        if not known or self.contact is None:
            return []
        return self._register(now)

    # ---- an attempt --------------------------------------------------------------------------------------------------

    def _register(self, now: float) -> list[Output]:
        if self.contact is None:
            return [self.failed("there is no listener that it could reach us by", now)]
        self._tries += 1
        self._cseq += 1
        hop, branch = self.hop, self.ids.branch()
        target = Uri.of(None, self.gateway.host, self.gateway.port)
        headers = [("Expires", "0" if self._leaving else str(self.expires))]
        headers += self._authorizer.headers("REGISTER", str(target), b"")
        if self.agent:
            headers.append(("User-Agent", self.agent))
        request = build_request(
            "REGISTER",
            target,
            # The courier puts in transport and sent-by.
            via=Via(hop.transport, self.contact.uri.host, self.contact.uri.port, _via_params(branch)),
            from_=self.address.with_tag(self.tag),
            to=self.address,
            call_id=self.call_id,
            cseq=self._cseq,
            contact=self.contact,
            headers=headers,
        )
        self._client = NonInviteClient.start(SendRequest(request, hop, None, branch), self.timers, now)
        return [self._client.sending]

    def _take(self, reports: list[TransactionOutput], now: float) -> list[Output]:
        outputs: list[Output] = []
        for report in reports:
            match report:
                case SendRequest():
                    outputs.append(report)
                case Responded() if report.response.status >= 200:
                    outputs += self._answered(report.response, now)
                case TimedOut():
                    outputs += self._nothing("no response came", now)
                case Undelivered():
                    outputs += self._nothing("it cannot be reached", now)
                case _:
                    pass
        return outputs

    def _answered(self, response: Response, now: float) -> list[Output]:
        """A final response: granted, to be tried once more at once, or refused."""
        self._client = None
        try:
            if self._leaving:
                return self._withdrawn(response, now)
            if 200 <= response.status < 300:
                return [self._granted(response, now)]
            if self._tries < MAX_TRIES and (self._authorizer.learn(response) or self._too_brief(response)):
                return self._register(now)
            after = response.retry_after
            detail = f"it answered {response.status} {response.reason}".rstrip()
            return [self.failed(detail, now, response.status, None if after is None else after.seconds)]
        except SipError as error:
            return [self.failed(f"its answer cannot be read: {error}", now, response.status)]

    def _granted(self, response: Response, now: float) -> Output:
        granted = self._granted_s(response)
        if granted <= 0:
            return self.failed("it granted no time", now, response.status)
        refreshed, self.failures = self.registered, 0
        self.until = now + granted
        margin = min(max(RENEW_MARGIN_S, granted * RENEW_SHARE), granted / 2)
        # A little by chance, or all that began together would come together for ever.
        self._due = now + max((granted - margin) * (1 - self._chance() / 20), SHORTEST_S)
        return Registered(granted, refreshed)

    def _granted_s(self, response: Response) -> int:
        """How long our Contact is bound: as it says, else as Expires says, else as long as we asked for (10.2.4).

        A Contact that was rewritten on its way is not found; then the only one is ours.
        """
        assert self.contact is not None
        ours = [each for each in response.contacts if not each.is_star and each.uri == self.contact.uri]
        if not ours and len(response.contacts) == 1:
            ours = list(response.contacts)
        for each in ours:
            if each.expires is not None:
                return each.expires
        return self.expires if response.expires is None else response.expires

    def _too_brief(self, response: Response) -> bool:
        """Whether a 423 names a time that we can ask for instead."""
        if response.status != 423 or response.min_expires is None:
            return False
        if not self.expires < response.min_expires <= EXPIRES_MAX_S:
            return False
        self.expires = response.min_expires
        return True

    def _withdrawn(self, response: Response, now: float) -> list[Output]:
        if self._tries < MAX_TRIES and self._authorizer.learn(response):
            return self._register(now)
        return self._lapse("withdrawn")

    def _nothing(self, detail: str, now: float) -> list[Output]:
        """Nothing came of a REGISTER."""
        if self._leaving:
            self._client = None
            return self._lapse("withdrawn")
        return [self.failed(detail, now)]

    def _lapse(self, reason: str) -> list[Output]:
        was, self.until = self.registered, -math.inf
        return [Ended(reason)] if was else []

    def _chance(self) -> float:
        """From 0 to 1."""
        return int(self.ids.token(6), 16) / 0xFFFFFF


def _via_params(branch: str) -> Params:
    return Params((("branch", branch), ("rport", None)))
