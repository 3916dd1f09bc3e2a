"""One media leg as an actor: takes commands, negotiates SDP, and posts what the plane reports to its call.

Packets never pass through here; the plane carries them (`media/plane.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs
import structlog
import trio

from ..media import sdp
from ..media.errors import MediaError
from ..media.events import MediaEvent, SetRemote
from ..media.g711 import LAWS
from ..media.plane import LegSpec, MediaIds, MediaPlane, PlaneLeg
from ..media.sdp.model import SessionDescription
from ..media.sdp.negotiate import Agreed, LocalMedia
from ..transport.errors import TransportError
from .actor import Actor
from .mailbox import Ref, Reply
from .messages.media import (
    Couple,
    GetLeg,
    LocalDescription,
    MakeOffer,
    MediaCommand,
    MediaPolicy,
    Prepare,
    Reoffer,
    Settle,
    Stop,
    Uncouple,
)

CAPACITY: Final = 32
"""Of a media actor's mailbox: the call waits when it is full."""
LAST_EVENTS_S: Final = 5.0
"""How long a stopped leg waits for its recordings to be closed."""

log = structlog.get_logger(__name__)
