"""Parts of calls with real peers that tests take by name."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from .dialled import House, open_house
from .sipp import media_sink


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(tmp_path) as house:
        yield house


@pytest.fixture
def media() -> Iterator[int]:
    with media_sink() as port:
        yield port
