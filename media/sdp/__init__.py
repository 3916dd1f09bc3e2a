"""Session descriptions (RFC 8866) and their negotiation (RFC 3264)."""

from .crypto import Crypto, Keys, Suite
from .model import Attribute, Bandwidth, Codec, Connection, Direction, Media, Origin, SessionDescription, Timing
from .negotiate import (
    Address,
    Agreed,
    LocalMedia,
    Policy,
    accept,
    answer,
    answer_switched_off,
    check,
    offer,
    switches_off,
)
from .parse import parse
from .render import render

__all__ = [
    "Address",
    "Agreed",
    "Attribute",
    "Bandwidth",
    "Codec",
    "Connection",
    "Crypto",
    "Direction",
    "Keys",
    "LocalMedia",
    "Media",
    "Origin",
    "Policy",
    "SessionDescription",
    "Suite",
    "Timing",
    "accept",
    "answer",
    "answer_switched_off",
    "check",
    "offer",
    "parse",
    "render",
    "switches_off",
]
