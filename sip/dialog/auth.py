"""Our answers to 401 and 407: one for each realm, kept for the later requests of the dialog (RFC 3261 section 22)."""

import attrs

from ..digest import Challenge, choose_challenge
from ..errors import NoUsableChallenge
from ..ids import Ids
from ..message import Response
from .config import HeaderItems
from .events import Credentials

# Status to the header with the challenge and the header with our answer.
_HEADERS = {401: ("WWW-Authenticate", "Authorization"), 407: ("Proxy-Authenticate", "Proxy-Authorization")}


@attrs.define(eq=False)
class _Known:
    """A challenge, and how often it was answered."""

    header: str
    challenge: Challenge
    uses: int = 0


@attrs.define(eq=False)
class Authorizer:
    """The challenges that one leg has met, and the credentials to answer them with."""

    ids: Ids
    credentials: Credentials | None = None
    _known: dict[tuple[str, str], _Known] = attrs.field(factory=dict, init=False)

    def learn(self, response: Response) -> bool:
        """Take a 401 or 407 in. True when the request is worth sending again with what `headers` now gives.

        It is not when we have no credentials, when nothing in it can be answered, and when the same realm had our
        answer already and does not call its nonce stale: then the password is wrong.
        """
        names = _HEADERS.get(response.status)
        if names is None or self.credentials is None:
            return False
        asked, answered = names
        try:
            challenge = choose_challenge(response.headers.all(asked))
        except NoUsableChallenge:
            return False
        key = (answered, challenge.realm)
        known = self._known.get(key)
        if known is not None and known.uses > 0 and not challenge.stale:
            return False
        self._known[key] = _Known(answered, challenge)
        return True

    def headers(self, method: str, uri: str, body: bytes) -> HeaderItems:
        """Credentials for a request with this method and Request-URI, for every realm met so far."""
        credentials = self.credentials
        if credentials is None or not self._known:
            return ()
        items: list[tuple[str, str]] = []
        for known in self._known.values():
            known.uses += 1
            value = known.challenge.answer(
                method,
                uri,
                credentials.username,
                credentials.password,
                body=body,
                nc=known.uses,
                cnonce=self.ids.nonce_salt(),
            )
            items.append((known.header, value))
        return tuple(items)
