import datetime
import os
from pathlib import Path

import pytest

from offhook.store.recordings import BadSid, RecordingFiles, media_path
from offhook.store.sids import Kind, make

SID = "REab" + "0" * 30


def finished(files: RecordingFiles, sid: str, content: bytes = b"RIFF", age_s: float = 0) -> Path:
    files.draft(sid).write_bytes(content)
    path = files.finish(sid)
    then = path.stat().st_mtime - age_s
    os.utime(path, (then, then))
    return path


def test_a_recording_is_found_from_the_moment_it_is_whole(tmp_path: Path) -> None:
    files = RecordingFiles(tmp_path / "recordings")
    draft = files.draft(SID)
    draft.write_bytes(b"RIFF")
    assert files.find(SID) is None
    assert files.drafts() == (draft,)
    path = files.finish(SID)
    assert files.find(SID) == path == tmp_path / "recordings" / "ab" / f"{SID}.wav"
    assert files.drafts() == ()


def test_a_discarded_draft_leaves_nothing(tmp_path: Path) -> None:
    files = RecordingFiles(tmp_path)
    files.draft(SID).write_bytes(b"")
    files.discard(SID)
    files.discard(SID)
    assert not list(tmp_path.rglob("*.wav*"))
    with pytest.raises(FileNotFoundError):
        files.finish(SID)


@pytest.mark.parametrize(
    "name",
    ["", "..", "../../etc/passwd", "RE../" + "0" * 29, "CA" + "0" * 32, "RE" + "0" * 32 + "/x", "RE" + "0" * 32 + "\0"],
)
def test_no_name_reaches_outside_the_directory(tmp_path: Path, name: str) -> None:
    files = RecordingFiles(tmp_path)
    assert files.find(name) is None
    with pytest.raises(BadSid):
        files.draft(name)
    with pytest.raises(BadSid):
        files.remove(name)


def test_finished_recordings_are_listed_oldest_first_without_strangers(tmp_path: Path) -> None:
    files = RecordingFiles(tmp_path)
    young, old = make(Kind.RECORDING), make(Kind.RECORDING)
    finished(files, young, b"12345")
    finished(files, old, age_s=60)
    files.draft(SID).write_bytes(b"")
    (tmp_path / "ab" / "notes.wav").write_bytes(b"")
    listed = list(files.list())
    assert [stored.sid for stored in listed] == [old, young]
    assert listed[1].size_bytes == 5


def test_removing_takes_every_form_of_a_recording(tmp_path: Path) -> None:
    files = RecordingFiles(tmp_path)
    finished(files, SID)
    files.path(SID, ".mp3").write_bytes(b"")
    assert files.remove(SID)
    assert not files.remove(SID)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_old_recordings_expire_and_young_ones_stay(tmp_path: Path) -> None:
    files = RecordingFiles(tmp_path)
    young, old = make(Kind.RECORDING), make(Kind.RECORDING)
    finished(files, young)
    finished(files, old, age_s=3600)
    before = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=30)
    assert files.expire(before) == (old,)
    assert [stored.sid for stored in files.list()] == [young]


def test_the_media_path_is_that_of_the_rest_api() -> None:
    assert media_path("AC1", "RE1") == "/2010-04-01/Accounts/AC1/Recordings/RE1"
