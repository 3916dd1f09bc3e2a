import base64

import pytest
from starlette.requests import Request

from offhook.web.auth import Credentials, basic
from offhook.web.rest.errors import ApiError

CREDENTIALS = Credentials("AC1", "tökén")


def request(header: str | None) -> Request:
    headers = [(b"authorization", header.encode("latin-1"))] if header is not None else []
    return Request({"type": "http", "method": "GET", "path": "/x", "headers": headers, "query_string": b""})


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC"])
def test_the_account_and_its_token_pass(scheme: str) -> None:
    CREDENTIALS.check(request(f"{scheme} {encoded('AC1:tökén')}"))


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (None, "Authentication Error - No credentials provided"),
        ("", "Authentication Error - No credentials provided"),
        ("Bearer abc", "Authentication Error - No credentials provided"),
        ("Basic", "Authentication Error - No credentials provided"),
        ("Basic !!!", "Authentication Error - No credentials provided"),
        ("Basic " + encoded("nocolon"), "Authentication Error - No credentials provided"),
        ("Basic /w==", "Authentication Error - No credentials provided"),
        ("Basic " + encoded("AC2:tökén"), "Authentication Error - invalid username"),
        ("Basic " + encoded("AC1:wrong"), "Authenticate"),
        ("Basic " + encoded("AC1:"), "Authenticate"),
    ],
)
def test_everything_else_is_refused_with_its_message(header: str | None, message: str) -> None:
    with pytest.raises(ApiError) as caught:
        CREDENTIALS.check(request(header))
    assert (caught.value.status, caught.value.code, caught.value.message) == (401, 20003, message)
    assert caught.value.detail
    assert caught.value.headers["WWW-Authenticate"].startswith("Basic realm=")


def test_anothers_account_is_not_there() -> None:
    with pytest.raises(ApiError) as caught:
        CREDENTIALS.check_account(request("Basic " + encoded("AC1:tökén")), "AC2")
    assert caught.value.status == 404


def test_a_password_may_hold_colons() -> None:
    assert basic("Basic " + encoded("a:b:c")) == ("a", "b:c")
