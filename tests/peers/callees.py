"""SIPp scenarios of phones that are called: they register, ring, answer, and hang up or are hung up on.

callee = Callee(media_port=40000).is_called().rings().answers().is_hung_up_on()
"""

from __future__ import annotations

from typing import Self

import attrs

from .scenarios import (
    LOCAL,
    ROW,
    Headers,
    header_lines,
    hung_up_on,
    note_audio,
    scenario,
    sending,
    session_description,
)

MY_TAG = ";tag=[pid]c[call_number]"
CONTACT = f"Contact: <sip:callee@{LOCAL};transport=[transport]>"
ANSWERED = ("[last_Via:]", "[last_Record-Route:]", "[last_From:]", "[last_To:]" + MY_TAG, "[last_Call-ID:]")
KEPT = {"from": "From:", "to": "To:", "cseq": "CSeq:"}
"""Headers of the INVITE that later messages need, by SIPp's variable."""
CALLED = "[$called]"
"""User part of the address that was called; in place of a port too."""

COPY_OF_INVITE = '<recv request="INVITE" optional="true"/>'
"""It may come where the server was too busy to read our answer; SIPp itself does not always take it for a copy."""


@attrs.define
class Callee:
    """What one call of an answering scenario does, in order."""

    media_port: int | str
    """Where RTP may be sent to on SIPp's address; SIPp itself neither sends nor reads any."""
    notes_audio: bool = False
    """SIPp logs which port the offer names for our port: a line of the two."""
    _steps: list[str] = attrs.field(factory=list, init=False)

    def is_called(self) -> Self:
        """INVITE comes."""
        keep = "".join(
            f'<ereg regexp="[^ ].*" search_in="hdr" header="{header}" check_it="true" assign_to="{variable}"/>'
            for variable, header in KEPT.items()
        )
        keep += '<ereg regexp="^INVITE sip:([^@]*)@" search_in="msg" check_it="true" assign_to="line,called"/>'
        audio = note_audio(self.media_port) if self.notes_audio else ""
        self._steps.append(f'<recv request="INVITE" rrs="true"><action>{keep}{audio}</action></recv>')
        return self

    def rings(self) -> Self:
        """180 goes."""
        self._steps.append(sending("SIP/2.0 180 Ringing", *ANSWERED, "[last_CSeq:]", CONTACT, "Content-Length: 0"))
        return self

    def refuses(self, status: int, headers: Headers = ()) -> Self:
        """`status` goes and ACK comes."""
        more = header_lines(headers)
        self._steps.append(
            sending(f"SIP/2.0 {status} No", *ANSWERED, "[last_CSeq:]", *more, "Content-Length: 0", retransmit=True)
        )
        self._steps += [COPY_OF_INVITE, '<recv request="ACK"/>']
        return self

    def answers(self, headers: Headers = ()) -> Self:
        """200 goes and ACK comes."""
        return self._agrees(headers, MY_TAG)

    def is_reinvited(self, headers: Headers = ()) -> Self:
        """INVITE comes inside the dialog; 200 goes, which changes nothing, and ACK comes."""
        self._steps.append('<recv request="INVITE"/>')
        return self._agrees(headers)

    def takes_no_notice_of(self, method: str) -> Self:
        """A request comes and is not answered, nor are its copies."""
        self._steps.append(f'<recv request="{method}"/>')
        return self

    def _agrees(self, headers: Headers, tag: str = "") -> Self:
        self._steps.append(
            sending(
                "SIP/2.0 200 OK",
                *ANSWERED[:3],
                f"[last_To:]{tag}",
                "[last_Call-ID:]",
                "[last_CSeq:]",
                CONTACT,
                *header_lines(headers),
                "Content-Type: application/sdp",
                "Content-Length: [len]",
                body=session_description(self.media_port, (0, "PCMU")),
                retransmit=True,
            )
        )
        self._steps += [COPY_OF_INVITE, '<recv request="ACK"/>']
        return self

    def waits(self, milliseconds: int) -> Self:
        self._steps.append(f'<pause milliseconds="{milliseconds}"/>')
        return self

    def is_hung_up_on(self, headers: Headers = ()) -> Self:
        """BYE comes and gets 200."""
        self._steps.append(hung_up_on(headers))
        return self

    def hangs_up(self, headers: Headers = ()) -> Self:
        """BYE goes and gets 200."""
        self._steps.append(
            sending(
                "BYE [next_url] SIP/2.0",
                f"Via: SIP/2.0/[transport] {LOCAL};branch=[branch];rport",
                "[routes]",
                "Max-Forwards: 70",
                "From: [$to]" + MY_TAG,
                "To: [$from]",
                "Call-ID: [call_id]",
                "CSeq: 1 BYE",
                *header_lines(headers),
                "Content-Length: 0",
                retransmit=True,
            )
        )
        self._steps.append('<recv response="200"/>')
        return self

    def is_given_up_on(self) -> Self:
        """CANCEL comes and gets 200, the INVITE gets 487, and ACK comes."""
        ended = ANSWERED[:-2]  # the tag is the same, and a CANCEL has the Via of its INVITE
        self._steps += [COPY_OF_INVITE, '<recv request="CANCEL"/>']
        self._steps.append(sending("SIP/2.0 200 OK", *ANSWERED, "[last_CSeq:]", "Content-Length: 0"))
        self._steps.append(
            sending(
                "SIP/2.0 487 Request Terminated",
                *ended,
                "To: [$to]" + MY_TAG,
                "[last_Call-ID:]",
                "CSeq: [$cseq]",
                "Content-Length: 0",
                retransmit=True,
            )
        )
        self._steps.append('<recv request="CANCEL" optional="true"/>')  # a copy that crossed the 200
        self._steps.append('<recv request="ACK"/>')
        return self

    def xml(self) -> str:
        """The scenario file."""
        used = f'<Reference variables="{",".join((*KEPT, "line", "called"))}"/>'
        return scenario("callee", *self._steps, used)


@attrs.frozen
class Registration:
    """One phone registers, a row of the table each: user, and what answers the challenge (`credentials`)."""

    domain: str
    contact_port: int
    contact: str = ""
    """Parameters of the Contact."""
    status: int = 200
    """What comes of it."""

    def xml(self) -> str:
        """The scenario file."""
        return scenario(
            "registration",
            self._register(1),
            '<recv response="407" auth="true"/>',
            self._register(2, "[field1]"),
            f'<recv response="{self.status}"/>',
        )

    def _register(self, cseq: int, *login: str) -> str:
        return sending(
            f"REGISTER sip:{self.domain} SIP/2.0",
            f"Via: SIP/2.0/[transport] {LOCAL};branch=[branch];rport",
            "Max-Forwards: 70",
            f"From: <sip:{ROW}@{self.domain}>;tag={cseq}[pid]r[call_number]",
            f"To: <sip:{ROW}@{self.domain}>",
            "Call-ID: [call_id]",
            f"CSeq: {cseq} REGISTER",
            f"Contact: <sip:{ROW}@[local_ip]:{self.contact_port};transport=[transport]{self.contact}>",
            "Expires: 3600",
            *login,
            "Content-Length: 0",
            retransmit=True,
        )


def credentials(username: str, password: str) -> str:
    """SIPp's word for them: it has to be a column of the table as a whole."""
    return f"[authentication username={username} password={password}]"
