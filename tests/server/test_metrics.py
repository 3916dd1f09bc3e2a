import datetime
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from offhook.actors.bus import Bus
from offhook.actors.messages import events
from offhook.server.metrics import Metrics

BASE: dict[str, Any] = {"at": datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC), "account": "AC1"}
CALL = {**BASE, "call_sid": "CA1"}


def heard(*published: events.BusEvent) -> dict[tuple[str, ...], float]:
    """The samples after these events, by name and label values."""
    metrics, bus = Metrics(), Bus()
    bus.listen(metrics.observe)
    for event in published:
        bus.publish(event)
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
    }


def started(sid: str) -> events.CallStarted:
    return events.CallStarted(**BASE, call_sid=sid, direction="inbound", from_="a", to="b")


def ended(sid: str, status: str, duration_s: int = 0) -> events.CallEnded:
    return events.CallEnded(
        **BASE, call_sid=sid, status=status, duration_s=duration_s, sip_response_code=200, cause="hangup"
    )


def test_calls_are_counted_from_start_to_end() -> None:
    samples = heard(started("CA1"), started("CA2"), started("CA3"), ended("CA1", "completed", 42), ended("CA2", "busy"))
    assert samples["offhook_calls_started_total", "inbound"] == 3
    assert samples["offhook_calls_ended_total", "completed"] == 1
    assert samples["offhook_calls_ended_total", "busy"] == 1
    assert samples["offhook_calls_live",] == 1
    assert samples["offhook_call_duration_seconds_sum",] == 42
    assert samples["offhook_call_duration_seconds_count",] == 1


def test_refusals_alerts_and_crashes_are_counted() -> None:
    samples = heard(
        events.CallRefused(**BASE, domain=None, status=403, source="192.0.2.1"),
        events.AlertRaised(**BASE, code=32202, name="bad user credentials", level="error", detail=""),
        events.ActorCrashed(**BASE, actor="call", error="boom"),
    )
    assert samples["offhook_calls_refused_total", "403"] == 1
    assert samples["offhook_alerts_total", "32202", "error"] == 1
    assert samples["offhook_actor_crashes_total",] == 1


def registered(*, refreshed: bool, restored: bool = False) -> events.Registered:
    return events.Registered(
        **BASE,
        domain="acme",
        aor="sip:ann@acme.sip.example.test",
        contact="sip:ann@192.0.2.1",
        expires_s=3600,
        refreshed=refreshed,
        transport="UDP",
        source="192.0.2.1",
        restored=restored,
    )


def test_bindings_are_counted_as_they_come_and_go() -> None:
    gone = events.Unregistered(
        **BASE, domain="acme", aor="sip:ann@acme.sip.example.test", contact="sip:ann@192.0.2.1", reason="expired"
    )
    samples = heard(
        registered(refreshed=False),
        registered(refreshed=False),
        registered(refreshed=True),
        registered(refreshed=False, restored=True),
        gone,
        events.RegistrationRefused(**BASE, domain="acme", status=423, source="192.0.2.1"),
    )
    assert samples["offhook_bindings",] == 2
    assert samples["offhook_registrations_total", "restored"] == 1
    assert samples["offhook_registrations_total", "new"] == 2
    assert samples["offhook_registrations_total", "refreshed"] == 1
    assert samples["offhook_unregistrations_total", "expired"] == 1
    assert samples["offhook_registrations_refused_total", "423"] == 1


def test_webhooks_are_counted_by_purpose_and_class_of_answer() -> None:
    samples = heard(
        events.WebhookRequested(
            **CALL, method="POST", url="http://a/", purpose="voice", params=(), status=204, body="", duration_ms=30
        ),
        events.WebhookFailed(**CALL, url="http://a/", code=11200, detail=""),
    )
    assert samples["offhook_webhook_requests_total", "voice", "2xx"] == 1
    assert samples["offhook_webhook_duration_seconds_sum", "voice"] == 0.03
    assert samples["offhook_webhook_failures_total", "11200"] == 1


def test_media_quality_is_added_up() -> None:
    quality: dict[str, Any] = {
        "codec": "PCMU",
        "packets_sent": 50,
        "packets_received": 48,
        "packets_lost": 2,
        "jitter_ms": 4.0,
    }
    samples = heard(
        events.QualityMeasured(**CALL, **quality, mos=4.2),
        events.QualityMeasured(**CALL, **{**quality, "packets_lost": -1}, mos=None),
        events.RecordingReady(**CALL, recording_sid="RE1", path="/x", duration_s=3, status="completed"),
    )
    assert samples["offhook_rtp_packets_total", "sent"] == 100
    assert samples["offhook_rtp_packets_total", "lost"] == 2
    assert samples["offhook_call_mos_count",] == 1
    assert samples["offhook_rtp_jitter_seconds_sum",] == 0.008
    assert samples["offhook_recordings_total", "completed"] == 1


def test_events_without_a_figure_are_let_pass() -> None:
    heard(events.CallRinging(**CALL), events.DigitsHeard(**CALL, digits="1", duration_ms=100))


async def test_tasks_are_counted_inside_a_trio_program() -> None:
    assert heard()["offhook_tasks",] >= 1


def test_no_sid_and_no_url_becomes_a_label() -> None:
    metrics = Metrics()
    metrics.observe(started("CA" + "1" * 32))
    metrics.observe(events.WebhookFailed(**CALL, url="http://secret/", code=11200, detail=""))
    text = metrics.render().decode()
    assert "CA1" not in text
    assert "secret" not in text


def test_two_servers_in_one_process_keep_their_figures_apart() -> None:
    one, other = Metrics(), Metrics()
    one.observe(started("CA1"))
    assert b'offhook_calls_started_total{direction="inbound"} 1.0' in one.render()
    assert b"direction" not in other.render()


def test_trunks_are_counted_by_name() -> None:
    there: dict[str, Any] = {**BASE, "trunk": "main", "gateway": "sip:gw1.example.com"}
    failed = events.TrunkUnavailable(**there, status=503, detail="", retry_s=10.0)
    samples = heard(
        failed,
        events.TrunkRegistered(**there, expires_s=60, refreshed=False),
        events.TrunkRegistered(**there, expires_s=60, refreshed=True),
        events.TrunkRegistered(**{**there, "gateway": "sip:gw2.example.com"}, expires_s=60, refreshed=False),
        events.TrunkUnregistered(**there, reason="expired"),
        events.GatewayUnavailable(**there, status=408),
        events.GatewayRecovered(**there),
    )
    assert samples["offhook_trunk_gateways_registered", "main"] == 1
    assert samples["offhook_trunk_registrations_total", "new", "main"] == 2
    assert samples["offhook_trunk_registrations_total", "refreshed", "main"] == 1
    assert samples["offhook_trunk_registrations_total", "failed", "main"] == 1
    assert samples["offhook_gateway_changes_total", "unavailable", "main"] == 1
    assert samples["offhook_gateway_changes_total", "available", "main"] == 1
