"""What can go wrong in media: one tree, each error knowing what it means for the peer."""

from __future__ import annotations

__all__ = [
    "AudioTooLong",
    "BadAnswer",
    "BadAudio",
    "BadCrypto",
    "BadDigits",
    "BadEvent",
    "BadPacket",
    "BadRtcp",
    "BadRtp",
    "MediaError",
    "NoAudioStream",
    "NoCommonCodec",
    "NoCommonCrypto",
    "OfferRefused",
    "SdpError",
    "SecureMediaNotAccepted",
    "SecureMediaRequired",
    "SrtpError",
    "UnsupportedProfile",
    "UnusableAddress",
]


class MediaError(Exception):
    """Something a peer, a file or an application did wrong; `status` is the SIP answer where one is due."""

    status = 488
    alert: int | None = None
    """The public code of the alert that the account is shown, if there is one."""


class BadPacket(MediaError):
    """Bytes from a media socket that are not what they claim to be; the packet is dropped and counted."""


class BadRtp(BadPacket):
    """Not an RTP packet (RFC 3550 section 5.1)."""


class BadRtcp(BadPacket):
    """Not a valid compound RTCP packet (RFC 3550 appendix A.2)."""


class BadEvent(BadPacket):
    """Not a telephone-event payload (RFC 4733 section 2.3)."""


class SrtpError(MediaError):
    """A packet of ours that SRTP does not protect: too long, or its key has protected all it may."""


class BadDigits(MediaError):
    """A digit string with characters that cannot be sent."""


class BadAudio(MediaError):
    """A file that is no audio, or audio of a kind that cannot be read."""


class AudioTooLong(BadAudio):
    """A file longer, or bigger, than what is allowed."""


class SdpError(MediaError):
    """A session description that does not follow RFC 8866. The request around it may be sound: 488, not 400."""

    alert = 32102

    def __init__(self, reason: str, line: int | None = None) -> None:
        """Name what is wrong; `line` counts from 1 and is None when the fault is in no single line."""
        super().__init__(reason if line is None else f"SDP line {line}: {reason}")
        self.reason, self.line = reason, line


class BadCrypto(MediaError):
    """An a=crypto line (RFC 4568) that is malformed, or asks for what we do not do. Never says what the key was."""


class BadAnswer(MediaError):
    """An answer that does not fit the offer it answers (RFC 3264 section 6); the call cannot go on."""


class OfferRefused(MediaError):
    """A sound offer that we do not accept: answered with 488 (RFC 3261 section 21.4.26)."""

    warning = 399
    """The warn-code of a Warning header that goes with the answer (RFC 3261 section 20.43)."""


class NoCommonCodec(OfferRefused):
    """The offer has no audio codec that we speak."""

    warning = 305


class NoAudioStream(OfferRefused):
    """The offer has no audio stream, or only disabled ones (port 0)."""

    warning = 304


class UnsupportedProfile(OfferRefused):
    """The transport of every audio stream is one that is not spoken here, such as RTP/SAVPF, DTLS-SRTP and ZRTP."""

    warning = 302


class SecureMediaNotAccepted(OfferRefused):
    """RTP/SAVP was offered where plain media is the rule."""

    warning = 302
    alert = 32207


class SecureMediaRequired(OfferRefused):
    """RTP/AVP was offered where secure media is the rule."""

    warning = 302
    alert = 32208


class NoCommonCrypto(OfferRefused):
    """RTP/SAVP was offered without a crypto line that we can use."""

    warning = 302


class UnusableAddress(OfferRefused):
    """The connection address is one to which no call's media can go, such as a multicast group."""

    warning = 300
