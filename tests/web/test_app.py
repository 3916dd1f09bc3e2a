"""Health, metrics and who may see them."""

from collections.abc import Mapping

import pytest

from offhook.web.app import Health
from tests.web.website import ACCOUNT, TOKEN, Site, basic

pytestmark = pytest.mark.wire


async def test_a_ready_server_says_so_with_its_listeners(site: Site) -> None:
    async with site.serving() as client:
        answer = await client.get("/healthz")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {"status": "ready", "listeners": {"udp 127.0.0.1:5060": "up"}}


@pytest.mark.parametrize(
    ("status", "listeners", "shown"),
    [
        ("starting", {}, "starting"),
        ("draining", {"udp": "up"}, "draining"),
        ("ready", {"udp": "up", "tcp": "restarting"}, "starting"),
    ],
)
async def test_a_server_that_should_get_no_calls_answers_503(
    site: Site, status: str, listeners: Mapping[str, str], shown: str
) -> None:
    site.health = Health(status, listeners)
    async with site.serving() as client:
        answer = await client.get("/healthz")
    assert answer.status_code == 503
    assert answer.json() == {"status": shown, "listeners": listeners}


async def test_metrics_are_open_on_loopback(site: Site) -> None:
    async with site.serving() as client:
        answer = await client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert answer.content == b"offhook_calls_live 0\n"


async def test_once_exposed_metrics_ask_for_the_account_and_health_does_not(site: Site) -> None:
    site.exposed = True
    async with site.serving() as client:
        assert (await client.get("/healthz")).status_code == 200
        refused = await client.get("/metrics")
        allowed = await client.get("/metrics", headers=basic(ACCOUNT, TOKEN))
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"] == 'Basic realm="Twilio API"'
    assert allowed.status_code == 200


async def test_an_unknown_path_is_the_apis_404(site: Site) -> None:
    async with site.serving() as client:
        answer = await client.get("/2010-04-01/nothing")
    assert answer.status_code == 404
    assert answer.json() == {
        "code": 20404,
        "message": "The requested resource /2010-04-01/nothing was not found",
        "more_info": "https://www.twilio.com/docs/errors/20404",
        "status": 404,
    }


async def test_a_wrong_method_is_the_apis_405(site: Site) -> None:
    async with site.serving() as client:
        answer = await client.post("/metrics")
    assert answer.status_code == 405
    assert answer.json()["code"] == 20004
    assert "GET" in answer.headers["allow"]


async def test_an_error_comes_as_xml_where_xml_is_asked_for(site: Site) -> None:
    async with site.serving() as client:
        by_header = await client.get("/nothing", headers={"Accept": "text/html, application/xml;q=0.9"})
        by_suffix = await client.get("/nothing&.xml")
        json = await client.get("/nothing.json", headers={"Accept": "application/xml"})
    assert by_header.headers["content-type"].startswith("application/xml")
    assert "<RestException><Code>20404</Code>" in by_suffix.text
    assert "/nothing&amp;.xml was not found" in by_suffix.text
    assert json.json()["status"] == 404


async def test_a_bug_in_a_page_is_a_500_and_no_more(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Site) -> bytes:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(Site, "metrics", broken)
    async with site.serving() as client:
        answer = await client.get("/metrics")
        assert (await client.get("/healthz")).status_code == 200
    assert answer.status_code == 500
    assert answer.json()["code"] == 20500
    assert "secret" not in answer.text
