"""A fair line: callers take turns, whatever each has brought, and each caller's own items keep their order."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from itertools import chain
from typing import Generic, TypeVar

Item = TypeVar("Item")


class FairLine(Generic[Item]):
    """Items of several callers, served round robin: one of each in turn. A newcomer stands behind all who wait.

    So somebody with one item waits for at most one item of each other caller. Not safe for several threads by itself.
    """

    def __init__(self) -> None:
        self._rows: OrderedDict[Hashable, deque[Item]] = OrderedDict()  # whose turn is next stands first

    def __len__(self) -> int:
        return sum(len(row) for row in self._rows.values())

    def __iter__(self) -> Iterator[Item]:
        """All items, caller by caller."""
        return chain.from_iterable(self._rows.values())

    def add(self, caller: Hashable, items: Iterable[Item]) -> None:
        """Put items behind the caller's own; a caller who has none in the line yet comes after all others."""
        row = deque(items)
        if row:
            self._rows.setdefault(caller, deque()).extend(row)

    def take(self, most: int, together: Callable[[Item, Item], bool] = lambda first, other: True) -> list[Item]:
        """The next items in fair order, at most `most`; it ends before one that may not go `together` with the first.

        Nothing is jumped over, so that nobody is overtaken by who came later.
        """
        taken: list[Item] = []
        while self._rows and len(taken) < most:
            caller, row = next(iter(self._rows.items()))
            if taken and not together(taken[0], row[0]):
                break
            taken.append(row.popleft())
            if row:
                self._rows.move_to_end(caller)
            else:
                del self._rows[caller]
        return taken

    def drop(self, caller: Hashable, unwanted: Callable[[Item], bool] = lambda item: True) -> list[Item]:
        """Take the caller's unwanted items out of the line; what is left keeps its place."""
        row = self._rows.get(caller, deque())
        dropped = [item for item in row if unwanted(item)]
        kept = deque(item for item in row if not unwanted(item))
        if kept:
            self._rows[caller] = kept
        else:
            self._rows.pop(caller, None)
        return dropped

    def clear(self) -> list[Item]:
        """Empty the line; what was in it, in fair order."""
        return self.take(len(self))

    def ahead(self, caller: Hashable, own: int = 0) -> int:
        """How many items go before the caller's item that has `own` of the same caller before it.

        With no `own` before it this never rises, whoever comes: newcomers stand behind.
        """
        before, count = True, own
        for other, row in self._rows.items():
            if other == caller:
                before = False
            else:
                count += min(len(row), own + 1 if before else own)
        return count

    def own_before(self, caller: Hashable, wanted: Callable[[Item], bool]) -> int | None:
        """How many of the caller's own items stand before its first wanted one; None where it has none."""
        return next((place for place, item in enumerate(self._rows.get(caller, ())) if wanted(item)), None)
