"""SIPp scenarios from Python: a call is told step by step, and the XML is made of it.

    caller = Caller("sip:say@acme.sip.test", media_port=40000).dials().is_answered().is_hung_up_on()
    Path("say.xml").write_text(caller.xml())

A step knows how far back an earlier message is, which SIPp needs for the branch of an ACK (RFC 3261 section 17.1.1.3).
"""

from __future__ import annotations

from typing import Self, TypeAlias
from xml.sax.saxutils import quoteattr

import attrs

LOCAL = "[local_ip]:[local_port]"
ROW = "[field0]"
"""In place of a port or a user: the first column of the table that SIPp runs with, a row a call."""
ME_TAG = "[pid]x[call_number]"
RETRANSMIT_AFTER_MS = 500  # T1


@attrs.frozen
class Login:
    """A digest user."""

    username: str
    password: str


Headers: TypeAlias = tuple[tuple[str, str], ...]
"""Names and values."""


@attrs.define
class Caller:
    """What one call of a calling scenario does, in order."""

    target: str
    """Request-URI and To."""
    media_port: int | str
    """Where RTP may be sent to on SIPp's address; SIPp itself neither sends nor reads any."""
    login: Login | None = None
    user: str = "sipp"
    """User part of our address when there is no login."""
    headers: Headers = ()
    """Further headers of the INVITE."""
    notes_audio: bool = False
    """SIPp logs which port the answer names for our port: a line of the two."""
    _steps: list[str] = attrs.field(factory=list, init=False)
    _invited: int = attrs.field(default=0, init=False)
    """Step of the INVITE that is open."""
    _cseq: int = attrs.field(default=0, init=False)
    _invite_cseq: int = attrs.field(default=0, init=False)

    def dials(self) -> Self:
        """INVITE; with a login it expects the challenge and answers it."""
        self._invite()
        if self.login is not None:
            self._expect_response(407, auth=True)
            self._acknowledge_refusal()
            self._invite(f"[authentication username={self.login.username} password={self.login.password}]")
        return self

    def hears_ringing_reliably(self) -> Self:
        """A 180 comes that has to be acknowledged; PRACK goes and gets 200 (RFC 3262)."""
        number = '<ereg regexp="[0-9]+" search_in="hdr" header="RSeq:" check_it="true" assign_to="rseq"/>'
        self._add('<recv response="100" optional="true"/>')
        self._add(f'<recv response="180" rrs="true"><action>{number}</action></recv>')
        rack = f"RAck: [$rseq] {self._cseq} INVITE"
        self._cseq += 1
        self._request("PRACK", "[next_url]", self._cseq, rack, routes=True, retransmit=True)
        self._expect_response(200)
        return self

    def is_answered(self, agreed: str = "") -> Self:
        """200 comes, perhaps after provisional answers; ACK goes along the route.

        `agreed`: the Session-Expires that the 200 has to have.
        """
        cseq = self._invite_cseq
        self._provisional()
        self._expect_response(200, rrs=True, session=agreed, audio=self.notes_audio)
        self._request("ACK", "[next_url]", cseq, routes=True)
        return self

    def refreshes(self, session: str, agreed: str) -> Self:
        """UPDATE goes with this Session-Expires and gets a 200 with that one (RFC 4028)."""
        self._cseq += 1
        asked = ("Supported: timer", f"Session-Expires: {session}")
        self._request("UPDATE", "[next_url]", self._cseq, *asked, routes=True, retransmit=True)
        self._expect_response(200, session=agreed)
        return self

    def reinvites(self, session: str, agreed: str) -> Self:
        """INVITE goes inside the dialog and changes nothing but that: it refreshes the session, likewise."""
        self._cseq += 1
        cseq = self._cseq
        asked = ("Supported: timer", f"Session-Expires: {session}")
        self._request("INVITE", "[next_url]", cseq, *asked, routes=True, retransmit=True, body=self._offer())
        self._provisional()
        self._expect_response(200, session=agreed)
        self._request("ACK", "[next_url]", cseq, routes=True)
        return self

    def is_refused(self, status: int) -> Self:
        """`status` comes, perhaps after provisional answers; ACK goes in the INVITE's transaction."""
        self._provisional()
        self._expect_response(status)
        self._acknowledge_refusal()
        return self

    def is_told_it_rings(self) -> Self:
        """180 comes."""
        self._add('<recv response="100" optional="true"/>')
        self._expect_response(180)
        return self

    def gives_up(self) -> Self:
        """CANCEL goes and gets 200, the INVITE gets 487 (RFC 3261 section 9.1)."""
        self._request("CANCEL", self.target, self._cseq, opening=True, retransmit=True, branch=self._branch())
        self._expect_response(200)
        self._expect_response(487)
        self._acknowledge_refusal()
        return self

    def is_hung_up_on(self) -> Self:
        """BYE comes and gets 200."""
        self._steps.append(hung_up_on())
        return self

    def waits(self, milliseconds: int) -> Self:
        self._add(f'<pause milliseconds="{milliseconds}"/>')
        return self

    def hangs_up(self) -> Self:
        """BYE goes and gets 200."""
        self._cseq += 1
        self._request("BYE", "[next_url]", self._cseq, routes=True, retransmit=True)
        self._expect_response(200)
        return self

    def xml(self) -> str:
        """The scenario file."""
        # SIPp refuses a variable that is named only once.
        checked = any('assign_to="session"' in step for step in self._steps)
        return scenario(self.target, *self._steps, *(['<Reference variables="session"/>'] if checked else []))

    # --- steps ---------------------------------------------------------------------------------------------------

    def _add(self, step: str) -> None:
        self._steps.append(step)

    def _invite(self, *headers: str) -> None:
        self._cseq += 1
        self._invite_cseq = self._cseq
        self._invited = len(self._steps)
        own = header_lines(self.headers)
        self._request(
            "INVITE", self.target, self._cseq, *headers, *own, opening=True, retransmit=True, body=self._offer()
        )

    def _branch(self) -> str:
        """The branch of the INVITE."""
        return f"[branch-{len(self._steps) - self._invited}]"

    def _acknowledge_refusal(self) -> None:
        self._request("ACK", self.target, self._cseq, branch=self._branch())

    def _provisional(self) -> None:
        for status in (100, 180, 183):
            self._add(f'<recv response="{status}" optional="true"/>')

    def _expect_response(
        self, status: int, *, auth: bool = False, rrs: bool = False, session: str = "", audio: bool = False
    ) -> None:
        extra = (' auth="true"' if auth else "") + (' rrs="true"' if rrs else "")
        actions = note_audio(self.media_port) if audio else ""
        if session:
            actions += (
                f'<ereg regexp="^ *{session} *$" search_in="hdr" header="Session-Expires:" check_it="true"'
                ' assign_to="session"/>'
            )
        self._add(f'<recv response="{status}"{extra}>{f"<action>{actions}</action>" if actions else ""}</recv>')

    def _request(
        self,
        method: str,
        uri: str,
        cseq: int,
        *headers: str,
        opening: bool = False,
        routes: bool = False,
        retransmit: bool = False,
        branch: str = "[branch]",
        body: str = "",
    ) -> None:
        """`opening`: the request has no To tag yet."""
        user = self.login.username if self.login is not None else self.user
        domain = self.target.partition("@")[2]
        self._send(
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/[transport] {LOCAL};branch={branch};rport",
            *(["[routes]"] if routes else []),
            "Max-Forwards: 70",
            f"From: <sip:{user}@{domain}>;tag={ME_TAG}",
            f"To: <{self.target}>{'' if opening else '[peer_tag_param]'}",
            "Call-ID: [call_id]",
            f"CSeq: {cseq} {method}",
            f"Contact: <sip:{user}@{LOCAL};transport=[transport]>",
            *headers,
            *(["Content-Type: application/sdp"] if body else []),
            "Content-Length: [len]" if body else "Content-Length: 0",
            body=body,
            retransmit=retransmit,
        )

    def _send(self, *lines: str, body: str = "", retransmit: bool = False) -> None:
        self._add(sending(*lines, body=body, retransmit=retransmit))

    def _offer(self) -> str:
        return session_description(self.media_port, (0, "PCMU"), (8, "PCMA"))


