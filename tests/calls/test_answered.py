"""A phone calls in, the application answers in TwiML: what the phone sees and hears, what the application is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from trio.testing import MockClock

from offhook.actors.messages.events import CallAnswered, CallEnded, CallStarted, VerbStarted
from offhook.sip.message import Response
from offhook.testing.listen import match
from offhook.testing.network import Conditions
from offhook.testing.speech import tone, wav
from offhook.testing.web import Answer, twiml
from offhook.twiml.signature import check

from .kit import ACCOUNT, BASE, HOST, PHONE, TOKEN, world


async def test_say_and_hangup_is_one_webhook_one_call_and_one_bye(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with world(tmp_path) as it:
        it.web.on("/voice", twiml("<Say>Hello</Say><Hangup/>"))
        call = await it.phone.call(it.target, via=it.proxy)
        assert await call.answered()
        await call.over()
        ended = await it.ended()
        assert (ended.status, ended.cause) == ("completed", "hangup")
        [voice] = it.web.asked("/voice")
        assert voice.params["CallStatus"] == "ringing"
        assert voice.params["From"] == f"sip:alice@{HOST}"
        assert voice.params["To"] == it.target
        assert voice.params["SipSourceIp"] == PHONE
        assert voice.params["AccountSid"] == ACCOUNT
        assert check(TOKEN, f"{BASE}/voice", voice.header("x-twilio-signature") or "", voice.form)
        [status] = await it.web.wait_for(1, "/status")
        assert status.params["CallStatus"] == "completed"
        assert status.params["SipResponseCode"] == "200"
        assert len(it.of(CallStarted)) == len(it.of(CallAnswered)) == len(it.of(CallEnded)) == 1
        statuses = [seen.message.status for seen in it.phone.ladder if isinstance(seen.message, Response)]
        assert statuses[:3] == [100, 180, 200]


async def test_play_is_heard_as_it_was_recorded(autojump_clock: MockClock, tmp_path: Path) -> None:
    melody = b"".join(tone(200, hz) for hz in (500, 700, 900, 1100))
    # Both ends beat at the same instant of virtual time: without a way between them a frame is now early, now late.
    async with world(tmp_path, conditions=Conditions(delay_s=0.005)) as it:
        it.web.on("/voice", twiml("<Play>/melody.wav</Play><Pause/>"))
        it.web.on("/melody.wav", Answer(wav(melody), content_type="audio/wav"))
        call = await it.phone.call(it.target, via=it.proxy)
        await call.over()
        assert match(call.heard(), melody) > 0.99


@pytest.mark.parametrize(("reason", "status", "ended"), [("rejected", 404, "no-answer"), ("busy", 486, "busy")])
async def test_reject_never_answers(
    autojump_clock: MockClock, tmp_path: Path, reason: str, status: int, ended: str
) -> None:
    async with world(tmp_path) as it:
        it.web.on("/voice", twiml(f'<Reject reason="{reason}"/>'))
        call = await it.phone.call(it.target, via=it.proxy)
        assert not await call.answered()
        assert call.status == status
        event = await it.ended()
        assert (event.status, event.duration_s) == (ended, 0)
        [callback] = await it.web.wait_for(1, "/status")
        assert (callback.params["CallStatus"], callback.params["SipResponseCode"]) == (ended, str(status))
        assert it.of(CallAnswered) == []
        assert it.of(VerbStarted) == []
