from pathlib import Path

from offhook.media.wav import WavWriter
from offhook.server.recover import recover_recordings
from offhook.store.recordings import RecordingFiles

CUT, EMPTY, SPOILT, WHOLE = ("RE" + digit * 32 for digit in "1234")


def test_a_start_makes_recordings_of_what_a_crash_left(tmp_path: Path) -> None:
    files = RecordingFiles(tmp_path)
    for sid, samples in ((CUT, b"\1\0" * 8000), (EMPTY, b""), (WHOLE, b"\1\0" * 80)):
        writer = WavWriter(files.draft(sid))
        writer.write(samples)
        writer.close()
    with files.draft(CUT).open("ab") as file:
        file.write(b"\2\0" * 4000 + b"\3")  # samples that the header does not count yet, and half a one
    files.draft(SPOILT).write_bytes(b"no sound at all")
    files.finish(WHOLE)
    assert recover_recordings(files) == (CUT,)
    assert files.drafts() == ()
    assert sorted(stored.sid for stored in files.list()) == [CUT, WHOLE]
    path = files.find(CUT)
    assert path is not None
    assert path.stat().st_size == 44 + 24000
