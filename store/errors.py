"""What can go wrong with a store, by what follows from it."""

from __future__ import annotations


class StoreError(Exception):
    """The store did not do what it was asked; its text is one line for an operator."""


class StoreUnusable(StoreError):
    """The store cannot be opened, and will not open by waiting: says what is wrong with it and what to do."""

    def __init__(self, what: str, wrong: str, remedy: str) -> None:
        super().__init__(f"{what}: {wrong}; {remedy}")
        self.wrong = wrong
        self.remedy = remedy


class StoreUnavailable(StoreError):
    """Not now: the disk is full, or somebody else holds the lock. The same request may succeed later."""


class RecordRefused(StoreError):
    """The store will never take this record. None of those written together with it was."""
