"""What the actors need to know of the configuration; frozen for the life of a server."""

from __future__ import annotations

import attrs

from ..sip.dialog.config import MIN_SESSION_S, SESSION_S

MAX_CALL_S = 14_400.0
"""A call may last four hours (code 32015)."""


@attrs.frozen(kw_only=True)
class Settings:
    """One server's fixed values."""

    account: str
    """Account SID."""
    server_header: str
    """Value of Server, User-Agent, and the webhook client's name."""
    header_prefix: str = "X-Twilio-"
    """Of headers that we add."""
    advertised_host: str | None = None
    """The address peers reach us at; None: the one their packets came to."""
    media_bind_host: str | None = None
    """Where RTP sockets are bound; None: the address the signalling came to."""
    session_name: str = "offhook"
    """Names us in session descriptions."""
    public_url: str
    """Base of links, without a slash at the end."""
    max_call_s: float = MAX_CALL_S
    media_timeout_s: float = 60.0
    """A call that hears no packet for that long is ended (code 32014)."""
    session_s: int = SESSION_S
    """Session interval that our calls ask for, and the longest that they agree to (RFC 4028)."""
    min_session_s: int = MIN_SESSION_S
    """The shortest that they agree to."""
    final_request_s: float = 15.0
    """How long a verb may still talk to its application after the caller has gone."""

    def recording_url(self, sid: str) -> str:
        return f"{self.public_url}/2010-04-01/Accounts/{self.account}/Recordings/{sid}"
