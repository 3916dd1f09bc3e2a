"""The INVITE that a `Sip` or `Client` noun becomes: fields, who it says is calling, headers, credentials."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from offhook.actors.messages.events import CallStarted
from offhook.sip.message import Request
from offhook.testing.listen import match
from offhook.testing.phone import PhoneCall

from .kit import ACCOUNT, HOST, SUFFIX
from .office import BOB, BOB_HOST, CAROL, Office, dial, office


async def invited(here: Office, noun: str, attributes: str = "") -> Request:
    """The INVITE that Bob's phone gets, which it declines."""
    alice = await here.alice_dials(dial(attributes, noun))
    bob = await here.bob.called()
    await bob.decline()
    await alice.over()
    assert bob.invite is not None
    return bob.invite


# ---- fields ----------------------------------------------------------------------------------------------------------


async def test_every_field_of_the_invite_to_a_foreign_address(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path, register=False) as here:
        invite = await invited(here, f"<Sip>{CAROL}:5060;transport=udp;edge=dublin;user=phone?X-A=1</Sip>")
        child = here.it.of(CallStarted)[1]
        assert invite.request_uri == f"{CAROL}:5060;user=phone"
        assert str(invite.to.uri) == f"{CAROL}:5060;user=phone"
        assert (invite.to_tag, invite.from_.uri.host) == (None, SUFFIX)
        assert 60 <= int(invite.headers.get("Max-Forwards") or 0) <= 70
        assert invite.headers.get("X-Twilio-ApiVersion") == "2010-04-01"
        assert invite.headers.get("X-Twilio-AccountSid") == ACCOUNT
        assert invite.headers.get("X-Twilio-CallSid") == child.call_sid
        assert invite.headers.get("X-A") == "1"
        assert invite.headers.get("User-Agent")
        assert {"INVITE", "ACK", "CANCEL", "OPTIONS", "BYE"} <= set(invite.allow)
        assert invite.contact is not None
        offer = invite.body.decode()
        assert re.search(r"m=audio \d+ RTP/AVP 0 8 101\r\n", offer)
        for line in ("a=fmtp:101 0-16", "a=ptime:20", "a=maxptime:20", "a=sendrecv"):
            assert f"{line}\r\n" in offer
        assert (await here.outcome())["DialSipCallId"] == invite.call_id


async def test_a_registered_user_is_called_at_the_contact_from_its_own_domain(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with office(tmp_path) as here:
        invite = await invited(here, f"<Sip>{BOB}</Sip>")
        assert (invite.uri.user_text, invite.uri.host) == ("bob", BOB_HOST)
        assert str(invite.to.uri) == BOB
        assert invite.from_.uri.host == HOST


async def test_a_scheme_that_is_left_out_is_sip(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path, register=False) as here:
        assert (await invited(here, f"<Sip>carol@{BOB_HOST}</Sip>")).request_uri == CAROL


@pytest.mark.parametrize(
    ("params", "transport", "codes"),
    [
        ("", "UDP", []),
        (";transport=udp", "UDP", []),
        (";transport=tcp", "TCP", []),
        (";transport=TCP", "TCP", []),
        (";transport=sctp", "UDP", [32114]),
        (";secure=false", "UDP", []),
        (";secure=perhaps", "UDP", [32114]),
        (";edge=dublin", "UDP", []),
        (";edge=atlantis", "UDP", [32114]),
        (";region=ie1", "UDP", []),
        (";region=xx1", "UDP", [32114]),
        (";;=", "UDP", [32110]),
    ],
)
async def test_the_parameters_of_an_address_that_are_ours_are_obeyed_and_never_sent(
    autojump_clock: MockClock, tmp_path: Path, params: str, transport: str, codes: list[int]
) -> None:
    async with office(tmp_path, register=False) as here:
        invite = await invited(here, f"<Sip>{CAROL}{params}</Sip>")
        assert (invite.via.transport, invite.request_uri, str(invite.to.uri)) == (transport, CAROL, CAROL)
        assert set(here.it.codes()) == set(codes)


@pytest.mark.parametrize("address", [f"{CAROL};transport=tls", f"{CAROL};secure=true", f"sips:carol@{BOB_HOST}"])
async def test_where_there_is_no_tls_an_address_that_needs_it_is_an_error_of_the_document(
    autojump_clock: MockClock, tmp_path: Path, address: str
) -> None:
    async with office(tmp_path, register=False) as here:
        alice = await here.alice_dials(dial(noun=f"<Sip>{address}</Sip>"))
        await alice.over()
        assert here.it.codes() == [13750]
        notice = here.it.server.tree.services.announcer.error_notice.samples
        assert match(alice.heard(), notice[:12_000]) > 0.95
        assert here.bob.ladder == []
        assert here.it.web.asked("/after") == []


# ---- callerId --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("noun", "caller_id", "user"),
    [
        (f"<Sip>{CAROL}</Sip>", None, "alice"),
        (f"<Sip>{CAROL}</Sip>", "+15550177", "+15550177"),
        (f"<Sip>{CAROL}</Sip>", "front-desk_1.a", "front-desk_1.a"),
        (f"<Sip>{BOB}</Sip>", "desk", "desk"),
        ("<Client>bob</Client>", None, "alice"),
        ("<Client>bob</Client>", "client:carol", "carol"),
        ("<Client>bob</Client>", "+15550177", "+15550177"),
    ],
)
async def test_the_callee_sees_the_caller_id_as_user_and_as_name(
    autojump_clock: MockClock, tmp_path: Path, noun: str, caller_id: str | None, user: str
) -> None:
    async with office(tmp_path) as here:
        invite = await invited(here, noun, "" if caller_id is None else f'callerId="{caller_id}"')
        assert (invite.from_.uri.user_text, invite.from_.display) == (user, user)
        child = here.it.of(CallStarted)[1]
        assert child.from_ == (caller_id or f"sip:alice@{HOST}")
        assert here.it.codes() == []


