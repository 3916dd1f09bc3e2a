"""The one table from the end of an INVITE to `DialCallStatus`."""

from __future__ import annotations

import pytest

from offhook.sip.tokens import Status
from offhook.twiml.dial_status import MEANINGS, DialStatus, Heard, is_global, meaning, tells_more
from offhook.twiml.forking_steps import Dialled
from tests.twiml.dials import bridged, calling, end, sip


@pytest.mark.parametrize(
    ("sip_status", "heard", "status"),
    [
        (200, Heard.RINGING, "completed"),
        (486, Heard.RINGING, "busy"),
        (486, Heard.NOTHING, "busy"),
        (600, Heard.RINGING, "busy"),
        (603, Heard.RINGING, "busy"),
        (607, Heard.RINGING, "busy"),
        (480, Heard.NOTHING, "no-answer"),
        (487, Heard.RINGING, "no-answer"),
        (408, Heard.RINGING, "no-answer"),
        (408, Heard.TRYING, "failed"),
        (408, Heard.NOTHING, "failed"),
        (404, Heard.RINGING, "failed"),
        (410, Heard.NOTHING, "failed"),
        (484, Heard.NOTHING, "failed"),
        (604, Heard.NOTHING, "failed"),
        (403, Heard.NOTHING, "failed"),
        (401, Heard.NOTHING, "failed"),
        (407, Heard.NOTHING, "failed"),
        (415, Heard.NOTHING, "failed"),
        (430, Heard.NOTHING, "failed"),
        (488, Heard.NOTHING, "failed"),
        (606, Heard.NOTHING, "failed"),
        (500, Heard.NOTHING, "failed"),
        (502, Heard.RINGING, "failed"),
        (503, Heard.NOTHING, "failed"),
        (504, Heard.NOTHING, "failed"),
        (302, Heard.NOTHING, "failed"),
    ],
)
def test_every_row(sip_status: int, heard: Heard, status: DialStatus) -> None:
    assert meaning(sip_status, heard).status == status


@pytest.mark.parametrize(
    ("sip_status", "like"), [(399, "failed"), (499, "failed"), (599, "failed"), (699, "failed"), (0, "failed")]
)
def test_an_unknown_code_is_one_of_its_class(sip_status: int, like: str) -> None:
    assert meaning(sip_status).status == like


@pytest.mark.parametrize("sip_status", [status.value for status in Status if status >= 300])
def test_every_final_response_that_there_is_means_something(sip_status: int) -> None:
    assert meaning(sip_status).status in ("busy", "no-answer", "failed")


@pytest.mark.parametrize("sip_status", sorted(MEANINGS))
def test_only_silence_failed_flows_and_server_failures_are_outages(sip_status: int) -> None:
    assert meaning(sip_status).outage == (sip_status in (408, 430) or 500 <= sip_status < 600)
    assert meaning(sip_status, Heard.RINGING).outage == (sip_status == 430 or 500 <= sip_status < 600)


def test_six_hundreds_speak_for_all_devices() -> None:
    assert is_global(603)
    assert not is_global(599)


def test_a_word_for_all_weighs_more_than_busy_and_busy_more_than_silence() -> None:
    assert (
        tells_more(604, "failed") > tells_more(486, "busy") > tells_more(480, "no-answer") > tells_more(404, "failed")
    )


# ---- the rows over the core ----------------------------------------------------------------------------------------


def result_of(sip_status: int, *, rang: bool) -> Dialled:
    core = calling(sip())
    if rang:
        core.progressed(1, 1.0)
    return end(core.refused(1, sip_status, 2.0))


@pytest.mark.parametrize(
    ("sip_status", "rang", "status"),
    [
        (486, True, "busy"),
        (600, False, "busy"),
        (603, True, "busy"),
        (480, True, "no-answer"),
        (408, True, "no-answer"),
        (404, False, "failed"),
        (410, False, "failed"),
        (484, False, "failed"),
        (604, False, "failed"),
        (403, False, "failed"),
        (401, False, "failed"),
        (407, False, "failed"),
        (415, False, "failed"),
        (488, False, "failed"),
        (606, False, "failed"),
        (408, False, "failed"),
        (503, False, "failed"),
        (500, True, "failed"),
    ],
)
def test_a_dial_ends_with_the_status_of_its_row(sip_status: int, rang: bool, status: str) -> None:
    result = result_of(sip_status, rang=rang)
    assert (result.status, result.sip_status, result.bridged) == (status, sip_status, False)


def test_200_and_then_bye_is_completed() -> None:
    assert end(bridged().ended(1, 20.0)).status == "completed"


def test_our_own_timeout_is_no_answer_with_487() -> None:
    core = calling(sip(), timeout=5)
    core.progressed(1, 1.0)
    result = end(core.wake(10.0))
    assert (result.status, result.sip_status) == ("no-answer", 487)


def test_a_cancel_from_outside_is_canceled() -> None:
    core = calling(sip())
    core.progressed(1, 1.0)
    assert end(core.stop_child(0, 2.0)).status == "canceled"
