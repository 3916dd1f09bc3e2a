"""Bridged calls that are talked over: every phone hears its far end, and nobody else."""

from __future__ import annotations

from pathlib import Path

import pytest

from offhook.server.server import Parts, open_server

from .application import open_application
from .conversations import converse, documents
from .house import QUICK, TOKEN, configuration
from .programs import free_port
from .sipp import Transport

pytestmark = pytest.mark.peers

CALLS = 10
SECONDS = 3.0
LOST_MOST = 0.2
"""Of all packets: the machine may have better things to do. `conversations.py` by itself is strict."""


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
async def test_both_ends_of_every_bridged_call_hear_each_other_and_nobody_else(
    tmp_path: Path, transport: Transport
) -> None:
    callee_port = free_port()
    async with open_application(tmp_path / "application", TOKEN, documents(callee_port, transport)) as application:
        config = configuration(tmp_path, f"{application.base}/talk")
        async with open_server(config, Parts(timers=QUICK)) as server:
            result = await converse(
                server.addresses[transport.lower()][0],
                tmp_path,
                transport=transport,
                callee_port=callee_port,
                calls=CALLS,
                rate=10,
                seconds=SECONDS,
            )
    assert list(result.problems(CALLS)) == []
    assert {phone.of_far_end for phone in result.phones} == {round(SECONDS * 50)}
    assert result.lost < LOST_MOST * result.sent
