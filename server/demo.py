"""`offhook demo`: calls on this machine, without a phone: server, application, two scripted phones, and a verdict."""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import attrs
import trio

from ..actors.messages.events import CallEnded
from ..testing.phone import open_phone
from ..testing.speech import wav
from ..transport.network import Network
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
from .demo_app import USERS, DemoApp
from .demo_narrator import Narrator, Verdict
from .demo_story import Story
from .run import FAILED, OK, obey
from .server import Parts, Server, open_server

HOST: Final = "127.0.0.1"
SUFFIX: Final = "sip.offhook.test"
PASSWORD: Final = "Offhook-demo-1"
STAY_PORT: Final = 5060
"""Where `--stay` serves SIP unless it is told another port."""
WITHIN_S: Final = 50.0
"""The whole story takes about 15 s."""


def demo_config(data_dir: Path, app_port: int, sip_port: int, *, http_port: int = 0) -> Config:
    """A server on loopback with one domain, two users, and the application that listens on `app_port`."""
    base = f"http://{HOST}:{app_port}"
    return Config(
        server=ServerSettings(data_dir=data_dir, drain_s=5),
        account=AccountSettings(),
        sip=SipSettings(
            domain_suffix=SUFFIX,
            default_domain="demo",
            udp=(f"{HOST}:{sip_port}",),
            tcp=(f"{HOST}:{sip_port}",),
            tls=(),
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
            ),
        ),
    )


async def run_demo(
    *,
    stay: bool = False,
    sip_port: int | None = None,
    write: Callable[[str], None] = print,
    parts: Parts | None = None,
    sounds: Path | None = None,
) -> int:
    """The demo; 0 when every expectation held, else 1.

    `stay` keeps serving after it. `parts` replaces the real network and the rest of this machine; everything is on the
    loopback of one host. `sounds` is where the WAV files of what was heard go; None: a new folder for temporary files.
    """
    narrator = Narrator(write)
    parts = parts or Parts()
    network = parts.network or TrioNetwork()
    port = sip_port if sip_port is not None else STAY_PORT if stay else 0
    data_dir = Path(tempfile.mkdtemp(prefix="offhook-demo-"))
    app = DemoApp(narrator.webhook)
    try:
        async with (
            app.web.serving(network, (HOST, 0)) as (_, app_port),
            open_server(demo_config(data_dir, app_port, port), attrs.evolve(parts, network=network)) as server,
        ):
            app.token = server.account.auth_token
            story = await told(network, server, app, narrator)
            report(story, sounds or Path(tempfile.mkdtemp(prefix="offhook-demo-heard-")), write)
            if stay and story.verdict.good:
                await keep_serving(server, write)
    finally:
        shutil.rmtree(data_dir, ignore_errors=True)
    if story.verdict.good and not stay:
        for line in what_next(STAY_PORT):
            write(line)
    return OK if story.verdict.good else FAILED


async def told(network: Network, server: Server, app: DemoApp, narrator: Narrator) -> Story:
    """The story, played to its end and judged."""
    async with (
        server.events() as events,
        server.events((CallEnded,)) as ends,
        open_phone(network, HOST, name="alice", watch=lambda seen: narrator.sip("alice", seen)) as alice,
        open_phone(network, HOST, name="bob", watch=lambda seen: narrator.sip("bob", seen)) as bob,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(narrator.tell_events, events)
        story = Story(app, narrator, alice, bob, f"demo.{SUFFIX}", sip_uri(server), PASSWORD)
        with trio.move_on_after(WITHIN_S) as patience:
            await story.play(ends)
        story.verdict.expect(f"all of it within {WITHIN_S:g} s", not patience.cancelled_caught)
        nursery.cancel_scope.cancel()
    return story


def sip_uri(server: Server) -> str:
    [(host, port)] = server.addresses["udp"]
    return f"sip:{host}:{port}"


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


def settings_of_phones(port: int) -> list[str]:
    """Exactly what a softphone on this machine is set to."""
    return [
        f"  server, domain or registrar   {HOST}:{port}",
        "  transport                     UDP or TCP",
        f"  user (also for login)         alice; for a second phone {USERS[1]}",
        f"  password                      {PASSWORD}",
        "  register every                60 to 3600 s",
        f"  baresip, in accounts          <sip:alice@{HOST}:{port}>;auth_user=alice;auth_pass={PASSWORD};regint=600",
        f"  and call                      sip:bob@{HOST}:{port} (the application dials bob's phone)",
        f"                                sip:desk@{HOST}:{port} (greets, asks for a key, then dials bob)",
    ]


def what_next(port: int) -> list[str]:
    """What a newcomer can try now."""
    return [
        "",
        f"Next: `offhook demo --stay` does this once more, then keeps serving on port {port}. Set a softphone to",
        *settings_of_phones(port),
        "",
        "A server of your own: README.md; phones, <Dial> and trunks: docs/phones.md, docs/dial.md, docs/trunks.md",
    ]


async def keep_serving(server: Server, write: Callable[[str], None]) -> None:
    """`--stay`: say how a softphone gets in, then serve until interrupted."""
    [(_, port)] = server.addresses["udp"]
    write("\nThe server goes on. Set a softphone to")
    for line in settings_of_phones(port):
        write(line)
    write("Serving until Ctrl-C.")
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(obey, signals, server.drain, nursery.cancel_scope)
            await server.wait()
