"""The command line: commands, exit statuses, and the signals."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from offhook.server import cli, run
from offhook.server.data_dir import DataDirInUse
from offhook.server.problems import ConfigError, Problem
from offhook.server.version import VERSION
from offhook.store.errors import StoreUnusable
from offhook.transport.errors import AddressInUse

GOOD = """
[sip]
domain_suffix = "sip.example.test"
[account]
sid = "AC00000000000000000000000000000000"
auth_token = "never-shown-token"
[[domain]]
name = "acme"
voice_url = "http://user:hush-hush@127.0.0.1:9000/voice"
ip_access_control = ["127.0.0.0/8"]
[[domain.credential]]
username = "alice"
password = "never-shown-password"
[[domain]]
name = "empty"
[[domain]]
name = "office"
sip_registration = true
[[domain.credential]]
username = "bob"
password = "never-shown-either"
[[domain.credential]]
username = "fax"
password = "never-shown-either"
registrations = false
[[domain]]
name = "forgotten"
sip_registration = true
ip_access_control = ["10.0.0.0/8"]
"""

BAD_DOCUMENT = "<Response>\n  <Say vioce='alice'>Hello</Say>\n  <Dance/>\n</Response>\n"


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")
    for name in [name for name in os.environ if name.startswith("OFFHOOK_")]:
        monkeypatch.delenv(name)


def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--help"]) == 0
    shown = capsys.readouterr().out
    for command in ("serve", "check-config", "lint", "demo", "--version"):
        assert command in shown


@pytest.mark.parametrize("command", ["serve", "check-config", "lint", "demo"])
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([command, "--help"]) == 0
    assert f"Usage: offhook {command}" in capsys.readouterr().out


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == f"offhook {VERSION}"


@pytest.mark.parametrize("arguments", [["serv"], ["serve", "--nope"], ["lint"], ["serve", "--log-level", "loud"]])
def test_a_wrong_command_line_is_explained_with_status_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 2
    captured = capsys.readouterr()
    assert "Error" in captured.err + captured.out


def test_a_good_configuration_is_summed_up_without_its_secrets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "offhook.toml"
    path.write_text(GOOD)
    assert cli.main(["check-config", "--config", str(path)]) == 0
    shown = capsys.readouterr().out
    assert (
        "domain acme.sip.example.test: http://[hidden]@127.0.0.1:9000/voice; callers: 1 users and 1 networks" in shown
    )
    assert "domain empty.sip.example.test: no voice_url: calls get 404; callers: nobody" in shown
    assert (
        "domain office.sip.example.test: no voice_url: calls get 404; callers: 2 users; "
        "phones: 1 users may register, for 600 to 3600 s"
    ) in shown
    assert "callers: 1 networks; phones: nobody can register: no credential has registrations" in shown
    for secret in ("never-shown-token", "never-shown-password", "never-shown-either", "hush-hush"):
        assert secret not in shown
    assert not (tmp_path / "offhook-data").exists()


@pytest.mark.parametrize("command", ["check-config", "serve"])
def test_a_wrong_configuration_is_told_in_full_with_status_2(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "offhook.toml"
    path.write_text("[sip]\nudp = 1\n[http]\nbnid = 2\n")
    assert cli.main([command, "--config", str(path)]) == 2
    shown = capsys.readouterr().err.splitlines()
    assert len(shown) == 3
    assert all(line.startswith(f"offhook: {path}: ") for line in shown)


def test_the_file_can_be_named_by_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "elsewhere.toml"
    path.write_text(GOOD)
    monkeypatch.setenv("OFFHOOK_CONFIG", str(path))
    assert cli.main(["check-config"]) == 0
    assert f"{path}: good" in capsys.readouterr().out


def test_lint_prints_every_problem_with_its_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "bad.xml"
    path.write_text(BAD_DOCUMENT)
    status = cli.main(["lint", str(path)])
    shown = capsys.readouterr().out.splitlines()
    assert any(line.startswith(f"{path}:2:") for line in shown)
    assert any(line.startswith(f"{path}:3:3: ") and "Dance" in line for line in shown)
    errors = sum(": error " in line for line in shown)
    assert status == (1 if errors else 0)


def test_lint_fails_on_a_document_that_is_no_xml(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "broken.xml"
    path.write_text("<Response>\n<Say>Hello</Response>")
    assert cli.main(["lint", str(path)]) == 1
    first, last = capsys.readouterr().out.splitlines()
    assert first.startswith(f"{path}:2:")
    assert ": error 12100 " in first
    assert last == f"{path}: 1 error, 0 warnings"


def test_lint_is_content_with_a_good_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "good.xml"
    path.write_text("<Response><Say>Hello</Say></Response>")
    assert cli.main(["lint", str(path)]) == 0
    assert capsys.readouterr().out == f"{path}: 0 errors, 0 warnings\n"


def test_lint_says_what_it_could_not_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["lint", str(tmp_path / "none.xml")]) == 2
    assert "No such file" in capsys.readouterr().err


@pytest.mark.wire
def test_lint_says_which_url_did_not_answer(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["lint", "http://127.0.0.1:1/voice"]) == 2
    assert "http://127.0.0.1:1/voice" in capsys.readouterr().err


def test_the_module_runs_as_a_program() -> None:
    done = subprocess.run([sys.executable, "-m", "offhook", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("offhook ")


async def test_the_first_signal_drains_and_the_end_of_the_drain_ends_the_server(autojump_clock: object) -> None:
    send, signals = trio.open_memory_channel[int](2)
    drained = []

    async def drain() -> None:
        await trio.sleep(120)
        drained.append(trio.current_time())

    with trio.CancelScope() as done:
        send.send_nowait(signal.SIGTERM)
        await run.obey(signals, drain, done)
    assert len(drained) == 1
    assert done.cancelled_caught


async def test_the_second_signal_ends_at_once(autojump_clock: object) -> None:
    send, signals = trio.open_memory_channel[int](2)
    started = trio.current_time()
    with trio.CancelScope() as done, pytest.RaisesGroup(run.ToldTwice) as caught:
        send.send_nowait(signal.SIGTERM)
        send.send_nowait(signal.SIGINT)
        await run.obey(signals, trio.sleep_forever, done)
    assert not done.cancel_called
    assert trio.current_time() - started < 1
    assert run.explain(caught.value) == 0


async def test_a_sighup_reloads_and_ends_nothing(autojump_clock: object) -> None:
    send, signals = trio.open_memory_channel[int](3)
    reloads: list[int] = []

    async def drain() -> None:
        assert reloads == [1, 1]

    with trio.CancelScope() as done:
        for number in (signal.SIGHUP, signal.SIGHUP, signal.SIGTERM):
            send.send_nowait(number)
        await run.obey(signals, drain, done, lambda: reloads.append(1))
    assert done.cancelled_caught


def test_the_certificate_of_our_authority_is_exported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config, output = tmp_path / "offhook.toml", tmp_path / "ca.pem"
    config.write_text(GOOD)
    assert cli.main(["ca", "export", "--config", str(config)]) == 0
    pem = capsys.readouterr().out
    assert pem.startswith("-----BEGIN CERTIFICATE-----")
    assert cli.main(["ca", "export", "--config", str(config), "--output", str(output)]) == 0
    assert output.read_text() == pem
    assert cli.main(["ca", "export", "--config", str(config), "--output", str(tmp_path / "none" / "ca.pem")]) == 1
    assert "No such file" in capsys.readouterr().err


def test_a_taken_port_is_one_clear_line_and_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    error = BaseExceptionGroup("", [BaseExceptionGroup("", [AddressInUse("UDP", ("127.0.0.1", 5060))])])
    assert run.explain(error) == 1
    assert capsys.readouterr().err == (
        "offhook: cannot listen on UDP 127.0.0.1:5060: the port is already taken by another program\n"
    )


def test_a_configuration_that_fails_late_has_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert run.explain(ConfigError((Problem("server.data_dir", "/x: Permission denied"),))) == 2
    assert capsys.readouterr().err == "offhook: server.data_dir: /x: Permission denied\n"


def test_a_store_that_cannot_be_opened_is_one_clear_line_and_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    error = StoreUnusable("database /data/offhook.db", "it is damaged", "restore a backup")
    assert run.explain(BaseExceptionGroup("", [error])) == 1
    assert run.explain(DataDirInUse(Path("/data"), "7")) == 1
    assert capsys.readouterr().err == (
        "offhook: database /data/offhook.db: it is damaged; restore a backup\n"
        "offhook: /data is in use by process 7: end that server, or set another server.data_dir\n"
    )


async def test_a_cancelled_server_is_no_wrong_configuration() -> None:
    with trio.CancelScope() as scope:
        scope.cancel()
        try:
            await trio.sleep_forever()
        except trio.Cancelled as error:
            run.explain(error)
    assert scope.cancelled_caught


def test_a_bug_is_not_explained_away() -> None:
    with pytest.raises(ZeroDivisionError):
        run.explain(ZeroDivisionError())
    with pytest.raises(BaseExceptionGroup):
        run.explain(BaseExceptionGroup("", [AddressInUse("UDP", ("127.0.0.1", 1)), ZeroDivisionError()]))
