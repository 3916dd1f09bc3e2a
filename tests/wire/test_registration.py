"""Registration over real sockets: a phone on UDP and one on TCP, and what a lost connection does."""

from __future__ import annotations

from pathlib import Path

import pytest
import trio

from offhook.actors.bus import Gap
from offhook.actors.mailbox import Reply
from offhook.actors.messages.events import Unregistered
from offhook.actors.messages.registrar import Locate, Located
from offhook.server.config import (
    AccountSettings,
    Config,
    CredentialSettings,
    DomainSettings,
    ServerSettings,
    SipSettings,
)
from offhook.server.server import Parts, Server, open_server
from offhook.testing.phone import open_phone
from offhook.testing.speech import FakeSpeech
from offhook.transport.flow import Flow
from offhook.transport.trio_network import TrioNetwork

pytestmark = pytest.mark.wire

LOOPBACK = "127.0.0.1"
SUFFIX = "sip.example.test"
HOST = f"acme.{SUFFIX}"
PASSWORD = "Secret-Passw0rd"


def config_for(tmp_path: Path) -> Config:
    return Config(
        server=ServerSettings(data_dir=tmp_path / "data", drain_s=1),
        account=AccountSettings(sid="AC" + "1" * 32, auth_token="0" * 32),
        sip=SipSettings(domain_suffix=SUFFIX, udp=(f"{LOOPBACK}:0",), tcp=(f"{LOOPBACK}:0",), tls=()),
        domains=(
            DomainSettings(
                name="acme",
                sip_registration=True,
                credentials=[CredentialSettings(username="ann", password=PASSWORD)],
            ),
        ),
    )


async def contacts(server: Server) -> list[tuple[str, tuple[str, int]]]:
    """Transport and remote address of the flows that lead to ann."""

    def question(reply: Reply[Located]) -> Locate:
        return Locate(f"sip:ann@{HOST}", reply)

    located = await server.tree.services.registrar.ask(question, 5.0)
    flows = [binding.flow for binding in located.contacts]
    return [(flow.transport, flow.remote) for flow in flows if isinstance(flow, Flow)]


async def test_phones_register_over_both_transports(tmp_path: Path) -> None:
    parts = Parts(speech=FakeSpeech(), http=False)
    with trio.fail_after(20):
        async with open_server(config_for(tmp_path), parts) as server, server.events((Unregistered,)) as events:
            [udp], [tcp] = server.addresses["udp"], server.addresses["tcp"]
            async with open_phone(TrioNetwork(), LOOPBACK, name="ann") as mobile:
                line = await mobile.register(HOST, password=PASSWORD, via=f"sip:{LOOPBACK}:{udp[1]}")
                assert [response.status for response in line.responses] == [407, 200]
                async with open_phone(TrioNetwork(), LOOPBACK, name="ann") as desk:
                    other = await desk.register(
                        HOST, password=PASSWORD, via=f"sip:{LOOPBACK}:{tcp[1]}", transport="tcp"
                    )
                    assert other.status == 200
                    assert len(other.bindings) == 2
                    assert sorted(transport for transport, _ in await contacts(server)) == ["TCP", "UDP"]
                gone = await events.take()
                assert not isinstance(gone, Gap)
                assert isinstance(gone, Unregistered)
                assert gone.reason == "connection-closed"
                assert [transport for transport, _ in await contacts(server)] == ["UDP"]
                assert (await line.end()).status == 200
                assert await contacts(server) == []
                wrong = await mobile.register(HOST, password="wrong", via=f"sip:{LOOPBACK}:{udp[1]}")
                assert wrong.status == 403
