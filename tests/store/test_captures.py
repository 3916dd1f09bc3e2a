"""Capture files: where they are, how they grow, what is found again, what goes."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from offhook.store.captures import CaptureFiles, NoCapture
from offhook.store.packets import Wrapper
from offhook.store.pcapng import missing, packet, statistics
from offhook.store.sids import Kind, make

from .pcap_reader import read_pcapng

SID = "CAab" + "0" * 30
CHILD, GRANDCHILD = "CAcd" + "1" * 30, "CAef" + "2" * 30


def said(at_ns: int, text: str) -> bytes:
    [data] = Wrapper().wrap(("10.0.0.1", 5060), ("10.0.0.2", 5060), text.encode())
    return packet(at_ns, data, outbound=True)


def texts(data: bytes | Path) -> list[str]:
    return [seen.payload.decode() for seen in read_pcapng(data)]


def aged(path: Path, age_s: float) -> Path:
    then = path.stat().st_mtime - age_s
    os.utime(path, (then, then))
    return path


def test_a_capture_grows_and_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    files = CaptureFiles(tmp_path / "captures")
    files.append(SID, None, said(1, "one"))
    files.append(SID, None, said(2, "two"))
    path = tmp_path / "captures" / "ab" / f"{SID}.pcapng"
    assert files.find(SID) == path
    assert texts(path) == ["one", "two"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert files.total_bytes == path.stat().st_size


def test_a_call_is_read_with_those_that_it_dialled_by_time(tmp_path: Path) -> None:
    files = CaptureFiles(tmp_path)
    files.append(SID, None, said(1, "caller") + said(9, "bye") + statistics(9, 2))
    files.append(CHILD, SID, said(3, "callee") + said(9, "bye too"))
    files.append(GRANDCHILD, CHILD, said(5, "transferred") + statistics(5, 1))
    assert texts(files.read(SID)) == ["caller", "callee", "transferred", "bye", "bye too"]
    assert missing(files.read(SID)) == 3
    assert texts(files.read(SID, only=True)) == ["caller", "bye"]
    assert texts(files.read(CHILD)) == ["callee", "transferred", "bye too"]
    assert texts(files.read(CHILD, only=True)) == ["callee", "bye too"]


def test_dialled_calls_are_found_where_the_call_itself_has_none_left(tmp_path: Path) -> None:
    files = CaptureFiles(tmp_path)
    files.append(CHILD, SID, said(3, "callee"))
    assert texts(files.read(SID)) == ["callee"]
    with pytest.raises(NoCapture):
        files.read(SID, only=True)


@pytest.mark.parametrize("sid", ["", "..", "*", "CA*", "CA../" + "0" * 29, "RE" + "0" * 32, "CA" + "9" * 32])
def test_nothing_is_found_by_a_name_that_is_no_call(tmp_path: Path, sid: str) -> None:
    files = CaptureFiles(tmp_path / "captures")
    files.append(SID, None, said(1, "one"))
    assert files.find(sid) is None
    for only in (False, True):
        with pytest.raises(NoCapture):
            files.read(sid, only=only)


def test_what_a_crash_has_cut_off_is_left_out(tmp_path: Path) -> None:
    files = CaptureFiles(tmp_path)
    files.append(SID, None, said(1, "one") + said(2, "two"))
    path = files.path(SID)
    os.truncate(path, path.stat().st_size - 3)
    assert texts(files.read(SID)) == ["one"]


def fail_after(monkeypatch: pytest.MonkeyPatch, octets: int) -> None:
    """A disk that takes so many more bytes."""
    write, left = os.write, [octets]

    def write_some(descriptor: int, data: memoryview) -> int:
        if not left[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        done = write(descriptor, bytes(data[: left[0]]))
        left[0] -= done
        return done

    monkeypatch.setattr(os, "write", write_some)


@pytest.mark.parametrize("octets", [0, 5, 50])
def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, octets: int) -> None:
    files = CaptureFiles(tmp_path)
    files.append(SID, None, said(1, "one"))
    before = files.path(SID).read_bytes()
    with monkeypatch.context() as broken:
        fail_after(broken, octets)
        with pytest.raises(OSError, match="No space left"):
            files.append(SID, None, said(2, "a message that does not fit"))
    assert files.path(SID).read_bytes() == before
    assert files.total_bytes == len(before)
    files.append(SID, None, said(3, "three"))
    assert texts(files.read(SID)) == ["one", "three"]


def test_a_full_disk_leaves_no_file_that_was_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = CaptureFiles(tmp_path)
    with monkeypatch.context() as broken:
        fail_after(broken, 10)
        with pytest.raises(OSError, match="No space left"):
            files.append(SID, None, said(1, "one"))
    assert files.find(SID) is None
    assert files.total_bytes == 0


def test_what_is_too_old_or_too_much_goes_the_oldest_first(tmp_path: Path) -> None:
    files = CaptureFiles(tmp_path)
    sids = [make(Kind.CALL) for _ in range(5)]
    for place, sid in enumerate(sids):
        files.append(sid, None if place else SID, said(1, "x"))
        aged(files.path(sid, None if place else SID), 1000 - place * 100)
    now = files.path(sids[4]).stat().st_mtime + 600
    size = files.path(sids[4]).stat().st_size
    assert files.tidy(now - 950, 10**9) == 1
    assert [files.find(sid) is None for sid in sids] == [True, False, False, False, False]
    assert files.tidy(0, 2 * size) == 2
    assert [files.find(sid) is None for sid in sids] == [True, True, True, False, False]
    assert files.total_bytes == 2 * size
    assert files.tidy(0, 2 * size) == 0


def test_a_capture_that_went_while_its_call_lived_begins_anew(tmp_path: Path) -> None:
    files = CaptureFiles(tmp_path)
    files.append(SID, None, said(1, "one"))
    assert files.tidy(0, 0) == 1
    files.append(SID, None, said(2, "two"))
    assert texts(files.path(SID)) == ["two"]


def test_strangers_files_are_let_alone(tmp_path: Path) -> None:
    files = CaptureFiles(tmp_path)
    files.append(SID, None, said(1, "one"))
    stranger = files.path(SID).parent / "notes.txt"
    stranger.write_text("mine")
    assert files.tidy(2**40, 0) == 1
    assert stranger.read_text() == "mine"


def test_no_link_is_followed(tmp_path: Path) -> None:
    files = CaptureFiles(tmp_path / "captures")
    path = files.path(SID)
    path.parent.mkdir(parents=True)
    target = tmp_path / "target"
    target.write_bytes(b"")
    path.symlink_to(target)
    with pytest.raises(OSError, match="symbolic links"):
        files.append(SID, None, said(1, "one"))
    assert target.read_bytes() == b""
