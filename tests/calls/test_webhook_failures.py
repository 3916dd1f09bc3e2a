"""Applications that are slow, dead, broken or out of bounds: code, timing, fallback, notice; and who else feels it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest
import trio
from trio.testing import MockClock

from offhook.actors.messages.events import AlertRaised
from offhook.sip.message import Request
from offhook.testing.phone import PhoneCall, Seen
from offhook.testing.speech import FakeSpeech, tone, wav
from offhook.testing.web import (
    Answer,
    Asked,
    Behaviour,
    CustomerApp,
    Endless,
    HangUp,
    Raw,
    Silent,
    redirect,
    twiml,
)

from .kit import BASE, STATUS_TAKEN, WEB, RtpTrace, World, world

OTHER_WEB = "10.0.0.4"
FORBIDDEN = "192.168.7.7"


@attrs.frozen
class Failure:
    """A way to fail, the code it is told with, and the seconds until the fallback is asked."""

    name: str
    code: int
    answer: Behaviour | Callable[[Asked], Behaviour] | None = None
    after_s: float = 0.0
    url: str = f"{BASE}/voice"
    prepare: Callable[[World], None] = lambda it: None
    requests: int = 1
    """How many the application sees."""
    error_url: str | None = None
    """When it is not `url` without its fragment."""

    def __str__(self) -> str:
        return self.name


def refuse(it: World) -> None:
    it.network.refuse((WEB, 81))


def swallow(it: World) -> None:
    it.network.blackhole((WEB, 81))


DEAD = f"http://{WEB}:81/voice"


def document(body: str) -> Answer:
    return Answer(body.encode())


FAILURES = (
    Failure("refused, twice", 11202, url=DEAD, prepare=refuse, requests=0),
    Failure("no answer to connects of 5 s each, two of them", 11201, None, 10.0, DEAD, swallow, 0),
    Failure("one connect of 1 s by override", 11201, None, 1.0, f"{DEAD}#ct=1000&rc=0", swallow, 0),
    Failure("three connects of half a second by override", 11201, None, 1.5, f"{DEAD}#ct=500&rc=2", swallow, 0),
    Failure("connects cut by the total time", 11203, None, 7.0, f"{DEAD}#tt=7000", swallow, 0),
    Failure("unknown host", 11210, url="http://nowhere.example/voice", requests=0),
    Failure("a network that is not allowed", 11210, url=f"http://{FORBIDDEN}/voice", requests=0),
    Failure("silence for 15 s", 11203, Silent(), 15.0),
    Failure("an answer after 16 s", 11203, twiml(delay_s=16), 15.0),
    Failure("silence for the read timeout", 11205, Silent(), 2.0, f"{BASE}/voice#rt=2000"),
    Failure("silence, tried again by policy", 11205, Silent(), 4.0, f"{BASE}/voice#rt=2000&rp=rt", requests=2),
    Failure("a body that never ends", 11750, Endless()),
    Failure("a body that drips for ever", 11203, Endless(b" ", every_s=1.0), 15.0),
    Failure("a document of more than 64 KiB", 11750, document("<Response>" + " " * 65_536 + "</Response>")),
    Failure("garbage in place of HTTP", 11206, Raw(b"\x16\x03\x01 SIP/2.0 200 OK\r\n\r\n")),
    # A host of its own: on a connection that is kept from another call, the request would be tried once more.
    Failure("a connection closed without a word", 11205, HangUp(), url="http://fresh.example/voice"),
    Failure("404", 11200, Answer(b"<Response/>", 404)),
    Failure("500", 11200, Answer(b"<Response/>", 500)),
    Failure("503, tried again by policy", 11200, Answer(b"", 503), url=f"{BASE}/voice#rc=3&rp=5xx", requests=4),
    Failure("401 without credentials", 11200, Answer(b"", 401, headers=(("WWW-Authenticate", 'Basic realm="x"'),))),
    Failure("a wrong content type", 12300, Answer(b"<Response/>", content_type="application/json")),
    Failure("no content type", 12300, Answer(b"<Response/>", content_type=None)),
    Failure("no XML", 12100, document("this is no <xml")),
    Failure("XML with a document type", 12100, document('<!DOCTYPE a [<!ENTITY b "c">]><Response>&b;</Response>')),
    Failure("a wrong root", 12102, document("<Responses><Say>hello</Say></Responses>")),
    Failure("a verb that is not carried out", 13750, twiml("<Enqueue>support</Enqueue>")),
    Failure("a redirect loop", 11215, redirect("/voice"), requests=11),
    Failure("a redirect to nowhere", 11216, Answer(b"", 302, None)),
    Failure("a bad retry policy", 11243, url=f"{BASE}/voice#rp=never", requests=0),
    Failure("a bad cookie", 11206, Answer(b"<Response/>", headers=(("Set-Cookie", "a=\x0b"),))),
)


@asynccontextmanager
async def bystander(it: World) -> AsyncIterator[None]:
    """A call to another domain that listens all the while, and misses no packet."""
    trace = RtpTrace()
    it.network.taps.append(trace)
    it.web.on("/music", twiml('<Play loop="0">/music.wav</Play>'))
    it.web.on("/music.wav", Answer(wav(tone(1000)), content_type="audio/wav"))
    call = await it.call("calm")
    assert await call.answered(), call.status
    where = it.heard_at(call)
    yield
    assert not call.is_over
    assert trace.gaps(where) == []
    await call.hang_up()


@asynccontextmanager
async def failing(tmp_path: Path, failure: Failure, fallback: str | None = f"{BASE}/fallback") -> AsyncIterator[World]:
    async with world(
        tmp_path, voice_url=failure.url, voice_fallback_url=fallback, others={"calm": f"{BASE}/music"}
    ) as it:
        failure.prepare(it)
        if failure.answer is not None:
            it.web.on("/voice", failure.answer)
        yield it


@pytest.mark.parametrize("failure", FAILURES, ids=str)
async def test_the_fallback_is_asked_at_once_with_code_and_url_and_the_call_goes_on(
    autojump_clock: MockClock, tmp_path: Path, failure: Failure
) -> None:
    async with failing(tmp_path, failure) as it, bystander(it):
        it.web.on("/fallback", twiml("<Say>still here</Say><Redirect>/after</Redirect>"))
        it.web.on("/after", twiml("<Hangup/>"))
        started = trio.current_time()
        call = await it.call()
        assert await call.answered()
        await call.over()
        [fallback] = it.web.asked("/fallback")
        assert fallback.at - started == pytest.approx(failure.after_s, abs=0.001)
        assert fallback.params["ErrorCode"] == str(failure.code)
        assert fallback.params["ErrorUrl"] == failure.url.partition("#")[0]
        assert fallback.params["CallStatus"] == "ringing"
        assert (fallback.method, fallback.header("x-twilio-signature") is not None) == ("POST", True)
        assert len(it.web.asked("/voice")) == failure.requests
        assert it.codes() == [failure.code]
        [after] = it.web.asked("/after")
        assert "ErrorCode" not in after.params
        assert [spoken.text for spoken in it.speech.spoken] == ["still here"]
        [ended] = await it.ends(1)
        assert ended.status == "completed"


@pytest.mark.parametrize(
    "failure",
    [each for each in FAILURES if each.code in (11201, 11202, 11750, 12102, 13750) or each.name in ("500", "no XML")],
    ids=str,
)
async def test_without_a_fallback_the_caller_hears_the_notice_and_is_hung_up_on(
    autojump_clock: MockClock, tmp_path: Path, failure: Failure
) -> None:
    async with failing(tmp_path, failure, fallback=None) as it, bystander(it):
        started = trio.current_time()
        call = await it.call()
        assert await call.answered()
        assert trio.current_time() - started == pytest.approx(failure.after_s, abs=0.001)
        await call.over()
        assert it.has_heard_notice(call)
        assert it.codes() == [failure.code]
        [ended] = await it.ends(1)
        assert (ended.status, ended.cause) == ("completed", "application-error")
        await it.web.wait_for(1, "/status")


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (Answer(b"", 500), 11200),
        (document("<Response><Say>half"), 12100),
        (twiml("<Enqueue>support</Enqueue>"), 13750),
        (Silent(), 11203),
    ],
)
async def test_a_failing_fallback_is_not_asked_twice_and_the_notice_follows(
    autojump_clock: MockClock, tmp_path: Path, answer: Behaviour, code: int
) -> None:
    async with failing(tmp_path, FAILURES[0]) as it, bystander(it):
        it.web.on("/fallback", answer)
        call = await it.call()
        assert await call.answered()
        await call.over()
        assert it.has_heard_notice(call)
        assert it.codes() == [11202, code]
        assert len(it.web.asked("/fallback")) == 1


async def test_a_fallback_with_get_carries_its_parameters_in_the_query(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with world(
        tmp_path,
        voice_url=f"{BASE}/voice?tenant=7",
        voice_method="GET",
        voice_fallback_url=f"{BASE}/fallback?tenant=7",
        voice_fallback_method="GET",
    ) as it:
        it.web.on("/voice", Answer(b"", 500))
        it.web.on("/fallback", twiml("<Hangup/>"))
        call = await it.call()
        await call.over()
        [voice] = it.web.asked("/voice")
        [fallback] = it.web.asked("/fallback")
        assert (voice.method, fallback.method, fallback.body) == ("GET", "GET", b"")
        assert fallback.query[0] == ("tenant", "7")
        assert fallback.params["ErrorCode"] == "11200"
        assert fallback.params["ErrorUrl"] == f"{BASE}/voice?tenant=7"


async def test_an_action_that_fails_in_an_answered_call_goes_to_the_fallback_too(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with failing(tmp_path, Failure("", 0, twiml('<Gather numDigits="1" action="/menu"/>'))) as it:
        it.web.on("/menu", Answer(b"", 502))
        it.web.on("/fallback", twiml("<Hangup/>"))
        call = await it.call()
        assert await call.answered()
        await call.press("5")
        await call.over()
        assert it.web.asked("/menu")[0].params["Digits"] == "5"
        [fallback] = it.web.asked("/fallback")
        assert fallback.params["ErrorUrl"] == f"{BASE}/menu"
        assert fallback.params["CallStatus"] == "in-progress"
        assert "Digits" not in fallback.params


@pytest.mark.parametrize(
    ("file", "code"),
    [
        (Answer(b"", 404, None), 11200),
        (Answer(b"no sound at all", content_type="audio/wav"), 11200),
        (Answer(b"<html/>", content_type="text/html"), 13420),
        (Answer(wav(tone(100)), content_type=None), 12300),
    ],
)
async def test_a_file_that_cannot_be_played_goes_to_the_fallback(
    autojump_clock: MockClock, tmp_path: Path, file: Answer, code: int
) -> None:
    async with failing(tmp_path, Failure("", 0, twiml("<Play>/clip.wav</Play><Say>never</Say>"))) as it:
        it.web.on("/clip.wav", file)
        it.web.on("/fallback", twiml("<Hangup/>"))
        call = await it.call()
        assert await call.answered()
        await call.over()
        [fallback] = it.web.asked("/fallback")
        assert fallback.params["ErrorCode"] == str(code)
        assert fallback.params["ErrorUrl"] == f"{BASE}/clip.wav"
        assert it.speech.spoken == []


async def test_a_speech_engine_that_fails_goes_to_the_fallback_and_the_notice_needs_none(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    speech = FakeSpeech(failing=True)
    async with world(tmp_path, speech=speech, voice_fallback_url=f"{BASE}/fallback") as it:
        it.web.on("/voice", twiml("<Say>one</Say>"))
        it.web.on("/fallback", twiml("<Say>two</Say>"))
        call = await it.call()
        assert await call.answered()
        await call.over()
        assert it.has_heard_notice(call)
        assert it.codes() == [12400, 12400]
        assert [spoken.text for spoken in speech.spoken] == ["one", "two"]


async def test_a_later_failure_asks_the_fallback_again(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with failing(tmp_path, Failure("", 0, Answer(b"", 500))) as it:
        it.web.on("/fallback", twiml("<Redirect>/later</Redirect>"), twiml("<Hangup/>"))
        it.web.on("/later", Answer(b"", 500))
        call = await it.call()
        await call.over()
        assert [asked.params["ErrorUrl"] for asked in it.web.asked("/fallback")] == [f"{BASE}/voice", f"{BASE}/later"]


async def test_redirects_keep_the_request_but_not_what_the_verb_added(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with world(tmp_path) as it:
        it.web.on("/voice", twiml('<Gather numDigits="1" action="/a"/>'))
        it.web.on("/a", redirect("/b", 307))
        it.web.on("/b", redirect("/c", 302))
        it.web.on("/c", twiml("<Hangup/>"))
        call = await it.call()
        assert await call.answered()
        await call.press("1")
        await call.over()
        [a], [b], [c] = it.web.asked("/a"), it.web.asked("/b"), it.web.asked("/c")
        assert (a.method, b.method, c.method) == ("POST", "POST", "GET")
        assert ("Digits" in a.params, "Digits" in b.params, "Digits" in c.params) == (True, False, False)
        assert b.params["CallSid"] == c.params["CallSid"] == a.params["CallSid"]


@pytest.mark.parametrize("answer", [Silent(), Answer(b"", 500), HangUp(), Raw(b"nonsense")])
async def test_a_status_callback_that_fails_is_a_warning_and_nothing_else(
    autojump_clock: MockClock, tmp_path: Path, answer: Behaviour
) -> None:
    async with world(tmp_path) as it:
        it.web.on("/voice", twiml("<Hangup/>"))
        sids: list[str] = []

        def status(asked: Asked) -> Behaviour:
            sids.append(asked.params["CallSid"])
            return answer if sids[-1] == sids[0] else STATUS_TAKEN

        it.web.on("/status", status)
        first = await it.call()
        await first.over()
        second = await it.call()
        await second.over()
        await it.idle()
        assert len(set(sids)) == 2
        [alert] = it.of(AlertRaised)
        assert alert.code in (11203, 11205, 11206, 15003)


async def test_a_hundred_slow_requests_to_one_application_delay_no_other(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    quick = CustomerApp()
    async with (
        world(tmp_path, others={"quick": f"http://{OTHER_WEB}/voice"}) as it,
        quick.serving(it.network.host(OTHER_WEB), (OTHER_WEB, 80)),
    ):
        it.web.on("/voice", twiml("<Hangup/>", delay_s=14))
        quick.on("/voice", twiml("<Reject/>"))
        slow: list[PhoneCall] = []
        for _ in range(100):
            slow.append(await it.call())
            await trio.sleep(0.01)
        for _ in range(5):
            started = trio.current_time()
            call = await it.call("quick")
            assert not await call.answered()
            assert trio.current_time() == started
            await trio.sleep(1)
        assert [asked.at for asked in quick.requests] == pytest.approx([seen.at for seen in invites(it, "quick")])
        for call in slow:
            await call.over()
        assert len(await it.ends(105)) == 105
        # 64 requests at a time to one origin: the others of the slow application waited, and too long.
        assert sorted(set(it.codes())) == [11203]


def invites(it: World, domain: str) -> list[Seen]:
    """The INVITEs to that domain, as the phone sent them."""
    return [
        seen
        for seen in it.phone.ladder
        if seen.sent and isinstance(seen.message, Request) and seen.message.method == "INVITE" and domain in str(seen)
    ]


async def test_cookies_of_one_call_never_reach_another(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with world(tmp_path) as it:

        def first(asked: Asked) -> Answer:
            cookie = (("Set-Cookie", f"visit={asked.params['CallSid']}; Path=/"),)
            return twiml('<Pause length="1"/><Redirect>/second</Redirect>', headers=cookie)

        it.web.on("/voice", first)
        it.web.on("/second", twiml('<Gather numDigits="1" action="/third" timeout="1"/><Redirect>/third</Redirect>'))
        it.web.on("/third", twiml("<Hangup/>"))
        calls = [await it.call() for _ in range(5)]
        for call in calls:
            await call.over()
        await it.web.wait_for(5, "/status")
        assert len(it.web.asked("/voice")) == len(it.web.asked("/third")) == 5
        for asked in it.web.requests:
            own = f"visit={asked.params['CallSid']}"
            assert asked.header("cookie") == (None if asked.path == "/voice" else own)


async def test_credentials_of_one_call_never_reach_another(autojump_clock: MockClock, tmp_path: Path) -> None:
    """A challenge is answered with what the URL holds, kept for the call; the next call is asked again."""
    async with world(tmp_path, voice_url=f"http://user:secret@{WEB}/voice") as it:

        def guarded(asked: Asked) -> Answer:
            if asked.header("authorization") is None:
                return Answer(b"", 401, headers=(("WWW-Authenticate", 'Basic realm="calls"'),))
            return twiml("<Redirect>/next</Redirect>")

        it.web.on("/voice", guarded)
        it.web.on("/next", twiml("<Hangup/>"))
        for _ in range(2):
            call = await it.call()
            await call.over()
        given = [asked.header("authorization") is not None for asked in it.web.asked("/voice")]
        assert given == [False, True, False, True]
        assert [asked.header("authorization") is not None for asked in it.web.asked("/next")] == [True, True]
