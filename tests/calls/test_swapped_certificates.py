"""Certificate files swapped under twenty live calls over TLS: nothing drops, who comes later sees the new one."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import attrs
import trio
from cryptography import x509
from trio.testing import MockClock

from offhook.server.certificates import LOOK_S
from offhook.server.config import TlsSettings
from offhook.server.values import HostPort
from offhook.sip.dialog.events import Cause
from offhook.testing.listen import match
from offhook.testing.network import FakeNetwork
from offhook.testing.phone import Phone, PhoneCall
from offhook.testing.speech import tone, wav
from offhook.testing.web import Answer, twiml
from offhook.transport.certificate import names_of
from offhook.transport.tls import KeyPair

from ..transport.certificates import files, issued
from .kit import HOST, SERVER, SUFFIX, World, config_for, phone_at, world
from .safe import PROXY, TLS_PORT, phone_tls

CALLS = 20
MELODY = tone(2000, 600)
BEFORE, AFTER = (f"*.{SUFFIX}", SERVER), (f"*.{SUFFIX}", SERVER, "new.example")


@attrs.frozen
class House:
    """A server over TLS with twenty phones in a call, each on a connection of its own."""

    it: World
    pair: KeyPair
    calls: list[PhoneCall]

    async def swap(self, hosts: tuple[str, ...]) -> None:
        """Put other files in place, and let the server look twice."""
        files(self.pair.certificate.parent, issued(hosts))
        await trio.sleep(2.5 * LOOK_S)

    async def shown(self) -> list[str]:
        """The names in the certificate that a new connection is shown."""
        stream = await self.it.network.host("10.0.1.99").connect_tcp((SERVER, TLS_PORT))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        tls = trio.SSLStream(stream, context, server_hostname=HOST, https_compatible=True)
        await tls.do_handshake()
        der = tls.getpeercert(binary_form=True)
        await trio.aclose_forcefully(stream)
        assert der is not None
        return names_of(x509.load_der_x509_certificate(der))

    def connections(self) -> int:
        return self.it.network.counts["connects"]

    async def all_go_on(self) -> None:
        """Each call is up, still hears, and can be ended by its phone over the connection that it began on."""
        before = self.connections()
        for call in self.calls:
            assert match(call.heard()[-len(MELODY) :], MELODY) > 0.9
        async with trio.open_nursery() as nursery:
            for call in self.calls:
                nursery.start_soon(call.hang_up)
        assert len(await self.it.ends(CALLS)) == CALLS
        assert [call.cause for call in self.calls] == [Cause.LOCAL] * CALLS
        assert self.connections() == before


@asynccontextmanager
async def house(tmp_path: Path) -> AsyncIterator[House]:
    pair = files(tmp_path / "certificates", issued(BEFORE))
    config = config_for(tmp_path)
    config = attrs.evolve(
        config,
        sip=attrs.evolve(config.sip, tls=(HostPort(SERVER, TLS_PORT),)),
        tls=TlsSettings(certificate=pair.certificate, private_key=pair.key),
    )
    async with world(tmp_path, config=config) as it, AsyncExitStack() as stack:
        it.web.on("/voice", twiml('<Play loop="0">/melody.wav</Play>'))
        it.web.on("/melody.wav", Answer(wav(MELODY), content_type="audio/wav"))
        calls = []
        for number in range(CALLS):
            host = f"10.0.1.{number + 1}"
            phone = await stack.enter_async_context(phone_at(it.network, host, f"p{number}", tls=phone_tls("10.0.1.1")))
            calls.append(await answered(it.network, phone))
        yield House(it, pair, calls)


async def answered(network: FakeNetwork, phone: Phone) -> PhoneCall:
    call = await phone.call(f"sip:100@{HOST}", via=PROXY)
    assert await call.answered()
    return call


async def test_twenty_calls_live_through_a_new_certificate(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        assert await it.shown() == list(BEFORE)
        await it.swap(AFTER)
        assert await it.shown() == [AFTER[0], AFTER[2], AFTER[1]]
        await it.all_go_on()


async def test_a_broken_file_changes_nothing_for_live_calls_nor_for_new_ones(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with house(tmp_path) as it:
        it.pair.certificate.write_text("-----BEGIN CERTIFICATE-----\nrubbish\n")
        await trio.sleep(2.5 * LOOK_S)
        assert await it.shown() == list(BEFORE)
        await it.all_go_on()


async def test_a_sighup_takes_new_files_at_once(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with house(tmp_path) as it:
        files(it.pair.certificate.parent, issued(AFTER))
        it.it.server.reload()
        await trio.sleep(0.1)
        assert "new.example" in await it.shown()
        await trio.sleep(2)
        await it.all_go_on()
