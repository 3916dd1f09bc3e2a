"""Offers, answers, and what they settle."""

from __future__ import annotations

import contextlib

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.media import errors, sdp
from offhook.media.g711 import PCMA, PCMU
from offhook.media.sdp import Agreed, Direction, LocalMedia, SessionDescription

US = LocalMedia("203.0.113.9", 12690, session_name="offhook", origin_user="root")
SECURED = attrs.evolve(US, key=bytes(30))


def offered(*media: str, connection: str | None = "IN IP4 198.51.100.1", attributes: str = "") -> SessionDescription:
    head = "v=0\no=phone 7 7 IN IP4 198.51.100.1\ns=-\n" + (f"c={connection}\n" if connection else "") + "t=0 0\n"
    return sdp.parse(head + attributes + "".join(media))


def audio(formats: str = "0 8 101", *lines: str, port: int = 4000, profile: str = "RTP/AVP") -> str:
    maps = "a=rtpmap:101 telephone-event/8000\n" if "101" in formats.split() else ""
    return f"m=audio {port} {profile} {formats}\n{maps}" + "".join(f"{line}\n" for line in lines)


def answer(offer: SessionDescription, local: LocalMedia = US) -> tuple[str, Agreed]:
    description, agreed = sdp.answer(offer, local)
    return sdp.render(description).decode(), agreed


def test_our_offer_is_the_one_that_phones_know() -> None:
    assert sdp.render(sdp.offer(US)).decode().splitlines() == [
        "v=0",
        "o=root 1 1 IN IP4 203.0.113.9",
        "s=offhook",
        "c=IN IP4 203.0.113.9",
        "t=0 0",
        "m=audio 12690 RTP/AVP 0 8 101",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-16",
        "a=ptime:20",
        "a=maxptime:20",
        "a=sendrecv",
    ]


@pytest.mark.parametrize(
    ("formats", "law", "payload_type"),
    [("0 8", PCMU, 0), ("8 0", PCMA, 8), ("18 9 8 0", PCMA, 8), ("97 8", PCMU, 97), ("3 98", PCMA, 98)],
)
def test_the_first_codec_of_the_offer_that_we_speak_wins(formats: str, law: object, payload_type: int) -> None:
    text, agreed = answer(offered(audio(formats, "a=rtpmap:97 pcmu/8000", "a=rtpmap:98 PCMA/8000/1")))
    assert f"m=audio 12690 RTP/AVP {payload_type}\r\n" in text
    assert f"a=rtpmap:{payload_type} {law}/8000\r\n" in text
    assert agreed.codec is law
    assert (agreed.payload_type, agreed.receive_types) == (payload_type, {payload_type: law})
    assert agreed.event_type is None


def test_a_static_number_that_an_rtpmap_gives_to_another_codec_is_that_codec() -> None:
    with pytest.raises(errors.NoCommonCodec):
        sdp.answer(offered(audio("0", "a=rtpmap:0 opus/48000/2")), US)


def test_the_offerers_number_for_digits_is_echoed() -> None:
    text, agreed = answer(offered(audio("0 96", "a=rtpmap:96 telephone-event/8000", "a=fmtp:96 0-15")))
    assert "m=audio 12690 RTP/AVP 0 96\r\n" in text
    assert "a=fmtp:96 0-16\r\n" in text
    assert (agreed.event_type, agreed.event_receive_types) == (96, frozenset({96}))


def test_digits_of_another_clock_are_not_taken() -> None:
    assert answer(offered(audio("0 96", "a=rtpmap:96 telephone-event/48000")))[1].event_type is None


def test_media_goes_where_the_stream_says_else_where_the_session_says() -> None:
    assert answer(offered(audio()))[1].remote == ("198.51.100.1", 4000)
    assert answer(offered(audio("0", "c=IN IP6 2001:DB8::1")))[1].remote == ("2001:db8::1", 4000)
    with pytest.raises(errors.UnusableAddress, match="no c= line"):
        sdp.answer(offered(audio(), connection=None), US)


