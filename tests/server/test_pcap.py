"""`offhook pcap`: a call's capture as a file, and everything that may be in the way."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from offhook.server import cli
from offhook.server.pcap import capture_files
from offhook.store.captures import CaptureFiles

from ..store.pcap_reader import read_pcapng
from ..store.test_captures import CHILD, SID, said, texts

TOML = """
[server]
data_dir = "data"
[sip]
domain_suffix = "sip.example.test"
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("OFFHOOK_")]:
        monkeypatch.delenv(name)
    path = tmp_path / "offhook.toml"
    path.write_text(TOML)
    return path


@pytest.fixture
def files(config: Path) -> CaptureFiles:
    loaded = cli.read_config(config)
    assert loaded is not None
    files = capture_files(loaded)
    files.append(SID, None, said(1, "caller"))
    files.append(CHILD, SID, said(2, "callee"))
    return files


def test_a_capture_goes_to_standard_output_with_what_the_call_dialled(
    config: Path, files: CaptureFiles, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert cli.main(["pcap", SID, "--config", str(config)]) == 0
    assert texts(capfdbinary.readouterr().out) == ["caller", "callee"]
    assert cli.main(["pcap", SID, "--config", str(config), "--only"]) == 0
    assert texts(capfdbinary.readouterr().out) == ["caller"]


def test_a_capture_goes_into_a_file_of_its_owner(config: Path, files: CaptureFiles, tmp_path: Path) -> None:
    output = tmp_path / "call.pcapng"
    assert cli.main(["pcap", CHILD, "-c", str(config), "-o", str(output)]) == 0
    assert texts(output) == ["callee"]
    assert output.stat().st_mode & 0o777 == 0o600


def test_a_terminal_gets_no_capture(
    config: Path, files: CaptureFiles, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert cli.main(["pcap", SID, "--config", str(config)]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "> call.pcapng or --output FILE" in told.err


@pytest.mark.parametrize("sid", ["CA12", "RE" + "0" * 32, "../../etc/passwd"])
def test_what_is_no_call_sid_is_wrong_usage(config: Path, sid: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["pcap", sid, "--config", str(config)]) == 2
    told = capfd.readouterr()
    assert told.out == ""
    assert "should be a CallSid: CA and 32 hexadecimal digits" in told.err


def test_an_unknown_call_is_told_with_what_may_have_become_of_it(
    config: Path, files: CaptureFiles, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    unknown, output = "CA" + "9" * 32, tmp_path / "call.pcapng"
    assert cli.main(["pcap", unknown, "--config", str(config), "--output", str(output)]) == 1
    told = capfd.readouterr()
    assert told.out == ""
    assert f"has no capture of {unknown}" in told.err
    assert "7 days and 1000 MB" in told.err
    assert not output.exists()
    config.write_text(TOML + "[captures]\nenabled = false\n")
    assert cli.main(["pcap", unknown, "--config", str(config)]) == 1
    assert "captures.enabled is false" in capfd.readouterr().err


def test_an_output_that_cannot_be_written_is_told(
    config: Path, files: CaptureFiles, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "missing" / "call.pcapng"
    assert cli.main(["pcap", SID, "--config", str(config), "--output", str(output)]) == 1
    assert f"{output} cannot be written: No such file or directory" in capfd.readouterr().err


def test_a_file_of_a_crashed_server_is_mended_on_the_way(
    config: Path, files: CaptureFiles, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    path = files.path(SID)
    os.truncate(path, path.stat().st_size - 1)
    assert cli.main(["pcap", SID, "--config", str(config)]) == 0
    assert [seen.payload for seen in read_pcapng(capfdbinary.readouterr().out)] == [b"callee"]


def test_settings_that_do_not_go_together_are_told(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text(f"{TOML}[captures]\nenabled = false\nrtp = true\ncall_mb = 2\ntotal_mb = 1\n")
    assert cli.main(["check-config", str(config)]) == 2
    told = capsys.readouterr().err
    assert "captures.rtp: should be false, or captures.enabled true" in told
    assert "captures.call_mb: 2 should be at most captures.total_mb, which is 1" in told


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("days = 0", "captures.days: 0 should be a number of days above 0"),
        ("days = true", "captures.days: True should be a number of days"),
        ("call_mb = 0", "captures.call_mb: 0 should be a whole number of megabytes"),
        ("call_mb = 1.5", "captures.call_mb: 1.5 should be a whole number of megabytes"),
        ('enabled = "yes"', "captures.enabled: 'yes' should be true or false"),
    ],
)
def test_values_out_of_range_are_told(config: Path, line: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    config.write_text(f"{TOML}[captures]\n{line}\n")
    assert cli.main(["check-config", str(config)]) == 2
    assert told in capsys.readouterr().err


def test_the_environment_sets_what_the_file_does(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OFFHOOK_CAPTURES_RTP", "true")
    monkeypatch.setenv("OFFHOOK_CAPTURES_DAYS", "0.5")
    monkeypatch.setenv("OFFHOOK_CAPTURES_TOTAL_MB", "500")
    loaded = cli.read_config(config)
    assert capsys.readouterr().err == ""
    assert loaded is not None
    assert (loaded.captures.rtp, loaded.captures.days, loaded.captures.total_mb) == (True, 0.5, 500)
