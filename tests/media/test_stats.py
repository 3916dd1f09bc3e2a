"""Loss, jitter, round trip and the opinion score."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.media import rtcp
from offhook.media.rtcp import ReportBlock, SenderReport
from offhook.media.stats import Quality, ReceiverStats, SenderStats, Verdict, mos_of, round_trip_s


def fed(*sequences: int, ssrc: int = 1) -> ReceiverStats:
    stats = ReceiverStats()
    for sequence in sequences:
        stats.receive(ssrc, sequence & 0xFFFF, sequence * 160 & 0xFFFF_FFFF, sequence * 0.02)
    return stats


def test_a_source_is_valid_from_its_second_packet_in_sequence() -> None:
    stats = ReceiverStats()
    assert stats.receive(1, 10, 0, 0.0) is Verdict.PROBATION
    assert stats.receive(1, 12, 320, 0.04) is Verdict.PROBATION
    assert stats.report_block(0.05) is None
    assert stats.receive(1, 13, 480, 0.06) is Verdict.VALID
    assert stats.valid
    assert stats.expected == stats.received == 1


def test_lost_packets_are_what_the_numbers_skip() -> None:
    stats = fed(1, 2, 3, 6, 7)
    assert (stats.expected, stats.received, stats.lost) == (6, 4, 2)


def test_numbers_wrap_into_cycles() -> None:
    stats = fed(*range(65_530, 65_545))
    assert stats.lost == 0
    assert stats.highest_sequence == 65_544


def test_duplicates_make_the_loss_negative() -> None:
    assert fed(1, 2, 3, 3, 3).lost == -2


def test_a_leap_counts_only_when_the_next_packet_follows_it() -> None:
    stats = fed(1, 2, 3)
    assert stats.receive(1, 30_000, 0, 1.0) is Verdict.STRAY
    assert stats.receive(1, 4, 640, 1.0) is Verdict.VALID
    assert stats.receive(1, 40_000, 0, 1.0) is Verdict.STRAY
    assert stats.receive(1, 40_001, 160, 1.0) is Verdict.VALID
    assert (stats.received, stats.lost) == (1, 0)


def test_another_source_begins_anew() -> None:
    stats = fed(1, 2, 3, 9)
    assert stats.receive(2, 500, 0, 9.0) is Verdict.PROBATION
    assert stats.receive(2, 501, 160, 9.02) is Verdict.VALID
    assert stats.lost == 0


def test_the_fraction_lost_is_that_of_the_interval() -> None:
    stats = fed(0, 1, 2, 3, 6)
    block = stats.report_block(1.0)
    assert block is not None
    assert (block.fraction_lost, block.cumulative_lost, block.highest_sequence) == (2 * 256 // 6, 2, 6)
    stats.receive(1, 7, 7 * 160, 0.14)
    block = stats.report_block(2.0)
    assert block is not None
    assert (block.fraction_lost, block.cumulative_lost) == (0, 2)


def test_even_arrivals_have_no_jitter_and_uneven_ones_approach_their_deviation() -> None:
    stats = ReceiverStats()
    for n in range(1000):
        stats.receive(1, n, n * 160, n * 0.02)
    assert stats.jitter_ms < 0.2  # the arrival is cut to whole samples
    for n in range(1000, 2000):
        stats.receive(1, n, n * 160, n * 0.02 + (n % 2) * 0.010)
    assert stats.jitter_ms == pytest.approx(10, abs=0.2)


def test_a_report_tells_how_long_ago_the_senders_report_came() -> None:
    stats = fed(1, 2, 3)
    report = SenderReport(1, rtcp.ntp_of(1_000_000.25), 0, 0, 0)
    stats.note_sender_report(report, now=10.0)
    stats.note_sender_report(SenderReport(99, 1, 0, 0, 0), now=11.0)
    block = stats.report_block(10.5)
    assert block is not None
    assert block.last_sr == rtcp.ntp_short(report.ntp)
    assert block.delay_since_last_sr == 0x8000


def test_round_trip_is_what_remains_after_the_peers_delay() -> None:
    sent = rtcp.ntp_of(1_000_000.0)
    block = ReportBlock(7, 64, 3, 0, 80, rtcp.ntp_short(sent), 2 * 65_536)
    sender = SenderStats(7)
    assert not sender.heard_of((ReportBlock(8, 0, 0, 0, 0, 0, 0),), 0)
    assert sender.heard_of((block,), rtcp.ntp_of(1_000_002.125))
    assert sender.round_trip_s == pytest.approx(0.125, abs=1e-4)
    assert (sender.peer_fraction_lost, sender.peer_jitter_ms, sender.peer_lost) == (0.25, 10.0, 3)


def test_no_round_trip_before_the_peer_has_seen_a_report() -> None:
    assert round_trip_s(ReportBlock(7, 0, 0, 0, 0, 0, 0), 5) is None


def test_a_round_trip_is_never_negative() -> None:
    ntp = rtcp.ntp_of(1000.0)
    assert round_trip_s(ReportBlock(7, 0, 0, 0, 0, rtcp.ntp_short(ntp), 70_000), ntp) == 0


def test_what_was_sent_stands_in_the_senders_report() -> None:
    sender = SenderStats(7)
    sender.sent(160)
    sender.sent(160)
    assert sender.report(ntp=5, timestamp=6) == SenderReport(7, 5, 6, 2, 320)


def test_the_opinion_score_matches_the_models_known_points() -> None:
    assert mos_of(loss=0, delay_ms=0) == pytest.approx(4.41, abs=0.01)  # R = 93.2
    assert mos_of(loss=0, delay_ms=200) == pytest.approx(4.23, abs=0.01)  # R = 85.9
    assert mos_of(loss=1, delay_ms=0) < 2.6
    assert mos_of(loss=0.05, delay_ms=50, concealed=False) < mos_of(loss=0.05, delay_ms=50)


@given(st.floats(0, 1), st.floats(0, 5000), st.booleans())
def test_the_opinion_score_keeps_its_bounds(loss: float, delay_ms: float, concealed: bool) -> None:
    assert 1.0 <= mos_of(loss=loss, delay_ms=delay_ms, concealed=concealed) <= 4.5


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(0, 65_535)), max_size=60))
def test_no_packets_upset_the_counts(packets: list[tuple[int, int]]) -> None:
    stats = ReceiverStats()
    for at, (ssrc, sequence) in enumerate(packets):
        stats.receive(ssrc, sequence, at * 160, at * 0.02)
        block = stats.report_block(at * 0.02)
        assert (block is not None) == stats.valid
        if block is not None:
            assert 0 <= block.fraction_lost <= 255


def test_quality_puts_both_directions_together() -> None:
    sender = SenderStats(7, round_trip_s=0.1)
    quality = Quality.of(fed(1, 2, 3, 5), sender, playout_delay_ms=40)
    assert (quality.lost, quality.loss, quality.round_trip_ms) == (1, 0.25, 100)
    assert quality.mos == pytest.approx(mos_of(loss=0.25, delay_ms=90))
    assert Quality.of(ReceiverStats(), SenderStats(7), 0).round_trip_ms is None
