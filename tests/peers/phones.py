"""What a test asks of a phone, whoever made it."""

from __future__ import annotations

from typing import Protocol

from .sound import Samples


class Phone(Protocol):
    """A registered phone with one call."""

    async def calls(self, address: str) -> None: ...

    async def rings(self) -> None: ...

    async def answers(self) -> None: ...

    async def talks(self) -> None:
        """Wait until its call is answered and audio may flow."""

    async def presses(self, key: str) -> None: ...

    async def has_heard_keys(self, count: int) -> str:
        """Wait until so many keys have come from the other side; all that have."""
        ...

    async def holds(self) -> None:
        """Put the call on hold; done when the other side has agreed."""

    async def resumes(self) -> None:
        """Take the call back, likewise."""

    async def hangs_up(self) -> None: ...

    async def is_over(self) -> None: ...

    def trace(self) -> str:
        """Every SIP message that came or went, in the words of its log."""
        ...

    def heard(self) -> Samples:
        """All that it has heard; whole once it has quit."""
        ...
