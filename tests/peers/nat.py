"""A phone behind a symmetric NAT: network namespaces, joined by veth pairs and a router with nftables.

    phone 10.99.1.2 ── lan 10.99.1.1 │ router │ wan 10.99.2.1 ── 10.99.2.2 server

The router gives every flow another port by chance, and lets nothing in that answers nothing; the server has no route to
the phone. So whatever reaches the phone has come back the very way that the phone has opened.
"""

from __future__ import annotations

import ctypes
import os
import secrets
import socket
import subprocess
import types
from collections.abc import Coroutine, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import attrs
import pytest
import trio

from offhook.transport.network import Address
from offhook.transport.trio_network import TcpListener, TcpStream, TrioNetwork, TrioUdpSocket

from .programs import need

PHONE, ROUTER_INSIDE, ROUTER_OUTSIDE, SERVER = "10.99.1.2", "10.99.1.1", "10.99.2.1", "10.99.2.2"
CLONE_NEWNET = 0x40000000  # <sched.h>
RULES = """
table ip translation {
    chain outwards {
        type nat hook postrouting priority srcnat; policy accept;
        oifname "wan" masquerade random,fully-random
    }
}
table ip wall {
    chain through {
        type filter hook forward priority filter; policy drop;
        ct state established,related accept
        iifname "lan" oifname "wan" accept
    }
}
"""

T = TypeVar("T")
_libc = ctypes.CDLL(None, use_errno=True)


@attrs.frozen
class Namespace:
    """A machine of its own, as far as the network goes."""

    name: str
    host: str
    """Its address."""

    def command(self, *words: str) -> list[str]:
        """The command line that runs a program there."""
        return ["ip", "netns", "exec", self.name, *words]

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Sockets that this thread makes in the block are there, and stay so."""
        with Path("/proc/thread-self/ns/net").open() as home, Path(f"/run/netns/{self.name}").open() as there:
            _enter(there.fileno())
            try:
                yield
            finally:
                _enter(home.fileno())

    async def connect(self, port: int) -> trio.SocketStream:
        """To a port of its loopback."""
        with self.entered():
            sock = trio.socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            await sock.connect(("127.0.0.1", port))
        except BaseException:
            sock.close()
            raise
        return trio.SocketStream(sock)


def _enter(descriptor: int) -> None:
    if _libc.setns(descriptor, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


@types.coroutine
def _inside(namespace: Namespace, work: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
    """Carry the coroutine out, each of its steps in the namespace; others run at home while it waits."""
    told: Any = None
    while True:
        with namespace.entered():
            try:
                asks = work.send(told)
            except StopIteration as done:
                result: T = done.value
                return result
        told = yield asks


class NamespaceNetwork(TrioNetwork):
    """The real network, as it is in a namespace."""

    def __init__(self, namespace: Namespace) -> None:
        super().__init__()
        self._namespace = namespace

    async def udp(self, address: Address, **settings: Any) -> TrioUdpSocket:
        return await _inside(self._namespace, super().udp(address, **settings))

    async def listen_tcp(self, address: Address) -> TcpListener:
        return await _inside(self._namespace, super().listen_tcp(address))

    async def connect_tcp(self, address: Address, local: str | None = None) -> TcpStream:
        return await _inside(self._namespace, super().connect_tcp(address, local))

    def source_for(self, remote: str) -> str:
        with self._namespace.entered():
            return super().source_for(remote)


@attrs.frozen
class Nat:
    """The two ends."""

    phone: Namespace
    server: Namespace


@contextmanager
def open_nat(forgets_s: int | None = None) -> Iterator[Nat]:
    """The three namespaces, while the block runs. Fails where they cannot be made.

    `forgets_s`: how long the router keeps a UDP flow on which nothing is said.
    """
    for program, package in (("ip", "iproute2"), ("nft", "nftables")):
        need(program, package)
    if os.geteuid() != 0:
        pytest.fail("a NAT needs network namespaces, and those need root: run the tests as root")
    tag = f"offhook{secrets.token_hex(3)}"
    phone, router, server = (f"{tag}{role}" for role in ("p", "r", "s"))
    made: list[str] = []
    try:
        for name in (phone, router, server):
            _run("ip", "netns", "add", name)
            made.append(name)
            _run("ip", "-n", name, "link", "set", "lo", "up")
        _join((phone, "eth0", PHONE), (router, "lan", ROUTER_INSIDE))
        _join((server, "eth0", SERVER), (router, "wan", ROUTER_OUTSIDE))
        _run("ip", "-n", phone, "route", "add", "default", "via", ROUTER_INSIDE)
        _run("ip", "netns", "exec", router, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        _run("ip", "netns", "exec", router, "nft", "-f", "-", text=RULES)
        if forgets_s is not None:
            for kind in ("timeout", "timeout_stream"):
                name = f"/proc/sys/net/netfilter/nf_conntrack_udp_{kind}"
                _run("ip", "netns", "exec", router, "sh", "-c", f"echo {forgets_s} > {name}")
        yield Nat(Namespace(phone, PHONE), Namespace(server, SERVER))
    finally:
        for name in made:  # what is in them goes too
            _run("ip", "netns", "del", name)


def _join(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    """A cable between two namespaces, each with the name of its end and its address."""
    ends = [word for namespace, device, _ in (one, other) for word in ("name", device, "netns", namespace)]
    _run("ip", "link", "add", *ends[:4], "type", "veth", "peer", *ends[4:])
    for namespace, device, host in (one, other):
        _run("ip", "-n", namespace, "addr", "add", f"{host}/24", "dev", device)
        _run("ip", "-n", namespace, "link", "set", device, "up")


def _run(*command: str, text: str = "") -> None:
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(f"no NAT: {' '.join(command)} ended with {done.returncode}: {done.stderr.strip()}")
