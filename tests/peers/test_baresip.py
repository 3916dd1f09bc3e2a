"""Calls from baresip: what it hears, the keys it presses and what it says all arrive, in both codecs."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from offhook.actors.messages.events import DigitsHeard, VerbStarted
from offhook.server.server import Parts, open_server
from offhook.testing.web import Answer, CustomerApp, twiml
from offhook.transport.trio_network import TrioNetwork

from .baresip import Codec, open_baresip
from .fetch import get
from .house import ACCOUNT, ALICE, DOMAIN, TOKEN, configuration
from .sdk import accepts
from .sipp import Transport
from .sound import ALIKE, likeness, read_wav, share_found, speech_like, write_wav

pytestmark = pytest.mark.peers

KEYS = "12*#9"
FILE_S = 3.0
RECORD_S = 3


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
@pytest.mark.parametrize("transport", ["UDP", "TCP"])
async def test_a_phone_hears_the_file_presses_keys_and_is_recorded(
    tmp_path: Path, transport: Transport, codec: Codec
) -> None:
    played, said = speech_like(FILE_S, seed=1), speech_like(30, seed=2)
    write_wav(tmp_path / "played.wav", played)
    write_wav(tmp_path / "said.wav", said)
    app = CustomerApp()
    app.on("/file.wav", Answer((tmp_path / "played.wav").read_bytes(), content_type="audio/wav"))
    gather = f'<Gather numDigits="{len(KEYS)}" finishOnKey="" timeout="10" action="/keys"/>'
    app.on("/voice", twiml(f"<Play>/file.wav</Play>{gather}"))
    app.on("/keys", twiml(f'<Record maxLength="{RECORD_S}" timeout="0" playBeep="false" action="/recorded"/>'))
    app.on("/recorded", twiml("<Hangup/>"))
    app.on("/status", Answer())
    async with app.serving(TrioNetwork(), ("127.0.0.1", 0)) as (host, port):
        base = f"http://{host}:{port}"
        config = configuration(tmp_path, f"{base}/voice", status_callback_url=f"{base}/status", login=True)
        async with open_server(config, Parts()) as server:
            async with open_baresip(
                tmp_path / "phone",
                server.addresses[transport.lower()][0],
                DOMAIN,
                transport=transport,
                codec=codec,
                speech=tmp_path / "said.wav",
                login=ALICE,
            ) as phone:
                async with server.events((VerbStarted, DigitsHeard)) as events:
                    await phone.order("dial", f"sip:100@{DOMAIN}")
                    await phone.happens("CALL_ESTABLISHED")
                    with trio.fail_after(20):
                        while getattr(await events.take(), "verb", None) != "Gather":
                            pass
                        for key in KEYS:  # a person presses the next key when the last one is done
                            await phone.order("sndcode", key)
                            event = await events.take()
                            assert isinstance(event, DigitsHeard)
                            assert event.digits == key
                await phone.happens("CALL_CLOSED", within_s=30)
            with trio.fail_after(10):
                (keys,) = await app.wait_for(1, "/keys")
                (recorded,) = await app.wait_for(1, "/recorded")
                (status,) = await app.wait_for(1, "/status")
            recording = await get(recorded.params["RecordingUrl"], (ACCOUNT, TOKEN))
    assert likeness(played, phone.heard()) > ALIKE
    assert keys.params["Digits"] == KEYS
    assert recording.status == 200
    (tmp_path / "recording.wav").write_bytes(recording.body)
    assert share_found(read_wav(tmp_path / "recording.wav"), said) > 0.7
    assert len(read_wav(tmp_path / "recording.wav")) == pytest.approx(RECORD_S * 8000, abs=800)
    assert status.params["CallStatus"] == "completed"
    assert [asked.target for asked in app.requests if not accepts(asked, TOKEN)] == []
