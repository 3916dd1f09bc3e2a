"""What `<Record>` recorded can be fetched at its RecordingUrl: as WAV and as MP3, by the account alone."""

from __future__ import annotations

import io
import wave
from pathlib import Path

import numpy
import pytest
import soundfile
import trio

from offhook.media.pcm import array_of
from offhook.media.sources import Clip
from offhook.server.server import open_server
from offhook.testing.phone import open_phone
from offhook.testing.web import Answer, CustomerApp, twiml
from offhook.transport.trio_network import TrioNetwork
from tests.peers.fetch import Page, get
from tests.peers.house import ACCOUNT, DOMAIN, TOKEN, configuration
from tests.peers.sdk import accepts
from tests.peers.sound import RATE_HZ, Samples, share_found, speech_like

pytestmark = [pytest.mark.wire, pytest.mark.peers]

RECORD_S = 2
OWNER = (ACCOUNT, TOKEN)


async def test_a_recording_is_served_as_wav_and_mp3_to_its_account_alone(tmp_path: Path) -> None:
    said = speech_like(RECORD_S + 3, seed=4)
    app = CustomerApp()
    app.on(
        "/voice",
        twiml(
            f'<Record maxLength="{RECORD_S}" timeout="0" playBeep="false" action="/done"'
            ' recordingStatusCallback="/recorded"/>'
        ),
    )
    app.on("/done", twiml("<Hangup/>"))
    app.on("/recorded", Answer())
    async with (
        app.serving(TrioNetwork(), ("127.0.0.1", 0)) as (host, port),
        open_server(configuration(tmp_path, f"http://{host}:{port}/voice")) as server,
    ):
        host, port = server.addresses["udp"][0]
        async with open_phone(TrioNetwork(), "127.0.0.1") as phone:
            with trio.fail_after(30):
                call = await phone.call(f"sip:100@{DOMAIN}", via=f"sip:{host}:{port}")
                assert await call.answered()
                await call.say(Clip((said * 32767).astype("<i2").tobytes()))
                await call.over()
                (done,) = await app.wait_for(1, "/done")
                (recorded,) = await app.wait_for(1, "/recorded")
        url = done.params["RecordingUrl"]
        plain, wav, mp3 = await get(url, OWNER), await get(f"{url}.wav", OWNER), await get(f"{url}.mp3", OWNER)
        strangers = [await get(url), await get(f"{url}.wav", (ACCOUNT, "guess")), await get(f"{url}.mp3")]
        others = [await get(f"{url}.ogg", OWNER), await get(url[:-1] + ("0" if url[-1] != "0" else "1"), OWNER)]
    assert recorded.params["RecordingUrl"] == url
    assert recorded.params["RecordingStatus"] == "completed"
    assert done.params["RecordingDuration"] == str(RECORD_S)
    assert (plain.status, plain.content_type, plain.body) == (200, "audio/x-wav", wav.body)
    assert (mp3.status, mp3.content_type) == (200, "audio/mpeg")
    assert share_found(samples_of(plain), said) > 0.7
    assert share_found(samples_of(plain), lossy_samples_of(mp3), alike=0.9) > 0.7
    assert [page.status for page in strangers] == [401, 401, 401]
    assert [page.status for page in others] == [404, 404]
    assert [asked.target for asked in app.requests if not accepts(asked, TOKEN)] == []


def samples_of(page: Page) -> Samples:
    with wave.open(io.BytesIO(page.body)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE_HZ)
        assert file.getnframes() == pytest.approx(RECORD_S * RATE_HZ, abs=RATE_HZ // 10)
        return numpy.asarray(array_of(file.readframes(file.getnframes())), dtype=numpy.float64) / 32768


def lossy_samples_of(page: Page) -> Samples:
    samples, rate = soundfile.read(io.BytesIO(page.body), dtype="float64")
    assert rate == RATE_HZ
    return numpy.asarray(samples, dtype=numpy.float64)
