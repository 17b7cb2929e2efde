"""Bytes with a hard limit: what was used longest ago goes first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

K = TypeVar("K")


class ByteCache(Generic[K]):
    """Things with their sizes, in the order of their last use; belongs to one thread."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.total = 0.0
        #: Most that was ever held, for tests and measurements.
        self.peak = 0.0
        self._sizes: OrderedDict[K, float] = OrderedDict()

    def __contains__(self, thing: K) -> bool:
        return thing in self._sizes

    def __iter__(self) -> Iterator[K]:
        return iter(self._sizes)

    def __len__(self) -> int:
        return len(self._sizes)

    def use(self, thing: K) -> None:
        """Note that something is used now."""
        if thing in self._sizes:
            self._sizes.move_to_end(thing)

    def add(self, thing: K, size: float) -> None:
        """Hold something, or note its new size."""
        self.total += size - self._sizes.pop(thing, 0.0)
        self._sizes[thing] = size
        self.peak = max(self.peak, self.total)

    def remove(self, thing: K) -> None:
        """Hold something no longer."""
        self.total -= self._sizes.pop(thing, 0.0)

    def room_for(self, size: float, needed: Callable[[K], bool], drop: Callable[[K], None]) -> bool:
        """Drop what nobody needs, oldest first, until `size` bytes find room; tell whether they do.

        Parameters
        ----------
        needed : callable
            Tells whether something must stay.
        drop : callable
            Lets go of something; it is already taken off the books.
        """
        if self.total + size <= self.limit:
            return True
        for thing in list(self._sizes):
            if needed(thing):
                continue
            self.remove(thing)
            drop(thing)
            if self.total + size <= self.limit:
                return True
        return False
