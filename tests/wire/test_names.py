"""SRV and NAPTR from a real name server (of ours) on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import dns.message
import dns.rcode
import dns.rrset
import pytest
import trio

from offhook.transport.errors import NameLookupFailed
from offhook.transport.network import NaptrRecord, SrvRecord
from offhook.transport.trio_network import TrioNetwork

pytestmark = pytest.mark.wire

ZONE = {
    ("example.com.", "NAPTR"): [
        '20 10 "s" "SIP+D2U" "" _sip._udp.example.com.',
        '10 20 "s" "sip+d2t" "" _sip._tcp.example.com.',
    ],
    ("_sip._udp.example.com.", "SRV"): ["20 0 5061 b.example.com.", "10 0 5060 a.example.com."],
    ("_sip._tcp.example.com.", "SRV"): ["0 0 0 ."],
}


@asynccontextmanager
async def name_server() -> AsyncIterator[TrioNetwork]:
    """A network that asks a name server which knows `ZONE`, fails for `broken.*`, and knows nothing else."""
    sock = await TrioNetwork().udp(("127.0.0.1", 0))

    async def serve() -> None:
        while True:
            await sock.readable()
            datagram = sock.recv_nowait()
            if datagram is None:
                continue
            query = dns.message.from_wire(datagram.data)
            response = dns.message.make_response(query)
            name, kind = str(query.question[0].name), query.question[0].rdtype.name
            records = ZONE.get((name, kind))
            if records:
                response.answer.append(dns.rrset.from_text_list(name, 60, "IN", kind, records))
            elif name.startswith("broken."):
                response.set_rcode(dns.rcode.SERVFAIL)
            elif name.startswith("gone."):
                response.set_rcode(dns.rcode.NXDOMAIN)
            sock.send_nowait(response.to_wire(), datagram.remote)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        with trio.fail_after(20):
            yield TrioNetwork(nameservers=[sock.local])
        nursery.cancel_scope.cancel()
    sock.close()


async def test_records_come_in_the_order_to_try() -> None:
    async with name_server() as network:
        assert await network.naptr("example.com") == [
            NaptrRecord("SIP+D2T", "_sip._tcp.example.com", "S", 10, 20),
            NaptrRecord("SIP+D2U", "_sip._udp.example.com", "S", 20, 10),
        ]
        assert await network.srv("_sip._udp.example.com") == [
            SrvRecord("a.example.com", 5060, 10, 0),
            SrvRecord("b.example.com", 5061, 20, 0),
        ]
        assert await network.srv("_sip._tcp.example.com") == [SrvRecord("", 0, 0, 0)]


async def test_names_without_records_have_none_and_failures_are_told() -> None:
    async with name_server() as network:
        assert await network.srv("gone.example.com") == []
        assert await network.naptr("plain.example.com") == []
        with pytest.raises(NameLookupFailed, match="SRV"):
            await network.srv("broken.example.com")
        with pytest.raises(NameLookupFailed):
            await network.naptr("x" * 64 + ".example.com")