@pytest.mark.parametrize(
    ("noun", "caller_id", "code"),
    [
        (f"<Sip>{CAROL}</Sip>", "front desk", 13247),
        (f"<Sip>{CAROL}</Sip>", "a&lt;b", 13247),
        (f"<Sip>{CAROL}</Sip>", "x" * 256, 13248),
        ("<Client>bob</Client>", "front desk", 13214),
        ("<Client>bob</Client>", "client:", 13214),
    ],
    ids=["space", "bracket", "too-long", "neither-number-nor-client", "no-client"],
)
async def test_a_caller_id_that_a_callee_may_not_see_fails_the_dial_and_nothing_is_sent(
    autojump_clock: MockClock, tmp_path: Path, noun: str, caller_id: str, code: int
) -> None:
    async with office(tmp_path) as here:
        before = len(here.bob.ladder)
        alice = await here.alice_dials(dial(f'callerId="{caller_id}"', noun))
        await alice.over()
        assert here.it.codes() == [code]
        told = await here.outcome()
        assert (told["DialCallStatus"], told["DialBridged"], "DialCallSid" in told) == ("failed", "false", False)
        assert len(here.bob.ladder) == before


# ---- headers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("X-Info=a%3D1%3Bb%3D2", "X-Info", "a=1;b=2"),
        ("x-lower=%3C1%2C%202%3E", "x-lower", "<1, 2>"),
        ("User-to-User=3132%3Bencoding%3Dhex", "User-to-User", "3132;encoding=hex"),
        ("Remote-Party-ID=%3Csip:1@a%3E%3Bparty%3Dcalling", "Remote-Party-ID", "<sip:1@a>;party=calling"),
        ("P-Preferred-Identity=%3Csip:1@a%3E", "P-Preferred-Identity", "<sip:1@a>"),
        ("P-Called-Party-ID=%3Csip:1@a%3E", "P-Called-Party-ID", "<sip:1@a>"),
        ("X-User-to-User=ab", "X-User-to-User", "ab"),
    ],
)
@pytest.mark.parametrize("address", [CAROL, BOB], ids=["foreign", "registered"])
async def test_a_header_of_the_address_goes_out_as_it_is_named(
    autojump_clock: MockClock, tmp_path: Path, address: str, part: str, name: str, value: str
) -> None:
    async with office(tmp_path) as here:
        invite = await invited(here, f"<Sip>{address}?X-First=1&amp;{part}</Sip>")
        assert invite.headers.get("X-First") == "1"
        assert (name, value) in list(invite.headers)
        assert here.it.codes() == []


