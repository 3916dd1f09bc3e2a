"""Request and Response: typed views, and changed copies."""

from __future__ import annotations

import pytest

from offhook.sip.errors import BadHeader, BadUri, MissingHeader
from offhook.sip.headers import Headers
from offhook.sip.message import Request, Response
from tests.sip.messages import invite, options


def test_the_views_of_an_invite_are_typed() -> None:
    request = invite()
    assert [via.transport for via in request.vias] == ["UDP", "TCP"]
    assert request.via is request.vias[0]
    assert (request.from_.display, request.from_tag, request.to_tag) == ("Bob", "77", None)
    assert (request.call_id, request.cseq.number, request.cseq.method) == ("c1@192.0.2.10", 1, "INVITE")
    assert request.contact is not None
    assert request.contact.uri.port == 5060
    assert (request.max_forwards, request.content_type, request.content_length) == (69, "text/plain", 5)
    assert request.supported == ("timer", "replaces")
    assert request.record_routes[0].is_loose
    assert request.uri.user == "+14155550100"
    assert (request.require, request.accept, request.expires, request.routes) == ((), None, None, ())


def test_a_view_is_made_once() -> None:
    request = invite()
    assert request.from_ is request.from_
    assert request.uri is request.uri


def test_a_missing_or_broken_header_raises_when_asked_for_and_not_before() -> None:
    request = Request("INVITE", "nonsense", Headers([("CSeq", "x"), ("Contact", "<sip:a@b>"), ("m", "*")]))
    for view in ("vias", "from_", "to", "call_id"):
        with pytest.raises(MissingHeader):
            getattr(request, view)
    for view in ("cseq", "contacts", "contact"):
        with pytest.raises(BadHeader):
            getattr(request, view)
    with pytest.raises(BadUri):
        _ = request.uri


def test_a_header_that_may_occur_once_raises_when_it_occurs_twice() -> None:
    twice = invite().headers.appended("f", "<sip:other@example.com>;tag=1")
    with pytest.raises(BadHeader, match="From"):
        _ = invite().with_headers(twice).from_


def test_accept_tells_nothing_said_from_nothing_accepted() -> None:
    assert options().accept is None
    assert options(("Accept", "")).accept == ()
    accept = options(("Accept", "application/sdp;level=1, text/*")).accept
    assert accept is not None
    assert [str(media) for media in accept] == ["application/sdp;level=1", "text/*"]


def test_identity_is_no_coding() -> None:
    assert options(("Content-Encoding", "GZIP, identity")).content_encoding == ("gzip",)


def test_a_new_body_brings_its_type_and_length() -> None:
    request = invite()
    plain = request.with_body(b"v=0\r\n", "application/sdp")
    assert (plain.content_type, plain.content_length, plain.body) == ("application/sdp", 5, b"v=0\r\n")
    empty = plain.with_body(b"")
    assert (empty.content_type, empty.content_length) == (None, 0)
    assert (request.content_type, request.body) == ("text/plain", b"hello")


def test_messages_are_equal_whatever_their_content_length_says() -> None:
    request = invite()
    assert request == request.with_headers(request.headers.without("l"))
    assert request != request.with_body(b"other", "text/plain")
    assert Response(200, "OK") != Response(200, "Fine")
    assert hash(request) == hash(invite())


def test_a_response_knows_its_class() -> None:
    assert (Response(180, "").is_provisional, Response(180, "").is_final) == (True, False)
    assert (Response(200, "").is_success, Response(300, "").is_success) == (True, False)
    assert Response(200, "OK").with_body(b"x", "text/plain").content_type == "text/plain"
