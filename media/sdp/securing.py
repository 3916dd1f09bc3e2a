"""Whether a stream is as secure as it must be, and which keys an offer and its answer settle (RFC 4568 section 5)."""

from __future__ import annotations

from typing import Final

from ..errors import (
    BadAnswer,
    BadCrypto,
    NoCommonCrypto,
    SecureMediaNotAccepted,
    SecureMediaRequired,
    UnsupportedProfile,
)
from .crypto import Crypto, Keys, Suite, parse_crypto, usable
from .model import Media, SessionDescription

__all__ = ["OFFERED_SUITE", "PLAIN", "SECURE", "choose", "line_of_ours", "need_new_key", "paired", "settled"]

PLAIN: Final = "RTP/AVP"
SECURE: Final = "RTP/SAVP"
_OUR_TAG: Final = 1
OFFERED_SUITE: Final = Suite.AES_80
"""What our offers name. In an answer the other one is as good."""


def line_of_ours(key: bytes | None) -> Crypto | None:
    """The one line of our offers: no MKI, no lifetime, no choice of suites. None for clear media."""
    return None if key is None else Crypto(_OUR_TAG, OFFERED_SUITE, key)


def choose(offered: SessionDescription, media: Media, *, secure: bool, key: bytes | None) -> Crypto | None:
    """The line of an offered stream that we take: the first of the offerer's that we can use; None for clear media.

    Raises OfferRefused when the stream is clear and must not be, encrypted and must not be, or encrypted by other means
    than ours. `key` is what we send with, if that is settled.
    """
    match media.profile.upper(), secure:
        case "RTP/AVP", False:
            if offered.attribute_of(media, "zrtp-hash") is not None:
                raise UnsupportedProfile("keys by ZRTP are not spoken here")
            return None
        case "RTP/AVP", True:
            raise SecureMediaRequired("Secure media required")
        case "RTP/SAVP", False:
            raise SecureMediaNotAccepted("Secure media not accepted")
        case "RTP/SAVP", True:
            lines = usable(media.values("crypto"), not_key=key)
            if isinstance(lines, BadCrypto):
                raise NoCommonCrypto(f"no crypto line can be used: {lines}")
            return lines[0]
        case profile, _:
            raise UnsupportedProfile(f"{profile} is not spoken here")


def settled(ours: Media, theirs: Media) -> Keys | None:
    """What the answering stream settles of our offered one (section 5.1.3); None when that is clear.

    Raises BadAnswer when it does not name our line, or has no key of its own. That the profiles agree is checked.
    """
    if ours.profile != SECURE:
        return None
    offered = usable(ours.values("crypto"))
    if isinstance(offered, BadCrypto):
        raise BadAnswer(f"our offer had no crypto line to be answered: {offered}")
    answers = theirs.values("crypto")
    if len(answers) != 1:
        raise BadAnswer(f"{len(answers)} a=crypto lines answer ours")
    try:
        answer = parse_crypto(answers[0])
    except BadCrypto as error:
        raise BadAnswer(f"the a=crypto line of the answer: {error}") from error
    line = next((each for each in offered if (each.tag, each.suite) == (answer.tag, answer.suite)), None)
    if line is None:
        raise BadAnswer(f"{answer.tag} {answer.suite.value} is none of the lines that were offered")
    if answer.key == line.key:
        raise BadAnswer("the answer has our own key")
    return paired(answer, line.key)


def paired(theirs: Crypto, ours: bytes) -> Keys:
    """What a line of the peer's and a key of ours settle."""
    return Keys(theirs.tag, theirs.suite, ours, theirs.key, theirs.lifetime)


def need_new_key(before: Keys | None, now: Keys | None) -> bool:
    """Whether a later exchange obliges us to send under another key.

    It does when the peer has another key or another suite: those begin new SRTP contexts, whose packets count from the
    start, so that under the old key the same keystream would be used twice. Anything else goes on as it was.
    """
    return before is not None and now is not None and (before.suite, before.theirs) != (now.suite, now.theirs)
