"""The official Python SDK accepts every request we make, whatever the URL and the call's own values look like."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest
import trio

from offhook.server.server import open_server
from offhook.testing.phone import open_phone
from offhook.testing.web import Answer, Asked, CustomerApp, twiml
from offhook.transport.trio_network import TrioNetwork
from tests.peers.house import DOMAIN, TOKEN, configuration
from tests.peers.sdk import accepts

pytestmark = [pytest.mark.wire, pytest.mark.peers]

PLACES = [
    "/voice",
    "/",
    "",
    "/voice?tenant=1",
    "/voice?tenant=b&tenant=a&tenant=b",
    "/voice?flag&empty=&last",
    "/voice?",
    "/voice?name=J%C3%BCrgen%20%26%20Co.&sum=1%2B1%3D2&plus=a+b",
    "/voice?to=sip:100@acme.sip.test;transport=udp&path=/a/b,c!(d)*'$",
    "/v%6Fice/%E4%BD%A0%E5%A5%BD/a%2Fb;v=1/~user/",
    "/voice/two words?q=three more words",
    "/grüße?wer=jürgen",
    "/voice?CallSid=mine&From=me",
    "/voice#rc=2&ct=2000",
    "/voice?a=1#ct=2000",
]
CHALLENGE = Answer(status=401, headers=(("WWW-Authenticate", 'Basic realm="voice"'),))
HEADERS = (
    ("X-Note", "naïve & \"quoted\" = 100 % + 'more'; <tag>"),
    ("X-Percent", "%41%zz%"),
    ("X-Empty", ""),
    ("User-to-User", "56a390f3d2b7310023a2;encoding=hex"),
)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("place", PLACES)
async def test_the_sdk_accepts_voice_redirect_and_status_requests(tmp_path: Path, place: str, method: str) -> None:
    asked = await call(tmp_path, place, method)
    assert len(asked) == 3
    assert {each.method for each in asked} == {method}
    assert [each.target for each in asked if not accepts(each, TOKEN)] == []
    assert [each.target for each in asked if accepts(forged(each), TOKEN)] == []


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_user_and_password_in_the_url_are_sent_but_not_signed(tmp_path: Path, method: str) -> None:
    asked = await call(tmp_path, "/voice?a=b", method, user="ann:p%40ss%20word@")
    assert [each.header("authorization") for each in asked[:2]] == [None, "Basic YW5uOnBAc3Mgd29yZA=="]
    assert [each.target for each in asked if not accepts(each, TOKEN)] == []


async def call(folder: Path, place: str, method: str, *, user: str = "") -> list[Asked]:
    """A call to a document that redirects to one that rejects; the requests that it brought about."""
    app = CustomerApp()
    redirect = twiml(f'<Redirect method="{method}">/next?b=2&amp;a=%C3%BC</Redirect>')
    app.on("*", *([CHALLENGE] if user else []), redirect)
    app.on("/next", twiml("<Reject/>"))
    app.on("/status", Answer())
    async with app.serving(TrioNetwork(), ("127.0.0.1", 0)) as (host, port):
        base = f"http://{user}{host}:{port}"
        config = configuration(
            folder,
            f"{base}{place}".replace(" ", "%20"),
            status_callback_url=f"{base}/status?of=a&of=%26",
            voice_method=method,
            status_callback_method=method,
        )
        async with open_server(config) as server:
            host, port = server.addresses["udp"][0]
            async with open_phone(TrioNetwork(), "127.0.0.1") as phone:
                with trio.fail_after(20):
                    made = await phone.call(
                        f"sip:+1%2B%20x;y=z@{DOMAIN}",
                        via=f"sip:{host}:{port}",
                        from_=f"sip:j%C3%BCrgen%20o'hara&co@{DOMAIN}",
                        headers=HEADERS,
                    )
                    await made.over()
                    assert made.status == 404
                    return await app.wait_for(4 if user else 3)


def forged(asked: Asked) -> Asked:
    """The request with one more parameter, which nobody signed."""
    if asked.method == "POST":
        return attrs.evolve(asked, body=asked.body + b"&Forged=1")
    return attrs.evolve(asked, target=f"{asked.target}&Forged=1")
