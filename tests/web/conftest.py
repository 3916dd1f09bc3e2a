from pathlib import Path

import pytest

from offhook.store.recordings import RecordingFiles
from tests.web.website import Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(RecordingFiles(tmp_path / "recordings"))