@pytest.mark.parametrize(
    "connection", ["IN IP4 224.2.1.1/127", "IN IP4 239.1.1.1", "IN IP4 255.255.255.255", "ATM NSAP 1"]
)
def test_media_never_goes_to_a_crowd(connection: str) -> None:
    with pytest.raises(errors.UnusableAddress) as caught:
        sdp.answer(offered(audio(), connection=connection), US)
    assert caught.value.status == 488


def test_a_host_name_gives_no_address_until_media_comes() -> None:
    agreed = answer(offered(audio(), connection="IN IP4 phone.example.com"))[1]
    assert (agreed.remote, agreed.remote_rtcp, agreed.send) == (None, None, True)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("a=rtcp:5005", ("198.51.100.1", 5005)),
        ("a=rtcp:5005 IN IP4 198.51.100.2", ("198.51.100.2", 5005)),
        ("a=rtcp:0", ("198.51.100.1", 4001)),
        ("a=rtcp:99999", ("198.51.100.1", 4001)),
        ("a=rtcp:5005 IN IP4 224.1.1.1", ("198.51.100.1", 5005)),
        ("a=other", ("198.51.100.1", 4001)),
    ],
)
def test_rtcp_goes_one_port_up_unless_said_otherwise(line: str, expected: tuple[str, int]) -> None:
    assert answer(offered(audio("0", line)))[1].remote_rtcp == expected


def test_there_is_no_port_above_the_last() -> None:
    assert answer(offered(audio(port=65_535)))[1].remote_rtcp is None


def test_our_rtcp_port_is_announced_when_it_is_not_the_next() -> None:
    assert "a=rtcp:" not in answer(offered(audio()), attrs.evolve(US, rtcp_port=12691))[0]
    assert "a=rtcp:20000\r\n" in answer(offered(audio()), attrs.evolve(US, rtcp_port=20_000))[0]


@pytest.mark.parametrize(
    ("line", "ours", "sends", "receives"),
    [
        ("a=sendrecv", "sendrecv", True, True),
        ("a=sendonly", "recvonly", False, True),
        ("a=recvonly", "sendonly", True, False),
        ("a=inactive", "inactive", False, False),
        ("c=IN IP4 0.0.0.0", "recvonly", False, True),
        ("c=IN IP6 ::", "recvonly", False, True),
    ],
)
def test_hold_is_answered_with_its_counterpart(line: str, ours: str, sends: bool, receives: bool) -> None:
    text, agreed = answer(offered(audio("0", line)))
    assert f"a={ours}\r\n" in text
    assert (agreed.send, agreed.receive) == (sends, receives)


def test_a_direction_of_the_session_holds_for_streams_that_say_nothing() -> None:
    assert not answer(offered(audio(), attributes="a=sendonly\n"))[1].send
    assert answer(offered(audio("0", "a=sendrecv"), attributes="a=sendonly\n"))[1].send


def test_an_old_fashioned_hold_leaves_no_address_to_send_to() -> None:
    agreed = answer(offered(audio(), connection="IN IP4 0.0.0.0"))[1]
    assert (agreed.remote, agreed.send, agreed.receive) == (None, False, True)


def test_we_may_want_less_than_is_offered() -> None:
    text, agreed = answer(offered(audio()), attrs.evolve(US, direction=Direction.SENDONLY))
    assert "a=sendonly\r\n" in text
    assert (agreed.send, agreed.receive) == (True, False)


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([], 20),
        (["a=ptime:10"], 10),
        (["a=ptime:30"], 30),
        (["a=ptime:60"], 60),
        (["a=ptime:5"], 10),
        (["a=ptime:150"], 60),
        (["a=ptime:45"], 40),
        (["a=ptime:60", "a=maxptime:40"], 40),
        (["a=maxptime:10"], 10),
        (["a=ptime:often"], 20),
        (["a=ptime:0"], 20),
        (["a=ptime:20.0"], 20),
    ],
)
def test_packets_hold_what_the_peer_asks_for(lines: list[str], expected: int) -> None:
    assert answer(offered(audio("0", *lines)))[1].ptime_ms == expected


def test_ptime_of_the_session_counts_too() -> None:
    assert answer(offered(audio(), attributes="a=ptime:30\n"))[1].ptime_ms == 30