@pytest.mark.parametrize(
    ("part", "code"),
    [
        ("Subject=hello", 13252),
        ("Via=SIP%2F2.0", 13252),
        ("X-Twilio-CallSid=CA0", 32113),
        ("x-twilio-anything=1", 32113),
        ("X%20A=1", 32111),
        ("X-A=1%0D%0AVia%3A%20SIP", 32112),
        ("X-A=a%09b", 32112),
        ("X-A", 32110),
    ],
)
async def test_a_header_that_may_not_be_sent_is_left_out_and_the_call_is_made(
    autojump_clock: MockClock, tmp_path: Path, part: str, code: int
) -> None:
    async with office(tmp_path) as here:
        invite = await invited(here, f"<Sip>{CAROL}?X-Good=1&amp;{part}</Sip>")
        assert here.it.codes() == [code]
        names = [name for name, _ in invite.headers]
        assert "X-Good" in names
        assert {"X-A", "X A", "Subject", "x-twilio-anything"}.isdisjoint(names)
        assert (names.count("Via"), names.count("X-Twilio-CallSid")) == (1, 1)


async def test_headers_of_elements_go_out_like_those_of_the_address(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        invite = await invited(
            here,
            f'<Sip><Uri>{CAROL}?X-A=1</Uri><Headers><Header name="X-B" value="2"/><Header name="Via" value="3"/>'
            "</Headers></Sip>",
        )
        assert (invite.headers.get("X-A"), invite.headers.get("X-B")) == ("1", "2")
        assert set(here.it.codes()) == {32113}


async def test_parameters_of_a_client_are_headers_for_its_phone(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with office(tmp_path) as here:
        invite = await invited(here, '<Client><Identity>bob</Identity><Parameter name="room" value="12"/></Client>')
        assert invite.headers.get("X-room") == "12"
        assert here.it.of(CallStarted)[1].to == "client:bob"


# ---- username, password ----------------------------------------------------------------------------------------------


def right(invite: Request, header: str, algorithm: str, password: str = "hush") -> bool:
    """Whether the credentials of an INVITE are those of `ann`, by the book (RFC 7616)."""
    given = dict(re.findall(r'(\w+)="?([^",]+)"?', (invite.headers.get(header) or "").removeprefix("Digest ")))
    hashed = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}[algorithm]

    def h(text: str) -> str:
        return hashed(text.encode()).hexdigest()

    secret = h(f"ann:{given['realm']}:{password}")
    asked = h(f"INVITE:{given['uri']}")
    wanted = h(":".join((secret, given["nonce"], given["nc"], given["cnonce"], given["qop"], asked)))
    return (given["username"], given["response"]) == ("ann", wanted)


@pytest.mark.parametrize(
    ("status", "asks", "answers"),
    [(401, "WWW-Authenticate", "Authorization"), (407, "Proxy-Authenticate", "Proxy-Authorization")],
    ids=["401", "407"],
)
@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
async def test_a_challenge_of_the_far_end_is_answered_once_with_the_credentials(
    autojump_clock: MockClock, tmp_path: Path, status: int, asks: str, answers: str, algorithm: str
) -> None:
    challenge = f'Digest realm="far.example", qop="auth", nonce="abc", algorithm={algorithm}'
    async with office(tmp_path, register=False) as here:
        alice = await here.alice_dials(dial(noun=f'<Sip username="ann" password="hush">{CAROL}</Sip>'))
        first = await here.bob.called()
        await first.decline(status, ((asks, challenge),))
        second = await here.bob.called()
        assert first.invite is not None
        assert second.invite is not None
        assert first.invite.headers.get(answers) is None
        assert right(second.invite, answers, algorithm)
        assert (second.invite.call_id, second.invite.cseq.number) == (
            first.invite.call_id,
            first.invite.cseq.number + 1,
        )
        assert await second.pick_up()
        await trio.sleep(1)
        assert await here.connected(alice, second)
        await second.hang_up()
        await alice.over()
        assert (await here.outcome())["DialSipResponseCode"] == "200"
        await here.it.idle()


async def test_the_stronger_of_two_challenges_is_answered(autojump_clock: MockClock, tmp_path: Path) -> None:
    weak, strong = (
        f'Digest realm="far.example", qop="auth", nonce="n", algorithm={name}' for name in ("MD5", "SHA-256")
    )
    async with office(tmp_path, register=False) as here:
        alice = await here.alice_dials(dial(noun=f'<Sip username="ann" password="hush">{CAROL}</Sip>'))
        first = await here.bob.called()
        await first.decline(401, (("WWW-Authenticate", strong), ("WWW-Authenticate", weak)))
        second: PhoneCall = await here.bob.called()
        assert second.invite is not None
        assert right(second.invite, "Authorization", "SHA-256")
        await second.decline()
        await alice.over()
        await here.it.idle()
