"""Messages that the transport tests send."""

from __future__ import annotations


def options(
    *,
    via: str = "SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bK1;rport",
    call_id: str = "c1",
    body: bytes = b"",
    extra: str = "",
) -> bytes:
    head = (
        "OPTIONS sip:10.0.0.1 SIP/2.0\r\n"
        f"Via: {via}\r\n"
        "Max-Forwards: 70\r\n"
        "From: <sip:ann@example.com>;tag=a\r\n"
        "To: <sip:bob@example.com>\r\n"
        f"Call-ID: {call_id}\r\n"
        "CSeq: 1 OPTIONS\r\n"
        f"{extra}"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def ok(*, call_id: str = "c1") -> bytes:
    return (
        "SIP/2.0 200 OK\r\n"
        "Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK9\r\n"
        "From: <sip:ann@example.com>;tag=a\r\n"
        "To: <sip:bob@example.com>;tag=b\r\n"
        f"Call-ID: {call_id}\r\n"
        "CSeq: 1 OPTIONS\r\n"
        "Content-Length: 0\r\n\r\n"
    ).encode()
