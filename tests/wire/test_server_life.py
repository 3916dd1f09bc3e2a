"""A server inside a Trio program of somebody else: it starts, it ends, and it swallows nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from offhook.server.config import Config, HttpSettings, ServerSettings, SipSettings
from offhook.server.server import open_server
from offhook.testing.web import CustomerApp
from offhook.transport.errors import AddressInUse
from offhook.transport.trio_network import TrioNetwork

pytestmark = pytest.mark.wire


class Surprise(Exception):
    """Something that happens to the program around the server."""


def config(folder: Path, *, udp: str = "127.0.0.1:0") -> Config:
    return Config(
        server=ServerSettings(data_dir=folder / "data"),
        sip=SipSettings(domain_suffix="sip.test", udp=(udp,), tcp=("127.0.0.1:0",), tls=()),
        http=HttpSettings(bind="127.0.0.1:0"),
    )


async def test_an_error_of_the_program_around_a_server_comes_out(tmp_path: Path) -> None:
    with pytest.RaisesGroup(Surprise, flatten_subgroups=True):
        async with open_server(config(tmp_path)):
            raise Surprise


async def test_an_error_of_the_program_around_an_application_comes_out() -> None:
    with pytest.RaisesGroup(Surprise, flatten_subgroups=True):
        async with CustomerApp().serving(TrioNetwork(), ("127.0.0.1", 0)):
            raise Surprise


async def test_a_server_that_has_ended_leaves_its_ports_free(tmp_path: Path) -> None:
    async with open_server(config(tmp_path)) as server:
        (_, port), *_ = server.addresses["udp"]
    async with open_server(config(tmp_path, udp=f"127.0.0.1:{port}")) as server:
        assert server.addresses["udp"] == [("127.0.0.1", port)]


async def test_a_taken_address_is_told_by_its_own_error(tmp_path: Path) -> None:
    async with open_server(config(tmp_path / "first")) as server:
        (_, port), *_ = server.addresses["udp"]
        with pytest.RaisesGroup(AddressInUse, flatten_subgroups=True):
            async with open_server(config(tmp_path / "second", udp=f"127.0.0.1:{port}")):
                raise AssertionError("it must not start")
