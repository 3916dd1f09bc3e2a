"""To the registrar: what came from the network for it, and what others ask of it."""

from __future__ import annotations

from typing import TypeAlias

import attrs

from ...sip.bindings import Binding
from ...sip.message import Request
from ...transport.flow import Flow, FlowClosed
from ..mailbox import Reply


@attrs.frozen
class RegisterReceived:
    """Switchboard to registrar: a REGISTER that carries credentials. They have not been looked at."""

    request: Request
    flow: Flow


@attrs.frozen
class Located:
    """Where a user can be reached now."""

    aor: str
    contacts: tuple[Binding, ...]
    """In the order they should be tried: by preference, then the latest first. Empty: the user is not registered."""


@attrs.frozen
class Locate:
    """Anyone to registrar: where is this user? `aor` as `sip.registration.aor_of` makes it."""

    aor: str
    reply: Reply[Located]


@attrs.frozen
class Evict:
    """Anyone to registrar: end all bindings of this user, whose account was taken away, say."""

    aor: str


@attrs.frozen
class Restore:
    """Supervisor to registrar, before it starts to listen: what users had registered when the last process ended."""

    bindings: tuple[Binding, ...]
    reply: Reply[None]
    """When they are there."""


RegistrarMessage: TypeAlias = RegisterReceived | FlowClosed | Locate | Evict | Restore

__all__ = ["Evict", "FlowClosed", "Locate", "Located", "RegisterReceived", "RegistrarMessage", "Restore"]
