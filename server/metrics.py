"""Prometheus collectors, fed from the bus. Labels have few values: never a SID, an address or a URL."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import attrs
import trio
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from ..actors.messages import events
from .version import VERSION

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15)
DURATIONS = (1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 14400)
SCORES = (1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5)


@attrs.define(eq=False)
class Asked(Collector):
    """A counter whose value somebody else keeps."""

    name: str
    about: str
    read: Callable[[], float] = lambda: 0

    def collect(self) -> Iterable[Metric]:
        yield CounterMetricFamily(self.name, self.about, value=self.read())


@attrs.define(eq=False)
class Metrics:
    """One server's figures; `observe` is a bus listener and never waits nor raises."""

    registry: CollectorRegistry = attrs.field(factory=CollectorRegistry)
    _seen: dict[type[events.Event], Callable[..., None]] = attrs.field(factory=dict, init=False)
    _registered_as: dict[str, Counter] = attrs.field(init=False)
    """The children of `registrations`: phones register all day, and finding one of them costs more than counting."""

    started: Counter = attrs.field(init=False)
    ended: Counter = attrs.field(init=False)
    refused: Counter = attrs.field(init=False)
    live: Gauge = attrs.field(init=False)
    duration: Histogram = attrs.field(init=False)
    webhooks: Counter = attrs.field(init=False)
    webhook_time: Histogram = attrs.field(init=False)
    webhook_failures: Counter = attrs.field(init=False)
    alerts: Counter = attrs.field(init=False)
    recordings: Counter = attrs.field(init=False)
    packets: Counter = attrs.field(init=False)
    jitter: Histogram = attrs.field(init=False)
    mos: Histogram = attrs.field(init=False)
    crashes: Counter = attrs.field(init=False)
    bindings: Gauge = attrs.field(init=False)
    registrations: Counter = attrs.field(init=False)
    unregistrations: Counter = attrs.field(init=False)
    registrations_refused: Counter = attrs.field(init=False)
    trunks_registered: Gauge = attrs.field(init=False)
    trunk_registrations: Counter = attrs.field(init=False)
    gateway_changes: Counter = attrs.field(init=False)
    unwritten: Gauge = attrs.field(init=False)
    uncaptured: Asked = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        into = self.registry
        self.started = Counter("offhook_calls_started", "Calls begun", ["direction"], registry=into)
        self.ended = Counter("offhook_calls_ended", "Calls ended, by final status", ["status"], registry=into)
        self.refused = Counter("offhook_calls_refused", "INVITEs refused, by SIP status", ["status"], registry=into)
        self.live = Gauge("offhook_calls_live", "Calls now", registry=into)
        self.duration = Histogram(
            "offhook_call_duration_seconds", "From answer to end", buckets=DURATIONS, registry=into
        )
        self.webhooks = Counter(
            "offhook_webhook_requests", "Answered requests to applications", ["purpose", "status"], registry=into
        )
        self.webhook_time = Histogram(
            "offhook_webhook_duration_seconds", "Time of answered requests", ["purpose"], buckets=SECONDS, registry=into
        )
        self.webhook_failures = Counter(
            "offhook_webhook_failures", "Requests to applications that failed, by error code", ["code"], registry=into
        )
        self.alerts = Counter("offhook_alerts", "Errors and warnings raised", ["code", "level"], registry=into)
        self.recordings = Counter("offhook_recordings", "Recordings ended, by status", ["status"], registry=into)
        self.packets = Counter("offhook_rtp_packets", "RTP packets of ended legs", ["what"], registry=into)
        self.jitter = Histogram(
            "offhook_rtp_jitter_seconds",
            "Interarrival jitter of ended legs",
            buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1),
            registry=into,
        )
        self.mos = Histogram("offhook_call_mos", "Estimated listening quality", buckets=SCORES, registry=into)
        self.crashes = Counter("offhook_actor_crashes", "Crashes that a guard contained", registry=into)
        self.bindings = Gauge("offhook_bindings", "Contacts that users are registered at now", registry=into)
        self.registrations = Counter("offhook_registrations", "Contacts bound or refreshed", ["kind"], registry=into)
        self._registered_as = {kind: self.registrations.labels(kind) for kind in ("new", "refreshed", "restored")}
        self.unregistrations = Counter("offhook_unregistrations", "Contacts gone, by reason", ["reason"], registry=into)
        self.registrations_refused = Counter(
            "offhook_registrations_refused", "REGISTERs refused, by SIP status", ["status"], registry=into
        )
        self.unwritten = Gauge("offhook_store_pending", "Changes not written to the store yet", registry=into)
        self.uncaptured = Asked("offhook_capture_packets_dropped", "Packets that were to be captured and are not")
        into.register(self.uncaptured)
        self.trunks_registered = Gauge(
            "offhook_trunk_gateways_registered", "Gateways that we are registered with now", ["trunk"], registry=into
        )
        self.trunk_registrations = Counter(
            "offhook_trunk_registrations", "Attempts to register with gateways", ["trunk", "outcome"], registry=into
        )
        self.gateway_changes = Counter(
            "offhook_gateway_changes", "Gateways found to be away, or back again", ["trunk", "to"], registry=into
        )
        Gauge("offhook_info", "Constant 1, with the version", ["version"], registry=into).labels(VERSION).set(1)
        Gauge("offhook_tasks", "Trio tasks alive", registry=into).set_function(tasks_alive)
        ProcessCollector(registry=into)
        PlatformCollector(registry=into)
        self._seen = {
            events.CallStarted: self._call_started,
            events.CallEnded: self._call_ended,
            events.CallRefused: lambda event: self.refused.labels(str(event.status)).inc(),
            events.WebhookRequested: self._webhook_requested,
            events.WebhookFailed: lambda event: self.webhook_failures.labels(str(event.code)).inc(),
            events.AlertRaised: lambda event: self.alerts.labels(str(event.code), event.level).inc(),
            events.RecordingReady: lambda event: self.recordings.labels(event.status).inc(),
            events.QualityMeasured: self._quality_measured,
            events.Registered: self._registered,
            events.Unregistered: self._unregistered,
            events.RegistrationRefused: lambda event: self.registrations_refused.labels(str(event.status)).inc(),
            events.TrunkRegistered: self._trunk_registered,
            events.TrunkUnregistered: lambda event: self.trunks_registered.labels(event.trunk).dec(),
            events.TrunkUnavailable: lambda event: self.trunk_registrations.labels(event.trunk, "failed").inc(),
            events.GatewayUnavailable: lambda event: self.gateway_changes.labels(event.trunk, "unavailable").inc(),
            events.GatewayRecovered: lambda event: self.gateway_changes.labels(event.trunk, "available").inc(),
            events.ActorCrashed: lambda event: self.crashes.inc(),
        }

    def watch(self, unwritten: Callable[[], float], uncaptured: Callable[[], float]) -> None:
        """Ask these at each scrape: for the changes that the store does not have yet, for packets without a place."""
        self.unwritten.set_function(unwritten)
        self.uncaptured.read = uncaptured

    def watch_certificate(self, expires_in_s: Callable[[], float]) -> None:
        """Ask this at each scrape for the life that is left to the certificate of TLS."""
        text = "Until the certificate that TLS clients are shown ends"
        Gauge("offhook_certificate_expires_in_seconds", text, registry=self.registry).set_function(expires_in_s)

    def observe(self, event: events.Event) -> None:
        """Count one event of the bus."""
        seen = self._seen.get(type(event))
        if seen is not None:
            seen(event)

    def render(self) -> bytes:
        """The text that Prometheus scrapes."""
        return generate_latest(self.registry)

    def _call_started(self, event: events.CallStarted) -> None:
        self.started.labels(event.direction).inc()
        self.live.inc()

    def _call_ended(self, event: events.CallEnded) -> None:
        self.ended.labels(event.status).inc()
        self.live.dec()
        if event.duration_s:
            self.duration.observe(event.duration_s)

    def _webhook_requested(self, event: events.WebhookRequested) -> None:
        self.webhooks.labels(event.purpose, f"{event.status // 100}xx").inc()
        self.webhook_time.labels(event.purpose).observe(event.duration_ms / 1000)

    def _registered(self, event: events.Registered) -> None:
        kind = "restored" if event.restored else "refreshed" if event.refreshed else "new"
        self._registered_as[kind].inc()
        if not event.refreshed:
            self.bindings.inc()

    def _unregistered(self, event: events.Unregistered) -> None:
        self.unregistrations.labels(event.reason).inc()
        self.bindings.dec()

    def _trunk_registered(self, event: events.TrunkRegistered) -> None:
        self.trunk_registrations.labels(event.trunk, "refreshed" if event.refreshed else "new").inc()
        if not event.refreshed:
            self.trunks_registered.labels(event.trunk).inc()

    def _quality_measured(self, event: events.QualityMeasured) -> None:
        self.packets.labels("sent").inc(event.packets_sent)
        self.packets.labels("received").inc(event.packets_received)
        self.packets.labels("lost").inc(max(0, event.packets_lost))
        self.packets.labels("refused").inc(event.packets_refused)
        self.jitter.observe(event.jitter_ms / 1000)
        if event.mos is not None:
            self.mos.observe(event.mos)


def tasks_alive() -> float:
    """Tasks of the running Trio program; 0 outside one."""
    try:
        return trio.lowlevel.current_statistics().tasks_living
    except RuntimeError:
        return 0
