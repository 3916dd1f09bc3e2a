"""OpenSSL's s_client looks at the TLS of a server that made its own certificate: names, chain, versions."""

from __future__ import annotations

import subprocess
from pathlib import Path

import attrs
import pytest
import trio

from offhook.server.config import TlsSettings
from offhook.server.server import Server, open_server

from .fetch import get
from .house import configuration
from .programs import need

pytestmark = pytest.mark.peers


@attrs.frozen
class Look:
    """What s_client told."""

    status: int
    text: str


async def look(server: Server, *options: str) -> Look:
    """One handshake; status 0 when it came about and what the options demand of the certificate held."""
    host, port = server.addresses["tls"][0]
    command = [need("openssl", "openssl"), "s_client", "-connect", f"{host}:{port}", "-verify_return_error", *options]
    with trio.fail_after(20):
        done = await trio.run_process(command, stdin=b"", capture_stdout=True, stderr=subprocess.STDOUT, check=False)
    return Look(done.returncode, done.stdout.decode(errors="replace"))


async def authority_of(server: Server, folder: Path) -> str:
    """A file with what the running server hands out."""
    assert server.http_address is not None
    host, port = server.http_address
    page = await get(f"http://{host}:{port}/ca.pem")
    file = folder / "ca.pem"
    file.write_bytes(page.body)
    return str(file)


async def test_the_certificate_is_a_wildcard_of_the_authority_that_is_handed_out(tmp_path: Path) -> None:
    async with open_server(configuration(tmp_path, "http://127.0.0.1:9/voice", secure=True)) as server:
        ca = await authority_of(server, tmp_path)
        believed: tuple[tuple[str, ...], ...] = (
            ("-verify_hostname", "acme.sip.test", "-servername", "acme.sip.test"),
            ("-verify_hostname", "other.sip.test"),
            ("-verify_hostname", "localhost"),
            ("-verify_ip", "127.0.0.1"),
        )
        for demanded in believed:
            seen = await look(server, "-CAfile", ca, *demanded)
            assert (seen.status, "Verify return code: 0 (ok)" in seen.text) == (0, True), seen.text
            assert "CN = *.sip.test" in seen.text
        refused: tuple[tuple[str, ...], ...] = (
            ("-CAfile", ca, "-verify_hostname", "acme.sip.example"),
            ("-CAfile", ca, "-verify_hostname", "a.acme.sip.test"),
            ("-CAfile", ca, "-verify_ip", "127.0.0.2"),
            ("-no-CAfile", "-no-CApath", "-no-CAstore"),
        )
        for demanded in refused:
            seen = await look(server, *demanded)
            assert seen.status != 0, seen.text
            assert "verify error:" in seen.text


@pytest.mark.parametrize("deprecated", [False, True])
async def test_old_versions_are_refused_unless_the_switch_says_otherwise(tmp_path: Path, deprecated: bool) -> None:
    config = configuration(tmp_path, "http://127.0.0.1:9/voice", secure=True)
    config = attrs.evolve(config, tls=TlsSettings(allow_deprecated=deprecated))
    old = ("-cipher", "DEFAULT@SECLEVEL=0")
    async with open_server(config) as server:
        ca = await authority_of(server, tmp_path)
        for version, options, taken in (
            ("TLSv1", ("-tls1", *old), deprecated),
            ("TLSv1.1", ("-tls1_1", *old), deprecated),
            ("TLSv1.2", ("-tls1_2",), True),
            ("TLSv1.3", ("-tls1_3",), True),
        ):
            seen = await look(server, "-CAfile", ca, *options)
            assert (seen.status == 0) is taken, seen.text
            spoken = (f"New, {version}, Cipher is" in seen.text, f"Protocol  : {version}\n" in seen.text)
            assert any(spoken) if taken else "alert protocol version" in seen.text, seen.text
