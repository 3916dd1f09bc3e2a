"""The examples run: each is called by a phone over real sockets on loopback."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs
import pytest
import trio

import offhook
from offhook.testing.phone import open_phone
from offhook.testing.speech import FakeSpeech
from offhook.transport.trio_network import TrioNetwork

EXAMPLES = Path(__file__).parents[2] / "examples"
HOST = "127.0.0.1"


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def placed(config: offhook.Config, tmp_path: Path) -> offhook.Config:
    """The same with its data in the test's folder."""
    return attrs.evolve(config, server=offhook.ServerSettings(data_dir=tmp_path / "data", drain_s=5))


PARTS = offhook.Parts(speech=FakeSpeech(ms_per_character=2))


def sip_port(server: offhook.Server) -> int:
    return server.addresses["udp"][0][1]


def test_every_example_is_run_here() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {
        "answer_and_say",
        "ivr_with_gather",
        "embed_in_trio_app",
        "watch_calls",
    }


async def test_answer_and_say_greets_the_caller_and_hangs_up(tmp_path: Path) -> None:
    speech = FakeSpeech(ms_per_character=2)
    config = placed(example("answer_and_say").config(0), tmp_path)
    async with (
        offhook.open_server(config, offhook.Parts(speech=speech)) as server,
        open_phone(TrioNetwork(), HOST, name="ann") as phone,
    ):
        call = await phone.call(f"sip:hello@{HOST}:{sip_port(server)}")
        assert await call.answered()
        await call.over()
    assert [spoken.text for spoken in speech.spoken] == ["Hello ann, this is off hook."]


async def test_ivr_with_gather_tells_the_time_and_comes_back_to_the_menu(tmp_path: Path) -> None:
    speech = FakeSpeech(ms_per_character=2)
    config = placed(example("ivr_with_gather").config(0), tmp_path)
    async with (
        offhook.open_server(config, offhook.Parts(speech=speech)) as server,
        server.events((offhook.VerbStarted,)) as verbs,
        open_phone(TrioNetwork(), HOST, name="ann") as phone,
    ):
        call = await phone.call(f"sip:menu@{HOST}:{sip_port(server)}")
        assert await call.answered()
        await call.press("1")
        seen: list[str] = []
        while seen.count("Gather") < 2:
            event = await verbs.take()
            assert isinstance(event, offhook.VerbStarted)
            seen.append(event.verb)
        await call.hang_up()
    assert seen == ["Gather", "Say", "Gather"]
    assert speech.spoken[1].text.startswith("It is ")


async def test_embed_in_trio_app_takes_its_calls_and_ends(tmp_path: Path) -> None:
    module = example("embed_in_trio_app")
    report: list[str] = []
    receptionist = module.Receptionist()
    config = placed(module.config(receptionist, 0), tmp_path)
    found: list[int] = []

    async def phone_twice(task_status: Any = trio.TASK_STATUS_IGNORED) -> None:
        async with open_phone(TrioNetwork(), HOST, name="ann") as phone:
            for _ in range(2):
                call = await phone.call(f"sip:desk@{HOST}:{found[0]}")
                await call.over()

    original = offhook.open_server

    def noted(config: offhook.Config) -> Any:
        return original(config, PARTS)

    with pytest.MonkeyPatch.context() as patch, trio.fail_after(30):
        patch.setattr(module.offhook, "open_server", noted)
        async with trio.open_nursery() as nursery:
            port = await free_port()
            found.append(port)
            config = attrs.evolve(config, sip=attrs.evolve(config.sip, udp=(f"{HOST}:{port}",)))
            nursery.start_soon(phone_twice)
            await module.take_calls(config, 2, report)
    assert receptionist.served == 2
    assert [line.split()[1] for line in report] == ["completed", "completed"]


async def free_port() -> int:
    socket = await TrioNetwork().udp((HOST, 0))
    port = socket.local[1]
    socket.close()
    return port


async def test_watch_calls_prints_a_line_for_each_event(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    module = example("watch_calls")
    config = placed(example("answer_and_say").config(0), tmp_path)
    async with (
        offhook.open_server(config, PARTS) as server,
        server.events((offhook.CallEnded,)) as ends,
        open_phone(TrioNetwork(), HOST, name="ann") as phone,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(module.watch, server)
        await trio.testing.wait_all_tasks_blocked()
        call = await phone.call(f"sip:hello@{HOST}:{sip_port(server)}")
        await call.over()
        await ends.take()
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
    printed = capsys.readouterr().out
    assert "CallStarted sip:ann@" in printed
    assert "<Say>" in printed
    assert "CallEnded completed after" in printed
