"""Lint: everything that is wrong, in order."""

from __future__ import annotations

from offhook.twiml.codes import Level
from offhook.twiml.lint import lint


def test_a_good_document_has_no_problems() -> None:
    assert lint(b"<Response><Say>Hi</Say><Dial>+14155550100</Dial></Response>", "https://h.test/v") == []


def test_a_document_that_cannot_be_read_has_one_problem_with_its_place() -> None:
    (problem,) = lint(b"<Response>\n  <Say>Hi</Sey>\n</Response>")
    assert (problem.code, problem.level, problem.line, problem.column) == (12100, Level.ERROR, 2, 12)
    (problem,) = lint(b"<Responze/>")
    assert (problem.code, problem.line, problem.column) == (12102, 1, 1)
    (problem,) = lint(b"x" * 70000)
    assert (problem.code, problem.line) == (11750, 0)


def test_all_problems_are_listed_by_place() -> None:
    data = b"""<Response>
  <Say voise="alice" loop="x">Hi</Say>
  <Gather numDigits="0" timeout="-1"><Dial/></Gather>
  <Redirect method="PUT">http://a b/</Redirect>
</Response>"""
    assert [(p.line, p.column, p.code) for p in lint(data)] == [
        (2, 8, 12200),
        (2, 22, 13510),
        (3, 11, 13314),
        (3, 25, 13313),
        (3, 38, 13320),
        (4, 3, 11100),
        (4, 13, 13710),
    ]


def test_an_inline_document_is_told_about_relative_urls() -> None:
    data = b"<Response><Redirect>/x</Redirect></Response>"
    assert lint(data) == []
    assert [problem.code for problem in lint(data, inline=True)] == [15004]
