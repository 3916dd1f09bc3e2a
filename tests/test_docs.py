"""The documentation keeps its word: examples run, links lead somewhere, tables are those of the code."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote

import attrs
import pytest
import trio
from trio.testing import MockClock

import offhook
from offhook.actors.messages import events
from offhook.server import environment, load, metrics
from offhook.server.cli import app
from offhook.sip.dialog import events as leg_events
from offhook.testing.phone import open_phone
from offhook.testing.speech import FakeSpeech
from offhook.transport import webhook_errors
from offhook.transport.trio_network import TrioNetwork
from offhook.transport.webhook_options import POLICIES, READERS
from offhook.twiml import dial_status, support, verbs
from offhook.twiml.attributes import SCHEMA
from offhook.twiml.dial_result import ChildFacts, dial_parameters
from offhook.twiml.forking_steps import Dialled, How
from offhook.twiml.nodes import Node, shape
from offhook.twiml.parse import parse
from offhook.twiml.recording import RecordingFacts
from offhook.twiml.support import CARRIED_OUT

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")] + sorted(DOCS.rglob("*.md"))
FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
CELL = re.compile(r"(?<!\\)\|")


@attrs.frozen
class Block:
    """One fenced example."""

    page: Path
    language: str
    run: str
    """What a Python block is marked to be run as."""
    text: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.page.read_text().count(chr(10), 0, self.page.read_text().find(self.text)) + 1}"


def blocks(language: str) -> list[Block]:
    """The examples in one language, on all pages."""
    return [
        Block(page, language, marks.strip().removeprefix("run="), text)
        for page in PAGES
        for found, marks, text in FENCE.findall(page.read_text())
        if found == language
    ]


def prose(page: Path) -> str:
    """A page without its examples."""
    return FENCE.sub("", page.read_text())


def sections(page: Path) -> dict[str, str]:
    """The parts of a page by heading."""
    parts = re.split(r"^## (.*)$", page.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def rows(text: str) -> Iterator[list[str]]:
    """The cells of every table row."""
    for line in text.splitlines():
        if line.startswith("|") and not line.startswith("|---"):
            yield [cell.strip() for cell in CELL.split(line)[1:-1]]


def table(text: str) -> dict[str, list[str]]:
    """Rows by the text of their first cell, without its backquotes."""
    return {row[0].strip("`"): row for row in rows(text)}


# ---- examples ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", blocks("toml"), ids=str)
def test_every_toml_example_is_a_configuration(block: Block, tmp_path: Path) -> None:
    config = load.build(tomllib.loads(block.text), tmp_path / "offhook.toml")
    assert config.domains
    assert all(domain.credentials or domain.ip_access_control for domain in config.domains)


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_every_python_example_compiles(block: Block) -> None:
    compile(block.text, str(block), "exec")


@pytest.mark.wire
@pytest.mark.parametrize("block", [block for block in blocks("python") if block.run == "call"], ids=str)
async def test_every_python_example_that_serves_takes_a_call(block: Block, tmp_path: Path) -> None:
    space = executed(block)
    config: offhook.Config = space["config"]
    config = attrs.evolve(config, server=offhook.ServerSettings(data_dir=tmp_path / "data", drain_s=5))
    speech = FakeSpeech(ms_per_character=1)
    with trio.fail_after(20):
        async with (
            offhook.open_server(config, offhook.Parts(speech=speech)) as server,
            open_phone(TrioNetwork(), "127.0.0.1", name="ann") as phone,
        ):
            [(host, port)] = server.addresses["udp"]
            call = await phone.call(f"sip:hello@{host}:{port}")
            assert await call.answered()
            await call.over()
    assert [spoken.text.partition(",")[0] for spoken in speech.spoken] == ["Hello"]


@pytest.mark.parametrize("block", [block for block in blocks("python") if block.run == "test"], ids=str)
async def test_every_python_example_that_is_a_test_passes(
    block: Block, autojump_clock: MockClock, tmp_path: Path
) -> None:
    tests = [item for name, item in executed(block).items() if name.startswith("test_")]
    assert tests
    for test in tests:
        await test(autojump_clock, tmp_path)


def test_the_examples_that_are_run_are_there() -> None:
    marked = {(block.page.name, block.run) for block in blocks("python") if block.run}
    assert marked == {("README.md", "call"), ("README.md", "app"), ("embedding.md", "call"), ("testing.md", "test")}


def test_the_application_of_the_readme_answers_with_twiml() -> None:
    [block] = [block for block in blocks("python") if block.run == "app"]
    space = executed(block)
    for digits, word in (("", "Gather"), ("1", "Say"), ("2", "Hangup")):
        document: str = space["answer"]({"From": "sip:ann@sip.example.test", **({"Digits": digits} if digits else {})})
        assert f"<{word}" in document


def executed(block: Block) -> dict[str, Any]:
    """The names that an example defines; its `main` is not run."""
    space: dict[str, Any] = {"__name__": "example"}
    exec(compile(block.text, str(block), "exec"), space)
    return space


# ---- links ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_to_a_page_and_a_heading(page: Path) -> None:
    for link in LINK.findall(prose(page)):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{link} leads nowhere"
        assert not target.is_file() or target in PAGES or target.suffix != ".md" or not anchor
        if anchor:
            assert anchor in anchors(target), f"{link}: no such heading"


def anchors(page: Path) -> set[str]:
    """The names that headings have in links."""
    return {re.sub(r"[^\w\- ]", "", title).strip().lower().replace(" ", "-") for title in HEADING.findall(prose(page))}


def test_the_index_leads_to_every_page() -> None:
    linked = {(DOCS / link.partition("#")[0]).resolve() for link in LINK.findall((DOCS / "index.md").read_text())}
    assert linked >= {page.resolve() for page in DOCS.rglob("*.md") if page.name != "index.md"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    for name in re.findall(r"`((?:\w+/)+\w+\.py)`", prose(page)):
        assert (ROOT / name).is_file(), name


def test_the_architecture_names_every_message() -> None:
    text = sections(DOCS / "architecture.md")["Messages"]
    commands, facts = leg_events.LegCommand, leg_events.LegFact
    assert [kind.__name__ for kind in commands.__args__ + facts.__args__ if f"`{kind.__name__}`" not in text] == []


# ---- tables of the code --------------------------------------------------------------------------------------------


def test_every_key_of_the_configuration_is_documented_with_its_default() -> None:
    page = sections(DOCS / "configuration.md")
    for heading, cls in headings_of_settings():
        known, fields = table(page[heading]), load.keys_of(cls)
        documented = set(known) - {"key"}
        assert documented == {key for key in fields.values() if key != "credential"}, heading
        for field in attrs.fields(cls):
            key = fields[field.name]
            if key == "credential":
                continue
            default = known[key][2]
            if field.default is attrs.NOTHING:
                assert default == "required", key
            elif field.default is None:
                assert default == "none", key
            elif default.startswith("`") and default.endswith("`"):
                assert field.converter is not None
                value = field.converter(tomllib.loads(f"it = {default[1:-1]}")["it"])
                assert value == field.default, f"{heading} {key}"
            else:
                assert key == "server_header"


def headings_of_settings() -> Iterator[tuple[str, type[Any]]]:
    for name, cls in load.SECTIONS.items():
        yield f"`[{name}]`", cls
    yield "`[[domain]]`", load.ARRAYS["domain"]
    yield "`[[domain.credential]]`", load.ARRAYS["credential"]
    yield "`[[trunk]]`", load.ARRAYS["trunk"]
    yield "`[trunk.inbound]`", load.INNER["inbound"]
    yield "`[[number]]`", load.ARRAYS["number"]


def test_every_variable_of_the_command_line_is_documented() -> None:
    assert set(environment.OWN) <= set(table(sections(DOCS / "configuration.md")["Environment"]))


def test_every_command_is_named_where_people_look() -> None:
    commands = {name for name in app if not name.startswith("-")}
    assert commands >= {"serve", "check-config", "lint", "demo"}
    for page in (ROOT / "README.md", DOCS / "operating.md"):
        text = page.read_text()
        assert all(f"offhook {command}" in text for command in commands), page.name


def test_every_metric_is_documented() -> None:
    text = sections(DOCS / "operating.md")["Health and metrics"]
    exposed = metrics.Metrics().registry.collect()
    for family in exposed:
        if family.name.startswith("offhook_"):
            name = f"{family.name}_total" if family.type == "counter" else family.name
            assert f"`{name}`" in text, name


def test_every_event_is_documented() -> None:
    text = sections(DOCS / "embedding.md")["Events"]
    assert all(f"`{kind.__name__}`" in text for kind in events.BusEvent.__args__)


def test_every_error_of_the_webhook_client_is_documented() -> None:
    text = " ".join(row[0] for row in rows(sections(DOCS / "webhooks.md")["Error codes"]))
    errors = [item for item in vars(webhook_errors).values() if isinstance(item, type)]
    codes = {item.code for item in errors if issubclass(item, webhook_errors.WebhookError)}
    assert all(re.search(rf"\b{code}\b", text) for code in codes)


def test_every_connection_override_is_documented() -> None:
    text = sections(DOCS / "webhooks.md")["Time and retries"]
    assert all(f"`{name}`" in text for name in (*READERS, *POLICIES))


def test_every_verb_that_is_carried_out_has_its_attributes_and_codes() -> None:
    page = sections(DOCS / "twiml.md") | {"Dial": sections(DOCS / "dial.md")["Attributes"]}
    for verb in CARRIED_OUT - {verbs.PlayAudio, verbs.ErrorNotice}:
        form = shape(verb)
        known: Mapping[str, list[str]] = table(page[verb.element()])
        assert set(known) - {"attribute"} == set(form.attributes), verb
        for name, attribute in form.attributes.items():
            code = form.code(attribute, "Response")
            assert known[name][3] == ("" if code == SCHEMA else str(code)), f"{verb.element()} {name}"
            assert default_of(verb, attribute.field) in known[name][2], f"{verb.element()} {name}"


def default_of(verb: type[Node], field: str) -> str:
    """The default as a document would write it; an empty text where the page says it in words."""
    match getattr(attrs.fields(verb), field).default:
        case bool() as flag:
            return f"`{str(flag).lower()}`"
        case int() | str() as plain if plain != "":
            return f"`{plain}`"
        case tuple() as several if several:
            return f"`{' '.join(several)}`"
        case _:
            return ""


def test_every_attribute_of_a_dialled_party_is_documented() -> None:
    documented = {name for row in rows(sections(DOCS / "dial.md")["Nouns"]) for name in re.findall(r"`(\w+)`", row[0])}
    known = {name for noun in support.NOUNS_CARRIED_OUT for name in shape(noun).attributes}
    assert documented == known


def test_every_outcome_of_a_dial_is_documented() -> None:
    """Each row of the table from SIP status to DialCallStatus, and whether it raises 32011."""
    told = [row for row in rows(sections(DOCS / "dial.md")["Outcomes"]) if re.match(r"\d{3}(,|$)", row[0])]
    documented = {row[0]: (row[1].strip("`"), row[2] == "32011") for row in told}
    expected: dict[str, tuple[str, bool]] = {}
    for status in dial_status.MEANINGS:
        rung = dial_status.meaning(status, dial_status.Heard.RINGING)
        unheard = dial_status.meaning(status, dial_status.Heard.NOTHING)
        if rung == unheard:
            expected[str(status)] = (rung.status, rung.outage)
        else:
            expected[f"{status}, after ringing"] = (rung.status, rung.outage)
            expected[f"{status}, nothing has rung"] = (unheard.status, unheard.outage)
    assert documented == expected


def test_every_parameter_of_the_action_of_a_dial_is_documented() -> None:
    result = Dialled(how=How.CALLEE_LEFT, status="completed", duration_s=1, sip_status=200, recorded_s=1)
    child = ChildFacts(sid="CA1", sip=True, sip_call_id="a@b", headers=(("X-A", "1"),))
    sent = [
        name for name, _ in dial_parameters(result, child, RecordingFacts(sid="RE1", url="http://a/RE1", started=""))
    ]
    text = " ".join(row[0] for row in rows(sections(DOCS / "dial.md")["Action"]))
    assert [name for name in sent if f"`{name.replace('_X-A', '_X-…')}`" not in text] == []
    assert len(sent) == 10


@pytest.mark.parametrize("block", blocks("xml"), ids=str)
def test_every_xml_example_is_a_document_without_problems(block: Block) -> None:
    assert parse(block.text.encode()).problems == ()


def test_every_verb_that_is_not_carried_out_is_named() -> None:
    text = sections(DOCS / "twiml.md")["Verbs that are errors"]
    assert all(f"`{verb.element()}`" in text for verb in verbs.Verb.__subclasses__() if verb not in CARRIED_OUT)


def test_the_page_of_state_machines_is_what_the_tables_say() -> None:
    drawing = tool("draw_tables")
    assert (DOCS / "state-machines.md").read_text(encoding="utf-8") == drawing.page()


def tool(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"tool_{name}", ROOT / "tools" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# ---- form ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_page_has_one_title_and_lines_that_fit(page: Path) -> None:
    text = page.read_text()
    assert text.startswith("# ")
    assert len(re.findall(r"^# ", prose(page), re.MULTILINE)) == 1
    # Rows of tables cannot be wrapped.
    assert [line for line in prose(page).splitlines() if len(line) > 120 and not line.startswith("|")] == []
