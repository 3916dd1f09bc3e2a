"""Session descriptions (RFC 8866) and their negotiation (RFC 3264)."""

from .model import Attribute, Bandwidth, Codec, Connection, Direction, Media, Origin, SessionDescription, Timing
from .negotiate import Address, Agreed, LocalMedia, Policy, accept, answer, check, offer
from .parse import parse
from .render import render

__all__ = [
    "Address",
    "Agreed",
    "Attribute",
    "Bandwidth",
    "Codec",
    "Connection",
    "Direction",
    "LocalMedia",
    "Media",
    "Origin",
    "Policy",
    "SessionDescription",
    "Timing",
    "accept",
    "answer",
    "check",
    "offer",
    "parse",
    "render",
]