def test_other_streams_are_refused_in_their_places() -> None:
    text, agreed = answer(
        offered(
            "m=video 5000 RTP/AVP 99\n",
            audio("18"),
            audio("0"),
            audio("8"),
            "m=image 6000 udptl t38\n",
        )
    )
    assert [line for line in text.splitlines() if line.startswith("m=")] == [
        "m=video 0 RTP/AVP 99",
        "m=audio 0 RTP/AVP 18",
        "m=audio 12690 RTP/AVP 0",
        "m=audio 0 RTP/AVP 8",
        "m=image 0 udptl t38",
    ]
    assert agreed.media_index == 2


@pytest.mark.parametrize(
    ("media", "secure", "error"),
    [
        (audio("18 3"), False, errors.NoCommonCodec),
        (audio(profile="RTP/SAVP"), False, errors.SecureMediaNotAccepted),
        (audio(profile="RTP/AVP"), True, errors.SecureMediaRequired),
        (audio(profile="RTP/SAVP"), True, errors.NoCommonCrypto),
        (audio(profile="RTP/AVPF"), False, errors.UnsupportedProfile),
        (audio(profile="RTP/SAVPF"), False, errors.UnsupportedProfile),
        (audio(profile="RTP/SAVPF"), True, errors.UnsupportedProfile),
        (audio(profile="UDP/TLS/RTP/SAVP"), False, errors.UnsupportedProfile),
        (audio(profile="UDP/TLS/RTP/SAVPF"), True, errors.UnsupportedProfile),
        (audio("0", "a=zrtp-hash:1.10 fe30efd02423cb05"), False, errors.UnsupportedProfile),
        (audio("0", "a=zrtp-hash:1.10 fe30efd02423cb05"), True, errors.SecureMediaRequired),
        (audio(port=0), False, errors.NoAudioStream),
        ("m=video 5000 RTP/AVP 99\n", False, errors.NoAudioStream),
        ("", False, errors.NoAudioStream),
    ],
)
def test_an_offer_is_refused_for_a_reason(media: str, secure: bool, error: type[errors.OfferRefused]) -> None:
    with pytest.raises(error) as caught:
        sdp.answer(offered(media), SECURED if secure else US)
    assert caught.value.status == 488
    assert 300 <= caught.value.warning <= 399


def test_the_alerts_of_secure_media_have_their_codes() -> None:
    assert errors.SecureMediaNotAccepted.alert == 32207
    assert errors.SecureMediaRequired.alert == 32208
    assert errors.NoCommonCodec.alert is None


def test_a_later_stream_that_fits_is_taken_instead_of_an_earlier_one_that_does_not() -> None:
    assert answer(offered(audio(profile="RTP/SAVP"), audio()))[1].media_index == 1


def test_an_answer_settles_our_offer() -> None:
    agreed = sdp.accept(sdp.offer(US), offered(audio("8 101", "a=ptime:30")), US)
    assert (agreed.codec, agreed.payload_type, agreed.event_type, agreed.ptime_ms) == (PCMA, 8, 101, 30)
    assert agreed.receive_types == {0: PCMU, 8: PCMA}
    assert agreed.remote == ("198.51.100.1", 4000)
    assert (agreed.send, agreed.receive) == (True, True)


def test_an_answer_with_numbers_of_its_own_is_sent_to_by_them() -> None:
    answered = offered(audio("97 96", "a=rtpmap:97 PCMA/8000", "a=rtpmap:96 telephone-event/8000"))
    agreed = sdp.accept(sdp.offer(US), answered, US)
    assert (agreed.payload_type, agreed.event_type) == (97, 96)
    assert agreed.receive_types == {0: PCMU, 8: PCMA, 97: PCMA}
    assert agreed.event_receive_types == frozenset({96, 101})


def test_an_answer_may_hold_us() -> None:
    agreed = sdp.accept(sdp.offer(US), offered(audio("0", "a=recvonly")), US)
    assert (agreed.send, agreed.receive) == (True, False)
    agreed = sdp.accept(sdp.offer(attrs.evolve(US, direction=Direction.SENDONLY)), offered(audio("0")), US)
    assert agreed.send


