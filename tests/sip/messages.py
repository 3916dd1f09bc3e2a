"""Messages for the tests of this folder."""

from __future__ import annotations

from offhook.sip.message import Request
from offhook.sip.parse import parse_datagram


def wire(text: str, body: bytes = b"") -> bytes:
    """A head written with plain line ends, and a body, as bytes."""
    return text.strip("\n").replace("\n", "\r\n").encode() + b"\r\n\r\n" + body


INVITE_TEXT = """
INVITE sip:+14155550100@acme.sip.example.com SIP/2.0
Via: SIP/2.0/UDP 192.0.2.10:5060;rport;branch=z9hG4bKa1
Via: SIP/2.0/TCP edge.example.com;branch=z9hG4bKa0
Max-Forwards: 69
Record-Route: <sip:edge.example.com;lr>
From: "Bob" <sip:bob@acme.sip.example.com>;tag=77
To: <sip:+14155550100@acme.sip.example.com>
Call-ID: c1@192.0.2.10
CSeq: 1 INVITE
Contact: <sip:bob@192.0.2.10:5060>
Timestamp: 54.2
Supported: timer, replaces
Content-Type: text/plain
Content-Length: 5
"""
INVITE_BYTES = wire(INVITE_TEXT, b"hello")


def invite() -> Request:
    """A well-formed INVITE with two Vias, a Record-Route and a body."""
    message = parse_datagram(INVITE_BYTES)
    assert isinstance(message, Request)
    return message


def options(*lines: tuple[str, str]) -> Request:
    """An OPTIONS with the usual headers; `lines` replace those of the same name, or are added."""
    head = """
OPTIONS sip:bob@example.com SIP/2.0
Via: SIP/2.0/UDP 192.0.2.10;branch=z9hG4bKb1
Max-Forwards: 70
From: <sip:ann@example.com>;tag=1
To: <sip:bob@example.com>
Call-ID: o1@192.0.2.10
CSeq: 1 OPTIONS
Content-Length: 0
"""
    message = parse_datagram(wire(head))
    assert isinstance(message, Request)
    headers = message.headers
    for name, value in lines:
        headers = headers.with_(name, value)
    return message.with_headers(headers)
