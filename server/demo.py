"""`offhook demo`: calls on this machine, without a phone: server, application, two scripted phones, and a verdict."""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import attrs
import trio

from ..actors.messages.events import CallEnded
from ..testing.phone import open_phone
from ..testing.phone_line import PhoneTls
from ..testing.speech import wav
from ..transport.network import Network
from ..transport.tls import TlsClients, TlsProfile
from ..transport.trio_network import TrioNetwork
from .config import (
    AccountSettings,
    Config,
    CredentialSettings,
    DomainSettings,
    HttpSettings,
    MediaSettings,
    ServerSettings,
    SipSettings,
    WebhooksSettings,
)
from .demo_app import DOMAIN, SUFFIX, USERS, DemoApp
from .demo_narrator import Narrator, Verdict
from .demo_story import Story
from .run import FAILED, OK, obey
from .server import Parts, Server, open_server

HOST: Final = "127.0.0.1"
NAME: Final = "localhost"
"""Of this machine in its certificate, for phones that look for names only."""
PASSWORD: Final = "Offhook-demo-1"
STAY_PORT: Final = 5060
"""Where `--stay` serves SIP unless it is told another port."""
STAY_TLS_PORT: Final = 5061
"""The same with `--secure`."""
WITHIN_S: Final = 50.0
"""The whole story takes about 15 s."""


def demo_config(data_dir: Path, app_port: int, sip_port: int, *, http_port: int = 0, secure: bool = False) -> Config:
    """A server on loopback with one domain, two users, and the application that listens on `app_port`.

    `secure`: it listens for TLS and nothing else, and its domain takes encrypted media alone.
    """
    base = f"http://{HOST}:{app_port}"
    bound = (f"{HOST}:{sip_port}",)
    return Config(
        server=ServerSettings(data_dir=data_dir, drain_s=5),
        account=AccountSettings(),
        sip=SipSettings(
            domain_suffix=SUFFIX,
            default_domain="demo",
            udp=() if secure else bound,
            tcp=() if secure else bound,
            tls=bound if secure else (),
            registration_min_s=60,
        ),
        media=MediaSettings(),
        http=HttpSettings(bind=f"{HOST}:{http_port}"),
        webhooks=WebhooksSettings(allowed_networks=("127.0.0.0/8",)),
        domains=(
            DomainSettings(
                name="demo",
                voice_url=f"{base}/voice",
                status_callback_url=f"{base}/status",
                sip_registration=True,
                ip_access_control=("127.0.0.0/8",),
                credentials=tuple(CredentialSettings(username=user, password=PASSWORD) for user in USERS),
                secure=secure,
            ),
        ),
    )


async def run_demo(
    *,
    stay: bool = False,
    secure: bool = False,
    sip_port: int | None = None,
    write: Callable[[str], None] = print,
    parts: Parts | None = None,
    sounds: Path | None = None,
) -> int:
    """The demo; 0 when every expectation held, else 1.

    `stay` keeps serving after it. `secure`: all of it over TLS, with encrypted media. `parts` replaces the real network
    and the rest of this machine; everything is on the loopback of one host. `sounds` is where the WAV files of what was
    heard go; None: a new folder for temporary files.
    """
    narrator = Narrator(write)
    parts = parts or Parts()
    network = parts.network or TrioNetwork()
    usual = STAY_TLS_PORT if secure else STAY_PORT
    port = sip_port if sip_port is not None else usual if stay else 0
    data_dir = Path(tempfile.mkdtemp(prefix="offhook-demo-"))
    app = DemoApp(narrator.webhook, secure=secure)
    try:
        async with (
            app.web.serving(network, (HOST, 0)) as (_, app_port),
            open_server(
                demo_config(data_dir, app_port, port, secure=secure), attrs.evolve(parts, network=network)
            ) as server,
        ):
            app.token = server.account.auth_token
            story = await told(network, server, app, narrator)
            report(story, sounds or Path(tempfile.mkdtemp(prefix="offhook-demo-heard-")), write)
            if stay and story.verdict.good:
                await keep_serving(server, write)
    finally:
        shutil.rmtree(data_dir, ignore_errors=True)
    if story.verdict.good and not stay:
        for line in what_next(secure=secure):
            write(line)
    return OK if story.verdict.good else FAILED


