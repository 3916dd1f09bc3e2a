"""HTTP Basic authentication with the account's SID and token."""

from __future__ import annotations

import base64
import binascii
import hmac

import attrs
from starlette.requests import Request

from .rest.errors import ApiError, not_found

CHALLENGE = 'Basic realm="Twilio API"'


@attrs.frozen
class Credentials:
    """Who may ask."""

    account_sid: str
    auth_token: str = attrs.field(repr=False)

    def check(self, request: Request) -> None:
        """Let the request pass, or raise the 401 that says what is missing."""
        given = basic(request.headers.get("authorization"))
        if given is None:
            raise unauthorized(
                "Authentication Error - No credentials provided", "Your request carries no usable Basic credentials"
            )
        username, password = given
        # Both compared whatever the other says, and in constant time: the answer's time tells nothing.
        user_right = hmac.compare_digest(username.encode(), self.account_sid.encode())
        password_right = hmac.compare_digest(password.encode(), self.auth_token.encode())
        if not user_right:
            raise unauthorized("Authentication Error - invalid username", "The user name is not the account's SID")
        if not password_right:
            raise unauthorized("Authenticate", "The password is not the account's token")

    def check_account(self, request: Request, account_sid: str) -> None:
        """As `check`, for a path that names an account: another's resources are simply not there."""
        self.check(request)
        if account_sid != self.account_sid:
            raise not_found(request)


def unauthorized(message: str, detail: str) -> ApiError:
    return ApiError(401, 20003, message, detail, {"WWW-Authenticate": CHALLENGE})


def basic(header: str | None) -> tuple[str, str] | None:
    """User name and password of an Authorization header (RFC 7617); None when it holds none."""
    scheme, _, token = (header or "").strip().partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        decoded = base64.b64decode(token.strip(), validate=True).decode()
    except (binascii.Error, ValueError):
        return None
    username, colon, password = decoded.partition(":")
    return (username, password) if colon else None
