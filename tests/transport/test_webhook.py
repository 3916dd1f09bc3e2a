"""The webhook client against a scripted application, on a fake network and virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import attrs
import pytest
import trio
from trio.testing import MockClock
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped]  # the SDK ships no types

from offhook.sip.digest import DigestServer, Outcome
from offhook.testing.network import FakeNetwork
from offhook.testing.web import Answer, Asked, CustomerApp, Endless, HangUp, Raw, Silent, redirect, twiml
from offhook.transport.webhook import CallSession, Purpose, Reply, WebhookClient, WebhookRequest, resolve
from offhook.transport.webhook_errors import (
    BadContentType,
    BadRedirect,
    BadStatus,
    ConnectionBroke,
    ConnectionFailed,
    ConnectRefused,
    ConnectTimedOut,
    HostForbidden,
    HostUnknown,
    HttpViolation,
    MediaTooLarge,
    ReadTimedOut,
    TlsHandshakeFailed,
    TooLarge,
    TooManyRedirects,
    TotalTimeExceeded,
    WebhookError,
)
from offhook.twiml.signature import sign

TOKEN = "12345"
SERVER = "93.184.216.34"
OTHER = "93.184.216.35"
PARAMS = (("CallSid", "CA1"), ("From", "+15005550006"))


@attrs.define(eq=False)
class World:
    network: FakeNetwork
    app: CustomerApp
    client: WebhookClient

    async def post(
        self,
        path: str,
        session: CallSession | None = None,
        *,
        method: str = "POST",
        purpose: Purpose = Purpose.DOCUMENT,
        verb_params: tuple[tuple[str, str], ...] = (),
    ) -> Reply:
        url = path if "://" in path else f"http://app.example{path}"
        return await self.client.fetch(WebhookRequest(url, method, PARAMS, verb_params, purpose), session)


@asynccontextmanager
async def open_world() -> AsyncIterator[World]:
    """One application at app.example port 80, and a client that signs."""
    network = FakeNetwork()
    network.dns.address("app.example", SERVER)
    app = CustomerApp()
    client = WebhookClient(network.host("192.0.2.1"), sign=partial(sign, TOKEN))
    async with app.serving(network.host(SERVER), (SERVER, 80)), client:
        yield World(network, app, client)


def assert_signed(asked: Asked) -> None:
    """The official validator accepts the request."""
    form: dict[str, str | list[str]] = {}
    for name, value in asked.form:
        known = form.get(name)
        form[name] = value if known is None else [*([known] if isinstance(known, str) else known), value]
    validator = RequestValidator(TOKEN)
    assert validator.validate(asked.url, form, asked.header("x-twilio-signature") or "")


async def test_a_post_carries_the_parameters_as_a_form(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        world.app.on("/voice", twiml("<Hangup/>"))
        reply = await world.post("/voice?a=b#frag", verb_params=(("Digits", "12 3&*"),))
        (asked,) = world.app.requests
        assert (asked.method, asked.target) == ("POST", "/voice?a=b")
        assert asked.form == [*PARAMS, ("Digits", "12 3&*")]
        assert asked.header("content-type") == "application/x-www-form-urlencoded; charset=UTF-8"
        assert (asked.header("user-agent") or "").startswith("offhook/")
        assert asked.header("host") == "app.example"
        assert (reply.status, reply.content_type, reply.url) == (200, "text/xml", "http://app.example/voice?a=b")
        assert b"<Hangup/>" in reply.body
        assert_signed(asked)


async def test_a_get_appends_the_parameters_to_the_query(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        world.app.on("/voice", twiml())
        await world.post("/voice?a=b", method="GET")
        (asked,) = world.app.requests
        assert (asked.method, asked.body) == ("GET", b"")
        assert asked.query == [("a", "b"), *PARAMS]
        assert_signed(asked)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "url",
    [
        "http://app.example",
        "http://app.example:80/v?x=1&y=%20z",
        "http://user:secret@app.example/v?e=#rc=2&sni=n",
        "http://app.example/päth/a b?q=ü&r=[1]",
        "http://App.Example/v;p=1?a=b?c=d&&",
    ],
)
async def test_the_official_validator_accepts_every_signature(autojump_clock: MockClock, method: str, url: str) -> None:
    async with open_world() as world:
        world.app.on("*", twiml())
        awkward = (("Empty", ""), ("Body", "a+b &=?#/ü€😀"), ("SipHeader_X-A", "\udc80"), ("To", "sip:a@b;c=d"))
        await world.client.fetch(WebhookRequest(url, method, (*PARAMS, *awkward)))
        assert_signed(world.app.requests[0])


async def test_connections_are_kept_and_used_again(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        world.app.on("/voice", twiml())
        for _ in range(3):
            await world.post("/voice")
        assert [asked.connection for asked in world.app.requests] == [1, 1, 1]


async def test_a_kept_connection_that_the_server_closed_is_replaced_without_an_error(
    autojump_clock: MockClock,
) -> None:
    async with open_world() as world:
        world.app.on("/voice", twiml("<Say>1</Say>"))
        await world.post("/voice")
        assert world.network.reset((SERVER, 80)) == 1
        reply = await world.post("/voice#rc=0")
        assert (reply.attempts, world.app.connections) == (1, 2)


async def test_a_408_to_an_idle_connection_is_no_answer_and_to_a_new_one_it_is(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        world.app.on("/voice", twiml(), Answer(b"", 408, None, close=True), twiml())
        for _ in range(2):
            assert (await world.post("/voice#rc=0")).status == 200
        assert [asked.connection for asked in world.app.requests] == [1, 1, 2]
        world.app.on("/other", Answer(b"", 408, None, close=True))
        error, _ = await failure(world, "/other#rc=0")
        assert isinstance(error, BadStatus)


async def test_cookies_are_replayed_in_their_call_and_reach_no_other(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        world.app.on("/voice", twiml(headers=(("Set-Cookie", "id=7; Path=/"), ("Set-Cookie", "b=2; Path=/x"))))
        mine, other = CallSession(), CallSession()
        await world.post("/voice", mine)
        await world.post("/voice", mine)
        await world.post("/voice", other)
        assert [asked.header("cookie") for asked in world.app.requests] == [None, "id=7", None]


@pytest.mark.parametrize("cookie", ["=7", "a=b\tc", "a\x0b=b", "a=b\x0c"])
async def test_a_cookie_that_cannot_be_sent_back_is_an_http_violation(autojump_clock: MockClock, cookie: str) -> None:
    async with open_world() as world:
        world.app.on("/voice", twiml(headers=(("Set-Cookie", cookie),)))
        with pytest.raises(HttpViolation) as caught:
            await world.post("/voice")
        assert caught.value.code == 11206


async def test_redirects_become_get_and_drop_the_parameters_of_the_verb(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        world.app.on("/a", redirect("/b?x=1"))
        world.app.on("/b", twiml())
        reply = await world.post("/a", verb_params=(("Digits", "1"),))
        first, second = world.app.requests
        assert first.params["Digits"] == "1"
        assert (second.method, second.query) == ("GET", [("x", "1"), *PARAMS])
        assert reply.attempts == 1
        assert reply.url.startswith("http://app.example/b?x=1&CallSid=CA1")
        assert_signed(second)
        tokens = {asked.header("i-twilio-idempotency-token") for asked in world.app.requests}
        assert len(tokens) == 1


async def test_307_keeps_method_and_form(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        world.app.on("/a", redirect("http://app.example/b", 307))
        world.app.on("/b", twiml())
        await world.post("/a", verb_params=(("Digits", "1"),))
        second = world.app.requests[1]
        assert (second.method, second.form) == ("POST", list(PARAMS))
        assert_signed(second)


async def test_ten_redirects_are_followed_and_eleven_are_not(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        world.app.on("/10", *[redirect("/10")] * 10, twiml())
        assert (await world.post("/10")).status == 200
        world.app.on("/11", redirect("/11", 303))
        with pytest.raises(TooManyRedirects) as caught:
            await world.post("/11")
        assert caught.value.code == 11215
        assert len(world.app.asked("/11")) == 11


@pytest.mark.parametrize(
    "answer",
    [
        Answer(b"", 302, None),
        Answer(b"", 304, None),
        redirect("/x", 308),
        redirect("/x", 300),
        redirect("ftp://app.example/"),
        redirect("http://[broken/"),
    ],
)
async def test_a_redirect_that_leads_nowhere_is_11216(autojump_clock: MockClock, answer: Answer) -> None:
    async with open_world() as world:
        world.app.on("/a", answer)
        with pytest.raises(BadRedirect) as caught:
            await world.post("/a")
        assert caught.value.code == 11216


async def test_a_redirect_into_a_private_network_is_refused(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        world.app.on("/a", redirect("http://169.254.169.254/latest/meta-data"))
        with pytest.raises(HostForbidden) as caught:
            await world.post("/a")
        assert (caught.value.code, caught.value.url) == (11210, "http://app.example/a")


# ---- what can go wrong, and when -----------------------------------------------------------------------------------


async def failure(world: World, url: str, purpose: Purpose = Purpose.DOCUMENT) -> tuple[WebhookError, float]:
    """The error of a delivery, and after how many seconds it came."""
    started = trio.current_time()
    with pytest.raises(WebhookError) as caught:
        await world.post(url, purpose=purpose)
    return caught.value, round(trio.current_time() - started, 6)


async def test_a_slow_application_is_given_up_after_15_seconds(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        world.app.on("/slow", twiml(delay_s=15.5))
        world.app.on("/just", twiml(delay_s=14.5))
        world.app.on("/silent", Silent())
        for path in ("/slow", "/silent"):
            error, after = await failure(world, path)
            assert (type(error), error.code, after) == (TotalTimeExceeded, 11203, 15)
            assert len(world.app.asked(path)) == 1
        assert (await world.post("/just")).elapsed_s == pytest.approx(14.5)


async def test_a_dead_host_is_tried_twice_for_5_seconds_each(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        world.network.blackhole((SERVER, 80))
        error, after = await failure(world, "/voice")
        assert (type(error), error.code, error.attempts) == (ConnectTimedOut, 11201, 2)
        assert after == 10


async def test_a_host_that_comes_back_is_reached_by_the_second_attempt(autojump_clock: MockClock) -> None:
    async with open_world() as world, trio.open_nursery() as nursery:
        world.app.on("/voice", twiml())
        world.network.blackhole((SERVER, 80))

        async def mend() -> None:
            await trio.sleep(4)
            world.network.restore((SERVER, 80))

        nursery.start_soon(mend)
        reply = await world.post("/voice")
        assert (reply.attempts, reply.elapsed_s) == (2, 5.0)


async def test_a_refused_connection_is_tried_twice_at_once(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        error, after = await failure(world, "http://app.example:81/")
        assert (type(error), error.code, error.attempts, after) == (ConnectRefused, 11202, 2, 0)
        assert world.network.counts["refused"] == 2


async def test_names_that_do_not_resolve_are_11210(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        error, after = await failure(world, "http://nobody.example/")
        assert (type(error), error.code, after) == (HostUnknown, 11210, 0)
        world.network.dns.hang("hung.example")
        error, after = await failure(world, "http://hung.example/")
        assert (type(error), error.code, after) == (HostUnknown, 11210, 10)


async def test_a_tls_handshake_that_never_ends_is_11220_after_the_connect_timeout(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        deaf = CustomerApp()
        async with deaf.serving(world.network.host(SERVER), (SERVER, 443)):
            error, after = await failure(world, "https://app.example/")
        assert (type(error), error.code, error.attempts, after) == (TlsHandshakeFailed, 11220, 1, 5)


async def test_the_second_address_of_a_host_is_tried_beside_a_dead_first(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        world.app.on("*", twiml())
        world.network.dns.address("two.example", "93.184.216.99", OTHER, SERVER)
        world.network.host(OTHER)
        world.network.blackhole((OTHER, 80))
        reply = await world.post("http://two.example/")
        assert (reply.attempts, round(reply.elapsed_s, 6)) == (1, 0.25)
        await world.post("http://two.example/")
        assert world.app.connections == 1


async def test_unreachable_hosts_are_11205(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        error, _ = await failure(world, "http://93.184.216.99/")
        assert (type(error), error.code) == (ConnectionFailed, 11205)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "10.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "inside.example", "localhost"],
)
async def test_addresses_that_are_not_public_are_refused_without_connecting(
    autojump_clock: MockClock, host: str
) -> None:
    async with open_world() as world:
        world.network.dns.address("inside.example", "10.1.2.3", "fd00::1")
        error, after = await failure(world, f"http://{host}/")
        assert (type(error), error.code, error.attempts, after) == (HostForbidden, 11210, 1, 0)
        assert world.network.counts["connects"] == 0


async def test_allowed_networks_open_private_addresses_and_only_those(autojump_clock: MockClock) -> None:
    network = FakeNetwork()
    app = CustomerApp()
    app.on("*", twiml())
    network.dns.address("mixed.example", "10.9.9.9", "10.1.0.5")
    client = WebhookClient(network.host("10.1.0.1"), allowed_networks=["10.1.0.0/16"])
    async with app.serving(network.host("10.1.0.5"), ("10.1.0.5", 80)), client:
        assert (await client.fetch(WebhookRequest("http://10.1.0.5/"))).status == 200
        assert (await client.fetch(WebhookRequest("http://mixed.example/"))).status == 200
        with pytest.raises(HostForbidden):
            await client.fetch(WebhookRequest("http://10.2.0.5/"))


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46",
        b"HTTP/1.1 999999 Strange\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\nContent-Type: text/xml\r\n\r\n<Response/>",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: text/xml\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000,
    ],
)
async def test_garbage_is_an_http_violation_at_once(autojump_clock: MockClock, data: bytes) -> None:
    async with open_world() as world:
        world.app.on("/voice", Raw(data))
        error, after = await failure(world, "/voice")
        assert (type(error), error.code, after) == (HttpViolation, 11206, 0)
        assert len(world.app.requests) == 1


async def test_a_server_that_hangs_up_is_a_failed_connection_and_is_not_asked_again(
    autojump_clock: MockClock,
) -> None:
    async with open_world() as world:
        world.app.on("/voice", HangUp())
        error, _ = await failure(world, "/voice")
        assert (type(error), error.code, len(world.app.requests)) == (ConnectionBroke, 11205, 1)
        error, _ = await failure(world, "/voice#rc=2&rp=all")
        assert (error.attempts, len(world.app.requests)) == (3, 4)


@pytest.mark.parametrize("chunked", [True, False])
async def test_an_endless_body_is_cut_at_64_kib(autojump_clock: MockClock, chunked: bool) -> None:
    async with open_world() as world:
        world.app.on("/voice", Endless(chunked=chunked))
        error, after = await failure(world, "/voice")
        assert (type(error), error.code, after) == (TooLarge, 11750, 0)
        await trio.sleep(1)
        assert world.app.open_connections == 0


async def test_a_body_that_drips_for_ever_is_given_up_after_15_seconds(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        world.app.on("/voice", Endless(b" ", every_s=1))
        error, after = await failure(world, "/voice")
        assert (type(error), error.code, after) == (TotalTimeExceeded, 11203, 15)


async def test_bodies_may_have_64_kib_and_not_a_byte_more(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        world.app.on("/voice", Answer(b" " * 65_536), Answer(b" " * 65_537))
        assert len((await world.post("/voice")).body) == 65_536
        error, _ = await failure(world, "/voice")
        assert error.code == 11750


async def test_a_callback_does_not_care_about_the_body(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        world.app.on("/done", Endless(), Answer(b"ok", 200, None), Answer(b"", 204, None))
        for _ in range(3):
            await world.post("/done", purpose=Purpose.CALLBACK)


async def test_media_has_a_bound_of_its_own(autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("offhook.transport.webhook_exchange.MEDIA_BYTES_MAX", 200_000)
    async with open_world() as world:
        world.app.on("/wav", Answer(b"x" * 150_000, content_type="audio/wav"))
        assert len((await world.post("/wav", purpose=Purpose.MEDIA)).body) == 150_000
        assert len((await world.post("/wav")).body) == 150_000  # sound in a document's place
        world.app.on("/wav", Endless(content_type="audio/wav"))
        error, _ = await failure(world, "/wav", purpose=Purpose.MEDIA)
        assert (type(error), error.code) == (MediaTooLarge, 11200)


@pytest.mark.parametrize("status", [400, 401, 404, 500, 503])
async def test_4xx_and_5xx_are_11200(autojump_clock: MockClock, status: int) -> None:
    async with open_world() as world:
        world.app.on("/voice", Answer(b"why", status, "text/plain"))
        error, _ = await failure(world, "/voice")
        assert isinstance(error, BadStatus)
        assert (error.code, error.status, error.body) == (11200, status, b"why")
        assert len(world.app.requests) == 1


@pytest.mark.parametrize("kind", [None, "application/json", "image/png", "nonsense"])
async def test_a_document_needs_a_type_that_can_be_one(autojump_clock: MockClock, kind: str | None) -> None:
    async with open_world() as world:
        world.app.on("/voice", Answer(b"<Response/>", content_type=kind))
        error, _ = await failure(world, "/voice")
        assert (type(error), error.code) == (BadContentType, 12300)


@pytest.mark.parametrize("kind", ["text/xml", "Application/XML; charset=latin1", "text/html", "text/plain"])
async def test_documents_come_as_xml_html_or_text(autojump_clock: MockClock, kind: str) -> None:
    async with open_world() as world:
        world.app.on("/voice", Answer(b"<Response/>", content_type=kind))
        reply = await world.post("/voice")
        assert reply.content_type == kind.partition(";")[0].lower()
        assert reply.charset == ("latin1" if "charset" in kind else None)


async def test_an_empty_answer_needs_no_type(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        world.app.on("/voice", Answer(b"", 204, None))
        assert (await world.post("/voice")).body == b""


async def test_an_underscore_in_the_host_is_refused_for_callbacks_only(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        world.network.dns.address("my_app.example", SERVER)
        world.app.on("*", twiml())
        assert (await world.post("http://my_app.example/")).status == 200
        error, _ = await failure(world, "http://my_app.example/", purpose=Purpose.CALLBACK)
        assert error.code == 11100


# ---- overrides -----------------------------------------------------------------------------------------------------


async def test_ct_and_rc_rule_how_often_and_how_long_is_connected(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        world.network.blackhole((SERVER, 80))
        error, after = await failure(world, "/voice#ct=2000&rc=3")
        assert (error.code, error.attempts, after) == (11201, 4, 8)
        error, after = await failure(world, "/voice#ct=10000&rc=1")
        assert (error.code, error.attempts, after) == (11203, 2, 15)
        error, after = await failure(world, "/voice#ct=1000&rc=0&rp=rt")
        assert (error.code, error.attempts, after) == (11201, 1, 1)


async def test_rt_bounds_the_silence_and_is_retried_when_the_policy_says_so(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        world.app.on("/voice", Silent())
        error, after = await failure(world, "/voice#rt=3000")
        assert (type(error), error.code, error.attempts, after) == (ReadTimedOut, 11205, 1, 3)
        error, after = await failure(world, "/voice#rt=3000&rc=2&rp=rt")
        assert (error.attempts, after) == (3, 9)


async def test_statuses_are_retried_when_the_policy_says_so_with_one_token(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        world.app.on("/voice", Answer(b"", 503), Answer(b"", 404), twiml())
        reply = await world.post("/voice#rc=5&rp=4xx,5xx")
        assert reply.attempts == 3
        tokens = [asked.header("i-twilio-idempotency-token") for asked in world.app.requests]
        assert len(tokens) == 3
        assert len(set(tokens)) == 1
        await world.post("/voice")
        assert world.app.requests[-1].header("i-twilio-idempotency-token") not in tokens


async def test_tt_is_the_ceiling_of_everything(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        world.app.on("/voice", Answer(b"", 503, delay_s=0.9))
        error, after = await failure(world, "/voice#tt=2000&rc=5&rp=all")
        assert (error.code, error.attempts, after) == (11203, 3, 2)


@pytest.mark.parametrize(
    ("fragment", "code"),
    [("rp=sometimes", 11243), ("e=_", 11240), ("e=atlantis", 11241), ("e=ashburn-ix", 11242)],
)
async def test_overrides_that_cannot_be_fail_before_anything_is_sent(
    autojump_clock: MockClock, fragment: str, code: int
) -> None:
    async with open_world() as world:
        error, _ = await failure(world, f"/voice#{fragment}")
        assert error.code == code
        assert world.network.counts["connects"] == 0


# ---- authentication ------------------------------------------------------------------------------------------------


async def test_basic_credentials_are_given_when_asked_for_and_then_kept(autojump_clock: MockClock) -> None:
    async with open_world() as world:

        def guarded(asked: Asked) -> Answer:
            if asked.header("authorization") == "Basic YW5uOnMzY3JldA==":
                return twiml()
            return Answer(b"", 401, None, (("WWW-Authenticate", 'Basic realm="app"'),))

        world.app.on("*", guarded)
        session = CallSession()
        reply = await world.post("http://ann:s3cret@app.example/a", session)
        assert reply.attempts == 1
        await world.post("http://ann:s3cret@app.example/b", session)
        await world.post(resolve(reply.url, "c"), session)
        given = [asked.header("authorization") is not None for asked in world.app.requests]
        assert given == [False, True, True, True]
        assert [asked.path for asked in world.app.requests] == ["/a", "/a", "/b", "/c"]
        assert all("ann" not in asked.url for asked in world.app.requests)
        for asked in world.app.requests:
            assert_signed(asked)
        await world.post("http://ann:s3cret@app.example/d", CallSession())
        assert world.app.requests[-2].header("authorization") is None


async def test_digest_credentials_are_given_when_asked_for_and_survive_a_stale_nonce(
    autojump_clock: MockClock,
) -> None:
    async with open_world() as world:
        server = DigestServer(b"k" * 32, "app", ("MD5",))
        outcomes: list[Outcome] = []

        def guarded(asked: Asked) -> Answer:
            verdict = server.check(
                asked.header("authorization"), asked.method, asked.target, {"ann": "s3cret"}.get, trio.current_time()
            )
            outcomes.append(verdict.outcome)
            if verdict.outcome is Outcome.ACCEPTED:
                return twiml()
            stale = verdict.outcome is Outcome.STALE
            challenges = server.challenge(trio.current_time(), stale=stale)
            return Answer(b"", 401, None, tuple(("WWW-Authenticate", value) for value in challenges))

        world.app.on("*", guarded)
        session = CallSession()
        for _ in range(2):
            await world.post("http://ann:s3cret@app.example/a?b=c", session)
        await world.post("http://ann:s3cret@app.example/a", session, method="GET")
        await trio.sleep(50_000)
        await world.post("http://ann:s3cret@app.example/a", session)
        good, asked_first, old = Outcome.ACCEPTED, Outcome.MISSING, Outcome.STALE
        assert outcomes == [asked_first, good, good, good, old, good]


async def test_wrong_credentials_end_in_the_status(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        world.app.on("*", Answer(b"", 401, None, (("WWW-Authenticate", 'Basic realm="app"'),)))
        error, _ = await failure(world, "http://ann:wrong@app.example/")
        assert isinstance(error, BadStatus)
        assert (error.status, len(world.app.requests)) == (401, 2)


async def test_a_401_without_realm_or_without_a_user_is_not_answered(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        world.app.on("*", Answer(b"", 401, None, (("WWW-Authenticate", "Basic"),)))
        await failure(world, "http://ann:s3cret@app.example/")
        world.app.on("*", Answer(b"", 401, None, (("WWW-Authenticate", 'Basic realm="app"'),)))
        await failure(world, "http://app.example/")
        assert len(world.app.requests) == 2


async def test_credentials_do_not_follow_a_redirect_to_another_host(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        world.network.dns.address("evil.example", OTHER)
        evil = CustomerApp()
        evil.on("*", Answer(b"", 401, None, (("WWW-Authenticate", 'Basic realm="app"'),)))
        world.app.on("/a", redirect("http://evil.example/"))
        async with evil.serving(world.network.host(OTHER), (OTHER, 80)):
            await failure(world, "http://ann:s3cret@app.example/a")
        (asked,) = evil.requests
        assert asked.header("authorization") is None


# ---- many at once --------------------------------------------------------------------------------------------------


async def test_a_hundred_slow_requests_to_one_application_delay_no_other(autojump_clock: MockClock) -> None:
    results: list[str] = []
    async with open_world() as world:
        world.network.dns.address("other.example", OTHER)
        world.app.on("/slow", twiml(delay_s=14))
        other = CustomerApp()
        other.on("/fast", twiml())

        async def ask_slow() -> None:
            try:
                await world.post("/slow")
                results.append("answered")
            except TotalTimeExceeded:
                results.append("late")

        async with other.serving(world.network.host(OTHER), (OTHER, 80)), trio.open_nursery() as nursery:
            for _ in range(100):
                nursery.start_soon(ask_slow)
            await world.app.wait_for(64)
            assert world.app.connections == 64
            assert results == []
            reply = await world.post("http://other.example/fast")
            assert reply.elapsed_s == pytest.approx(0)
    assert (results.count("answered"), results.count("late")) == (64, 36)


async def test_cancelled_requests_leave_the_pool_usable(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        world.app.on("/slow", twiml(delay_s=10))
        world.app.on("/drip", Endless(b" ", every_s=1))
        world.app.on("/fast", twiml())
        for path in ("/slow", "/drip", "/slow"):
            async with trio.open_nursery() as nursery:
                for number in range(200):
                    nursery.start_soon(world.post, path if number % 3 else "/fast")
                await trio.sleep(0.5)
                nursery.cancel_scope.cancel()
        await trio.sleep(11)  # a slow page notices only when it answers that nobody waits for it
        assert world.app.open_connections <= 16
        async with trio.open_nursery() as nursery:
            for _ in range(100):
                nursery.start_soon(world.post, "/fast")
        started = trio.current_time()
        await world.post("/fast")
        assert trio.current_time() == started


async def test_pools_of_origins_that_are_not_asked_any_more_are_closed(autojump_clock: MockClock) -> None:
    async with open_world() as world:
        world.app.on("*", twiml())
        await world.post("/a")
        assert world.app.open_connections == 1
        await trio.sleep(120)
        await failure(world, "http://nobody.example/")
        await trio.sleep(1)
        assert world.app.open_connections == 0
