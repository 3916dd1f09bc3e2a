"""One server for each data directory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from offhook.server.data_dir import DataDirInUse, hold
from offhook.server.problems import ConfigError


def test_a_directory_is_for_one_server_at_a_time(tmp_path: Path) -> None:
    told = f"{tmp_path} is in use by process {os.getpid()}: end that server"
    with hold(tmp_path), pytest.raises(DataDirInUse, match=told), hold(tmp_path):
        raise AssertionError("it must not be held twice")
    with hold(tmp_path):
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"


def test_a_process_that_was_killed_lets_go(tmp_path: Path) -> None:
    program = f"""
import os, pathlib
from offhook.server.problems import ConfigError
from offhook.server.data_dir import hold
with hold(pathlib.Path({str(tmp_path)!r})):
    os.kill(os.getpid(), 9)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parents[2], check=False)
    assert done.returncode == -9
    with hold(tmp_path):
        pass


def test_a_directory_that_cannot_be_locked_is_wrong_configuration(tmp_path: Path) -> None:
    (tmp_path / "lock").mkdir()
    with pytest.raises(ConfigError, match=rf"server\.data_dir: {tmp_path}/lock: Is a directory"), hold(tmp_path):
        raise AssertionError("it must not be held")
