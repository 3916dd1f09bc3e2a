"""`offhook demo`: a whole call on this machine, without a phone: server, application, scripted phone, and a verdict."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import attrs
import trio

from ..actors.bus import Subscription
from ..actors.messages.events import (
    AlertRaised,
    CallAnswered,
    CallEnded,
    CallStarted,
    DigitsHeard,
    QualityMeasured,
    RecordingReady,
    VerbStarted,
)
from ..media.sources import Clip
from ..sip.message import Request, Response
from ..testing.listen import beep_in, match
from ..testing.phone import Phone, PhoneCall, Seen, open_phone
from ..testing.speech import tone, wav
from ..testing.web import Answer, Asked
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
from .demo_app import MELODY, PRESSED, DemoApp
from .log import Format, set_up
from .server import Server, open_server

SUFFIX: Final = "sip.offhook.test"
USER: Final = "demo"
PASSWORD: Final = "Offhook-demo-1"
WITHIN_S: Final = 60.0
"""The whole call takes about 20 s."""
SPOKEN: Final = tone(2500, 350.0)
"""What the phone says to `<Record>`."""


@attrs.define
class Verdict:
    """What was expected, and whether it held."""

    lines: list[tuple[str, bool]] = attrs.field(factory=list)

    def expect(self, text: str, held: bool) -> None:
        self.lines.append((text, held))

    @property
    def good(self) -> bool:
        return bool(self.lines) and all(held for _, held in self.lines)


@attrs.define(eq=False)
class Narrator:
    """Prints what happens, each line under the one who does it."""

    write: Callable[[str], None] = print
    _began: float = attrs.field(factory=trio.current_time)

    def line(self, who: str, text: str) -> None:
        stamp = trio.current_time() - self._began
        first, *rest = text.splitlines() or [""]
        self.write(f"{stamp:7.2f}  {who:<8} {first}")
        for more in rest:
            self.write(f"{'':18}{more}")

    def sip(self, seen: Seen) -> None:
        message = seen.message
        arrow = "phone --> server " if seen.sent else "phone <-- server "
        what = f"{message.method} {message.request_uri}" if isinstance(message, Request) else status_line(message)
        self.line("SIP", arrow + what)

    def webhook(self, asked: Asked, answer: Answer) -> None:
        shown = {name: value for name, value in asked.params.items() if name in SHOWN}
        body = "" if "xml" not in (answer.content_type or "") else "\n" + answer.body.decode()
        self.line("webhook", f"{asked.method} {asked.path} {shown} -> {answer.status} {answer.content_type}{body}")

    async def tell_events(self, events: Subscription) -> None:
        async for event in events:
            text = described(event)
            if text:
                self.line("server", text)


SHOWN: Final = frozenset(
    {"CallSid", "CallStatus", "From", "To", "Digits", "RecordingUrl", "RecordingDuration", "CallDuration"}
)


def status_line(response: Response) -> str:
    return f"{response.status} {response.reason} ({response.cseq.method})"


def described(event: object) -> str:
    """One line for an event that a newcomer wants to see; empty for the others."""
    match event:
        case CallStarted():
            return f"call {event.call_sid} from {event.from_} to {event.to}"
        case CallAnswered():
            return "call answered"
        case VerbStarted():
            return f"carries out <{event.verb}>"
        case DigitsHeard():
            return f"hears the key {event.digits} ({event.duration_ms} ms)"
        case RecordingReady():
            return f"recording {event.recording_sid}, {event.duration_s} s"
        case CallEnded():
            return f"call ended: {event.status} after {event.duration_s} s ({event.cause})"
        case QualityMeasured():
            mos = f"{event.mos:.2f}" if event.mos is not None else "unknown"
            return f"{event.codec}: {event.packets_sent} packets sent, {event.packets_received} received, MOS {mos}"
        case AlertRaised():
            return f"{event.level} {event.code}: {event.name}: {event.detail}"
        case _:
            return ""


def demo_config(data_dir: Path, app_port: int, host: str, *, http_port: int = 0) -> Config:
    """A server on free loopback ports with one domain, whose application listens on `app_port`."""
    base = f"http://{host}:{app_port}"
    return Config(
        server=ServerSettings(data_dir=data_dir, drain_s=5),
        account=AccountSettings(),
        sip=SipSettings(domain_suffix=SUFFIX, default_domain="demo", udp=(f"{host}:0",), tcp=(f"{host}:0",), tls=()),
        media=MediaSettings(),
        http=HttpSettings(bind=f"{host}:{http_port}"),
        webhooks=WebhooksSettings(allowed_networks=("127.0.0.0/8",)),
        domains=(
            DomainSettings(
                name="demo",
                voice_url=f"{base}/voice",
                status_callback_url=f"{base}/status",
                ip_access_control=("127.0.0.0/8",),
                credentials=(CredentialSettings(username=USER, password=PASSWORD),),
            ),
        ),
    )


async def run_demo(*, stay: bool = False, write: Callable[[str], None] = print) -> int:
    """The demo; 0 when every expectation held, else 1."""
    set_up(Format.CONSOLE, "warning")
    narrator = Narrator(write)
    network, host = TrioNetwork(), "127.0.0.1"
    data_dir = Path(tempfile.mkdtemp(prefix="offhook-demo-"))
    heard_path = Path(tempfile.gettempdir()) / "offhook-demo-heard.wav"
    try:
        app = DemoApp("", narrator.webhook)
        async with app.web.serving(network, (host, 0)) as (_, app_port):
            config = demo_config(data_dir, app_port, host)
            async with open_server(config) as server, trio.open_nursery() as nursery:
                app.token = server.account.auth_token
                async with server.events() as events:
                    nursery.start_soon(narrator.tell_events, events)
                    verdict, heard = await call_through(network, host, server, app, narrator)
                    heard_path.write_bytes(wav(heard))
                    nursery.cancel_scope.cancel()
                report(verdict, heard_path, write)
                if stay and verdict.good:
                    await keep_serving(server, write)
        return 0 if verdict.good else 1
    finally:
        shutil.rmtree(data_dir, ignore_errors=True)


async def call_through(
    network: Network, host: str, server: Server, app: DemoApp, narrator: Narrator
) -> tuple[Verdict, bytes]:
    """Make the call; what was expected, and what the phone heard."""
    verdict = Verdict()
    heard = b""
    port = server.addresses["udp"][0][1]
    async with open_phone(network, host, name=USER, watch=narrator.sip) as phone, server.events((CallEnded,)) as ends:
        with trio.move_on_after(WITHIN_S) as patience:
            call = await phone.call(
                f"sip:100@demo.{SUFFIX}", username=USER, password=PASSWORD, via=f"sip:{host}:{port}"
            )
            verdict.expect("the call is answered", await call.answered())
            await listen_press_record(call, app, narrator)
            await call.hang_up()
            heard = call.heard()
            ended = await ends.take()
            await app.web.wait_for(1, "/status")
            verdict.expect("the call ends as completed", isinstance(ended, CallEnded) and ended.status == "completed")
        judge(verdict, phone, app, heard, in_time=not patience.cancelled_caught)
        narrator.line("phone", f"heard {len(heard) / 16000:.1f} s; the melody with correlation {melody_in(heard):.3f}")
    return verdict, heard


async def listen_press_record(call: PhoneCall, app: DemoApp, narrator: Narrator) -> None:
    """What the person at the phone does: waits for the melody, presses keys, speaks after the beep."""
    await call.hears(lambda heard: melody_in(heard) > 0.9)
    narrator.line("phone", f"hears the melody and presses {PRESSED}#")
    await call.press(f"{PRESSED}#")
    await app.web.wait_for(1, "/menu")
    await call.hears(lambda heard: beep_in(heard[-16_000:]))
    narrator.line("phone", "hears the beep and speaks")
    await call.say(Clip(SPOKEN))
    await app.web.wait_for(1, "/recorded")
    await trio.sleep(1.5)
    narrator.line("phone", "hangs up")


def judge(verdict: Verdict, phone: Phone, app: DemoApp, heard: bytes, *, in_time: bool) -> None:
    statuses = [seen.message.status for seen in phone.ladder if isinstance(seen.message, Response) and not seen.sent]
    verdict.expect("the server asks for credentials (407) and takes them", 407 in statuses and 200 in statuses)
    verdict.expect("the phone rings before it is answered (180)", 180 in statuses)
    verdict.expect(f"the keys {PRESSED} arrive at the application", app.digits == PRESSED)
    verdict.expect("the phone hears the melody as it was played", melody_in(heard) > 0.95)
    verdict.expect("the application gets the URL of a recording", bool(app.recording_url))
    verdict.expect("the status callback says completed", app.final_status == "completed")
    verdict.expect("every request was signed", not app.complaints)
    verdict.expect(f"all of it within {WITHIN_S:g} s", in_time)


def report(verdict: Verdict, heard: Path, write: Callable[[str], None]) -> None:
    write("")
    for text, held in verdict.lines:
        write(f"  {'ok  ' if held else 'FAIL'} {text}")
    write(f"\nWhat the phone heard: {heard}")
    write("The demo call went as it should." if verdict.good else "The demo call did not go as it should.")


async def keep_serving(server: Server, write: Callable[[str], None]) -> None:
    """`--stay`: say how a softphone gets in, then serve until interrupted."""
    for transport, addresses in server.addresses.items():
        for host, port in addresses:
            write(f"Call sip:100@{host}:{port};transport={transport}  (user {USER}, password {PASSWORD})")
    write("Serving until Ctrl-C.")
    await server.wait()


def melody_in(samples: bytes) -> float:
    """The best normalised correlation of the melody with a stretch of `samples`, 0 to 1."""
    return match(samples, MELODY)
