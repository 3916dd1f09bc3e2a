"""What is read from the first bytes of a TLS client: versions, the host asked for, and no trust in either."""

from __future__ import annotations

import ssl
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.transport.client_hello import MAX_BYTES, MAX_RECORDS, TLS_1_0, ClientHello, NotTls, read_client_hello


def hello(name: str | None = "acme.sip.test", newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> bytes:
    """What the TLS library of this machine says first."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = newest
    context.set_ciphers("ALL:@SECLEVEL=0")
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def in_records(data: bytes, size: int) -> bytes:
    """The same handshake message cut into records of `size` bytes."""
    message = data[5:]
    pieces = [message[at : at + size] for at in range(0, len(message), size)]
    return b"".join(data[:3] + len(piece).to_bytes(2, "big") + piece for piece in pieces)


@pytest.mark.parametrize(
    ("newest", "shown"),
    [
        (ssl.TLSVersion.TLSv1, "TLS 1.0"),
        (ssl.TLSVersion.TLSv1_1, "TLS 1.1"),
        (ssl.TLSVersion.TLSv1_2, "TLS 1.2"),
        (ssl.TLSVersion.TLSv1_3, "TLS 1.3"),
    ],
)
def test_the_newest_version_offered_is_found(newest: ssl.TLSVersion, shown: str) -> None:
    found = read_client_hello(hello(newest=newest))
    assert found is not None
    assert found.version_name == shown


def test_the_host_asked_for_is_found_in_lower_case() -> None:
    assert read_client_hello(hello("Acme.SIP.test")) == ClientHello(0x0304, "acme.sip.test")


def test_a_client_that_asks_for_no_host_names_none() -> None:
    found = read_client_hello(hello(None))
    assert found is not None
    assert found.server_name is None


def test_every_beginning_of_a_hello_asks_for_more() -> None:
    whole = hello()
    for end in range(len(whole)):
        assert read_client_hello(whole[:end]) is None
    assert read_client_hello(whole + b"what follows is not looked at") is not None


@pytest.mark.parametrize("size", [1, 3, 4, 5, 50, 200])
def test_a_hello_cut_into_records_is_put_together(size: int) -> None:
    whole = hello()
    beginning, rest = whole[:25], whole[:5] + whole[25:]
    assert read_client_hello(in_records(beginning, size) + in_records(rest, 50)) == read_client_hello(whole)


@pytest.mark.parametrize(
    "data",
    [
        b"INVITE sip:100@acme.sip.test SIP/2.0\r\n",
        b"GET / HTTP/1.1\r\n",
        b"\r\n\r\n",
        b"\x80\x2e\x01\x03\x01",  # as SSL 2.0 began
        b"\x16\x02\x00\x00\x05",
        b"\x16\x03\x01\x00\x00",
        b"\x16\x03\x01\xff\xff",
        b"\x16\x03\x01\x00\x01\x02",  # a ServerHello
        b"\x16\x03\x01\x00\x04\x01\xff\xff\xff",
        b"\x16\x03\x01\x00\x06\x01\x00\x00\x02\x03\x03",
    ],
)
def test_what_is_no_client_hello_is_refused_at_once(data: bytes) -> None:
    with pytest.raises(NotTls):
        read_client_hello(data)


def test_a_hello_in_too_many_records_is_refused_however_short_they_are() -> None:
    whole = hello()
    tiny = in_records(whole, 1)
    assert len(whole) - 5 > MAX_RECORDS
    assert read_client_hello(tiny[: 6 * MAX_RECORDS - 1]) is None
    with pytest.raises(NotTls, match="more than 64 records"):
        read_client_hello(tiny[: 6 * MAX_RECORDS])


def test_a_hello_that_does_not_end_is_refused_in_the_end() -> None:
    record = b"\x16\x03\x01\x00\x01\x01" + b"\x16\x03\x01\x00\x03\x00\x3f\x00"
    with pytest.raises(NotTls):
        read_client_hello((record + b"\x16\x03\x01\x00\x01\x00" * MAX_BYTES)[:MAX_BYTES])


def test_an_old_client_without_extensions_is_understood() -> None:
    body = b"\x03\x01" + bytes(32) + b"\x00" + b"\x00\x02\x00\x2f" + b"\x01\x00"
    message = b"\x01" + len(body).to_bytes(3, "big") + body
    found = read_client_hello(b"\x16\x03\x01" + len(message).to_bytes(2, "big") + message)
    assert found == ClientHello(TLS_1_0, None)


@given(st.binary(max_size=400))
def test_no_bytes_do_harm(data: bytes) -> None:
    harmless(data)


@given(st.integers(0, 600), st.binary(min_size=1, max_size=8))
def test_no_damaged_hello_does_harm(at: int, damage: bytes) -> None:
    whole = hello()
    harmless(whole[:at] + damage + whole[at + len(damage) :])


def harmless(data: bytes) -> None:
    try:
        found = read_client_hello(data)
    except NotTls:
        return
    assert found is None or isinstance(found, ClientHello)