@pytest.mark.parametrize(("offers", "send", "receive"), [("recvonly", False, True), ("inactive", False, False)])
def test_an_answer_gives_no_more_than_its_offer_asked_for(offers: str, send: bool, receive: bool) -> None:
    ours = sdp.offer(attrs.evolve(US, direction=Direction[offers.upper()]))
    agreed = sdp.accept(ours, offered(audio("0", "a=sendrecv")), US)
    assert (agreed.send, agreed.receive) == (send, receive)


@pytest.mark.parametrize(
    "media",
    [
        "",
        audio(port=0),
        audio("18"),
        audio(profile="RTP/SAVP"),
        "m=video 5000 RTP/AVP 0\n",
        audio("0", "c=IN IP4 224.1.1.1"),
    ],
)
def test_an_answer_that_does_not_fit_is_told(media: str) -> None:
    with pytest.raises(errors.BadAnswer):
        sdp.accept(sdp.offer(US), offered(media), US)


def test_a_new_description_of_the_same_leg_is_one_version_up() -> None:
    first = sdp.offer(US)
    second = sdp.offer(US.renewed(), first)
    assert (second.origin.session_id, second.origin.version) == (1, 2)
    assert second.media == first.media


def test_a_new_offer_keeps_every_stream_in_its_place() -> None:
    before, _ = sdp.answer(offered("m=video 5000 RTP/AVP 99\n", audio(), "m=image 6000 udptl t38\n"), US)
    again = sdp.offer(US.renewed(), before)
    assert [(media.kind, media.port) for media in again.media] == [("video", 0), ("audio", 12690), ("image", 0)]


def test_ipv6_is_described_as_such() -> None:
    text = sdp.render(sdp.offer(attrs.evolve(US, address="2001:db8::9"))).decode()
    assert "o=root 1 1 IN IP6 2001:db8::9\r\n" in text
    assert "c=IN IP6 2001:db8::9\r\n" in text


LINES = st.lists(
    st.sampled_from(
        [
            "m=audio 4000 RTP/AVP 0 8 101",
            "m=audio 4000 RTP/SAVP 0",
            "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd",
            "a=crypto:1 AES_CM_128_HMAC_SHA1_32 inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd|2^20",
            "a=crypto:2 AES_CM_128_HMAC_SHA1_32 inline:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd|1:4",
            "a=crypto",
            "m=audio 0 RTP/AVP 8",
            "m=video 5000 RTP/AVP 99",
            "a=rtpmap:101 telephone-event/8000",
            "a=rtpmap:0 PCMA/8000",
            "a=rtpmap:8 x/0",
            "a=ptime:99999999",
            "a=maxptime:-1",
            "a=inactive",
            "a=sendonly",
            "a=rtcp:1 IN IP4 x",
            "c=IN IP4 0.0.0.0",
            "c=IN IP6 fe80::1%eth0",
            "c=IN IP4 1.2.3.4",
        ]
    ),
    max_size=8,
)


@given(LINES, st.booleans())
def test_negotiation_raises_nothing_but_its_own_errors(lines: list[str], secure: bool) -> None:
    try:
        offer = offered(*(f"{line}\n" for line in lines), connection=None)
    except errors.SdpError:
        return
    try:
        described, agreed = sdp.answer(offer, SECURED if secure else US)
    except errors.OfferRefused:
        pass
    else:
        assert len(described.media) == len(offer.media)
        assert sdp.parse(sdp.render(described)) == described
        assert 10 <= agreed.ptime_ms <= 60
        assert (agreed.keys is not None) is secure
        if not any(media.kind == "audio" and media.port for media in offer.media[: agreed.media_index]):
            assert sdp.accept(offer, described, US).send == agreed.receive
    with contextlib.suppress(errors.BadAnswer):
        sdp.accept(sdp.offer(SECURED if secure else US), offer, US)


def test_audio_that_is_switched_off_keeps_its_place_in_the_answer() -> None:
    theirs = offered("m=video 5000 RTP/AVP 99\n", audio(port=0))
    assert sdp.switches_off(theirs)
    ours = sdp.answer_switched_off(theirs, US)
    assert [(media.kind, media.port) for media in ours.media] == [("video", 0), ("audio", 0)]
    assert not sdp.switches_off(offered(audio(port=0), audio()))
    assert not sdp.switches_off(offered("m=video 0 RTP/AVP 99\n"))