async def told(network: Network, server: Server, app: DemoApp, narrator: Narrator) -> Story:
    """The story, played to its end and judged."""
    tls = phone_tls(server)
    phone = partial(open_phone, network, HOST, tls=tls, secure=tls is not None)
    async with (
        server.events() as events,
        server.events((CallEnded,)) as ends,
        phone(name="alice", watch=lambda seen: narrator.sip("alice", seen)) as alice,
        phone(name="bob", watch=lambda seen: narrator.sip("bob", seen)) as bob,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(narrator.tell_events, events)
        story = Story(app, narrator, alice, bob, DOMAIN, sip_uri(server), PASSWORD, secure=tls is not None)
        with trio.move_on_after(WITHIN_S) as patience:
            await story.play(ends)
        story.verdict.expect(f"all of it within {WITHIN_S:g} s", not patience.cancelled_caught)
        nursery.cancel_scope.cancel()
    return story


def sip_uri(server: Server) -> str:
    if server.certificates is not None:
        [(host, port)] = server.addresses["tls"]
        return f"sip:{host}:{port};transport=tls"
    [(host, port)] = server.addresses["udp"]
    return f"sip:{host}:{port}"


def phone_tls(server: Server) -> PhoneTls | None:
    """For phones that believe a server whose certificate is from the authority of this one; None: it has none.

    What they show themselves is the server's certificate, which is for this machine too; but nobody calls them other
    than down the connections that they have opened.
    """
    if server.certificates is None:
        return None
    return PhoneTls(server.certificates.server, TlsClients(usual=TlsProfile(ca_file=server.certificates.ca_file)))


def report(story: Story, sounds: Path, write: Callable[[str], None]) -> None:
    """What held and what did not, and the files of what was heard."""
    verdict: Verdict = story.verdict
    verdict.report(write)
    write("")
    for name, samples in story.heard.items():
        path = sounds / f"{name}.wav"
        path.write_bytes(wav(samples))
        write(f"What {name} heard: {path}")
    failed = sum(not line.held for line in verdict.lines)
    write("The demo went as it should." if verdict.good else f"The demo did not go as it should: {failed} failed.")


def settings_of_phones(port: int, ca: Path | None = None) -> list[str]:
    """Exactly what a softphone on this machine is set to; with the file of an authority, over TLS."""
    where, login = f"{HOST}:{port}", f"auth_user=alice;auth_pass={PASSWORD};regint=600"
    if ca is None:
        transport = ["  transport                     UDP or TCP"]
        baresip = [f"  baresip, in accounts          <sip:alice@{where}>;{login}"]
    else:
        transport = [
            f"  where it has to be a name     {NAME}:{port} (Linphone knows no addresses in certificates)",
            "  transport                     TLS",
            f"  root certificate              {ca}",
            "  media encryption              SRTP (SDES), mandatory",
        ]
        baresip = [
            f"  baresip, in accounts          <sip:alice@{where};transport=tls>;{login};mediaenc=srtp-mand",
            f"  baresip, in config            sip_cafile {ca}",
            "                                module srtp.so",
        ]
    return [
        f"  server, domain or registrar   {where}",
        *transport,
        f"  user (also for login)         alice; for a second phone {USERS[1]}",
        f"  password                      {PASSWORD}",
        "  register every                60 to 3600 s",
        *baresip,
        f"  and call                      sip:bob@{where} (the application dials bob's phone)",
        f"                                sip:desk@{where} (greets, asks for a key, then dials bob)",
    ]


def what_next(*, secure: bool = False) -> list[str]:
    """What a newcomer can try now."""
    once_more = "does this once more, then keeps serving on port"
    if secure:
        return [
            "",
            f"Next: `offhook demo --secure --stay` {once_more} {STAY_TLS_PORT},",
            "and prints what a softphone is to be set to. Certificates and encrypted media: docs/tls.md",
        ]
    return [
        "",
        f"Next: `offhook demo --stay` {once_more} {STAY_PORT}. Set a softphone to",
        *settings_of_phones(STAY_PORT),
        "",
        "`offhook demo --secure` does all of it over TLS, with encrypted media.",
        "A server of your own: README.md; phones, <Dial> and trunks: docs/phones.md, docs/dial.md, docs/trunks.md",
    ]


async def keep_serving(server: Server, write: Callable[[str], None]) -> None:
    """`--stay`: say how a softphone gets in, then serve until interrupted."""
    secured = server.certificates
    [(_, port)] = server.addresses["udp" if secured is None else "tls"]
    write("\nThe server goes on. Set a softphone to")
    for line in settings_of_phones(port, secured.ca_file if secured is not None else None):
        write(line)
    write("Serving until Ctrl-C.")
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(obey, signals, server.drain, nursery.cancel_scope)
            await server.wait()