def scenario(name: str, *steps: str) -> str:
    """The file."""
    body = "\n".join(steps)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<scenario name={quoteattr(name)}>\n{body}\n</scenario>\n'


def sending(*lines: str, body: str = "", retransmit: bool = False) -> str:
    """The step that sends a message."""
    how = f' retrans="{RETRANSMIT_AFTER_MS}"' if retransmit else ""
    return f"<send{how}><![CDATA[\n" + "\n".join(lines) + f"\n\n{body}]]></send>"


def note_audio(port: int | str) -> str:
    """Actions that log `port` and the port for audio of the message that has come."""
    return (
        '<ereg regexp="m=audio ([0-9]+)" search_in="body" check_it="true" assign_to="audio,far_port"/>'
        f'<log message="[$audio] of {port} [$far_port]"/>'
    )


def header_lines(headers: Headers) -> list[str]:
    return [f"{name}: {value}" for name, value in headers]


def hung_up_on(headers: Headers = ()) -> str:
    """The steps in which BYE comes and gets 200."""
    lines = ("[last_Via:]", "[last_From:]", "[last_To:]", "[last_Call-ID:]", "[last_CSeq:]", *header_lines(headers))
    return '<recv request="BYE"/>\n' + sending("SIP/2.0 200 OK", *lines, "Content-Length: 0")


def session_description(port: int | str, *codecs: tuple[int, str]) -> str:
    """Audio and keys."""
    types = " ".join(str(payload_type) for payload_type, _ in codecs)
    maps = "".join(f"a=rtpmap:{payload_type} {name}/8000\n" for payload_type, name in codecs)
    return (
        "v=0\n"
        "o=sipp 1 1 IN IP[local_ip_type] [local_ip]\n"
        "s=-\n"
        "c=IN IP[local_ip_type] [local_ip]\n"
        "t=0 0\n"
        f"m=audio {port} RTP/AVP {types} 101\n"
        f"{maps}"
        "a=rtpmap:101 telephone-event/8000\n"
        "a=fmtp:101 0-15\n"
        "a=ptime:20\n"
    )
