"""A call of baresip over TLS and SRTP as tshark sees it in the capture: every message, and the sound in the clear."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import attrs
import numpy as np
import pytest
import trio

from offhook.actors.messages.events import CallEnded, QualityMeasured
from offhook.media.g711 import PCMU
from offhook.server.config import CapturesSettings
from offhook.server.server import Parts, open_server
from offhook.testing.web import Answer, CustomerApp, twiml
from offhook.transport.trio_network import TrioNetwork

from .application import ROOT
from .baresip import open_baresip
from .house import ACCOUNT, ALICE, DOMAIN, TOKEN, configuration
from .sound import ALIKE, likeness, speech_like, write_wav
from .tshark import fields, tshark

pytestmark = pytest.mark.peers

FILE_S = 3.0
LADDER = ["INVITE", "407", "ACK", "INVITE", "100", "180", "200", "ACK", "BYE", "200"]


@attrs.frozen
class Captured:
    """A call that is over."""

    path: Path
    """What `offhook pcap` has written of it."""
    server: tuple[str, int]
    quality: QualityMeasured


async def tls_call(folder: Path) -> Captured:
    """Baresip calls a domain that takes TLS and SRTP alone, and is played a file."""
    app = CustomerApp()
    app.on("/voice", twiml("<Play>/file.wav</Play><Hangup/>"))
    app.on("/file.wav", Answer((folder / "played.wav").read_bytes(), content_type="audio/wav"))
    async with app.serving(TrioNetwork(), ("127.0.0.1", 0)) as (host, port):
        config = configuration(folder, f"http://{host}:{port}/voice", people=(ALICE,), secure=True)
        config = attrs.evolve(config, captures=CapturesSettings(rtp=True))
        async with open_server(config, Parts()) as server, server.events((CallEnded, QualityMeasured)) as events:
            server_at = server.addresses["tls"][0]
            async with open_baresip(
                folder / "phone",
                server_at,
                DOMAIN,
                transport="TCP",
                speech=folder / "said.wav",
                login=ALICE,
                ca=folder / "data/tls/ca.pem",
            ) as phone:
                await phone.calls(f"sip:100@{DOMAIN}")
                await phone.is_over()
            with trio.fail_after(10):
                told = [await events.take() for _ in range(2)]
    [ended] = [event for event in told if isinstance(event, CallEnded)]
    [quality] = [event for event in told if isinstance(event, QualityMeasured)]
    return Captured(await written(folder, ended.call_sid), server_at, quality)


async def written(folder: Path, sid: str) -> Path:
    """The file that the command line gives of a call."""
    settings, output = folder / "offhook.toml", folder / "call.pcapng"
    settings.write_text(
        f'[server]\ndata_dir = "{folder / "data"}"\n[account]\nsid = "{ACCOUNT}"\nauth_token = "{TOKEN}"\n'
        '[sip]\ndomain_suffix = "sip.test"\n'
    )
    command = [sys.executable, "-m", "offhook", "pcap", sid, "--config", str(settings)]
    with trio.fail_after(60):
        done = await trio.run_process(command, capture_stdout=True, capture_stderr=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr.decode()
    output.write_bytes(done.stdout)
    return output


async def test_tshark_sees_the_whole_ladder_of_a_tls_call_and_hears_its_srtp(tmp_path: Path) -> None:
    played = speech_like(FILE_S, seed=1)
    write_wav(tmp_path / "played.wav", played)
    write_wav(tmp_path / "said.wav", speech_like(30, seed=2))
    call = await tls_call(tmp_path)
    path, (host, port) = call.path, call.server

    # The ladder, in order, between the two ends of the connection.
    messages = await fields(path, "sip", ("sip.Method", "sip.Status-Code", "ip.src", "udp.srcport", "udp.dstport"))
    assert [method or status for method, status, *_ in messages] == LADDER
    ours = [method or status for method, status, source, source_port, _ in messages if int(source_port) == port]
    assert ours == ["407", "100", "180", "200", "BYE"]
    assert {source for _, _, source, *_ in messages} == {host}
    assert {port} < {int(each) for *_, source, target in messages for each in (source, target)}
    assert await fields(path, 'sip && frame.comment contains "over TLS"', ("frame.number",)) == await fields(
        path, "sip", ("frame.number",)
    )

    # The sound: as many packets as were counted, with the payload type of the description, and what was played.
    rtp = await fields(path, "rtp", ("udp.srcport", "rtp.p_type", "rtp.ssrc", "rtp.payload", "rtp.setup-frame"))
    described = await fields(path, "sdp", ("sip.Status-Code", "sdp.media.port"))
    assert [status for status, _ in described] == ["", "", "200"]
    their_port, our_port = described[1][1], described[2][1]
    sent = [each for each in rtp if each[0] == our_port]
    heard = [each for each in rtp if each[0] == their_port]
    assert len(sent) + len(heard) == len(rtp)
    assert (len(sent), len(heard)) == (call.quality.packets_sent, call.quality.packets_received)
    assert len(sent) > 50 * FILE_S
    assert {each[1] for each in rtp} == {"0"}
    assert all(payload and frame for *_, payload, frame in rtp)
    octets = b"".join(bytes.fromhex(each[3].replace(":", "")) for each in sent)
    assert likeness(played, np.frombuffer(PCMU.decode(octets), np.int16).astype(np.float64)) > ALIKE

    # No stream has a gap, nothing is wrong with any packet, and reports of both are there.
    streams = [line.split() for line in await tshark(path, "-q", "-z", "rtp,streams") if "g711U" in line]
    assert len(streams) == 2
    assert all("(0.0%)" in stream for stream in streams)
    assert await fields(path, "_ws.malformed || _ws.expert.severity == error", ("frame.number",)) == []
    assert await fields(path, "rtcp", ("frame.number",)) != []
    assert await fields(path, "srtp.enc_payload || srtcp.encrypted_payload", ("frame.number",)) == []

    # Nobody can decrypt what was recorded on the wire, nor guess the password.
    whole = path.read_bytes()
    assert whole.count(b"a=crypto:") == 3
    assert whole.count(b"inline:" + 40 * b"x") == 3
    proofs = re.findall(rb'Authorization: Digest .*?response="(\w+)"', whole)
    assert proofs
    assert set(proofs) == {32 * b"x"}
