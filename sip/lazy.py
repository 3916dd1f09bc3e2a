"""`lazy`: a value that an object makes of itself when first asked, and keeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, overload

T = TypeVar("T")


class lazy(Generic[T]):  # noqa: N801 - reads as a decorator, like property
    """`functools.cached_property` without its lock.

    Until Python 3.12 that one takes a lock at every first reading, which costs more than most of the views of a
    message. Here two threads could make the same value twice; nobody shares a message between threads.
    """

    def __init__(self, make: Callable[[Any], T]) -> None:
        self._make = make
        self._name = make.__name__
        self.__doc__ = make.__doc__

    @overload
    def __get__(self, instance: None, owner: type[Any] | None = None) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: type[Any] | None = None) -> T: ...

    def __get__(self, instance: object | None, owner: type[Any] | None = None) -> Self | T:
        if instance is None:
            return self
        # From now on the instance's own attribute is found first, and this is no longer called.
        value = instance.__dict__[self._name] = self._make(instance)
        return value
