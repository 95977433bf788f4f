"""Which pairs are items of a bench: what a judge has learned from must not be what it is examined on.

A content counts as the same by its bytes or by its fingerprint (`core.fingerprints`). The rule, in one place, is
`relation`:

- A pair IS an item where both of its responses are the item's, in either order, and more is said than two short
  answers such as "yes" and "no" would say; or where its prompt and one response are the item's.
- A pair SHARES THE PROMPT of an item where only that is the same. Prompts are asked again and again, so that is told
  and nothing more.

A prompt is the same where its text and its context are; it has to be of at least eight words, or have a context. The
criterion does not count: who has learned one wish about an item knows its responses.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from enum import StrEnum

import numpy as np

from core.benches import BenchItem
from core.fingerprints import Mark
from core.fingerprints.text import is_telling
from core.formats import LabelledPair
from core.nouns import Content, ItemName, Modality, Noun, PreferencePair

Marker = Callable[[Content], Mark]
"""How contents are marked: `Marking`, or its `known`, which opens no file."""


class Relation(StrEnum):
    """What a pair has of a bench item."""

    RESPONSES = "both responses"
    PROMPT_AND_RESPONSE = "the prompt and a response"
    TOLD = "what it was found to have when it came"
    PROMPT = "the prompt"

    @property
    def contaminates(self) -> bool:
        return self is not Relation.PROMPT


class Link(Noun):
    """The row at `place` of those that were asked about, and the item that it has something of."""

    place: int
    item: ItemName
    relation: Relation


class PairMarks(Noun):
    """What a pair is recognised by; None where there is no such part."""

    prompt: Mark | None
    context: Mark | None
    first: Mark
    second: Mark

    @classmethod
    def of(cls, pair: PreferencePair, mark: Marker) -> PairMarks:
        return cls(
            prompt=mark(Content.of_text(pair.prompt)) if pair.prompt.strip() else None,
            context=mark(pair.context) if pair.context else None,
            first=mark(pair.first.content),
            second=mark(pair.second.content),
        )

    @property
    def asks(self) -> bool:
        return self.prompt is not None or self.context is not None

    @property
    def says_enough(self) -> bool:
        """Whether both responses together are unlikely to be another pair's by chance."""
        return any(
            one.modality is not Modality.TEXT or is_telling(one.fingerprint) for one in (self.first, self.second)
        )

    @property
    def asks_enough(self) -> bool:
        """Whether the prompt is unlikely to be another pair's by chance."""
        return self.context is not None or (self.prompt is not None and is_telling(self.prompt.fingerprint))


def relation(pair: PairMarks, item: PairMarks) -> Relation | None:
    """What `pair` has of a bench item; None where that is too little to be told."""
    asked = item.asks and _same(pair.prompt, item.prompt) and _same(pair.context, item.context)
    straight = pair.first.same(item.first), pair.second.same(item.second)
    crossed = pair.first.same(item.second), pair.second.same(item.first)
    if (all(straight) or all(crossed)) and (item.says_enough or asked):
        return Relation.RESPONSES
    if not (asked and item.asks_enough):
        return None
    return Relation.PROMPT_AND_RESPONSE if any(straight + crossed) else Relation.PROMPT


def _same(one: Mark | None, other: Mark | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.same(other)


class BenchIndex:
    """The items of benches, to be found by what is near to them.

    Pairs that are asked about are marked as the items are. `unread` names benches that could not be read.
    """

    def __init__(self, items: Iterable[tuple[str, BenchItem]], mark: Marker, unread: Sequence[str] = ()) -> None:
        self.mark = mark
        self._names: list[list[ItemName]] = []
        self._marks: list[PairMarks] = []
        places: dict[tuple[str, ...], int] = {}
        keys: list[tuple[Hashable, int]] = []
        for bench, item in items:
            shown = _shown(item.pair)
            if shown not in places:
                places[shown] = len(places)
                self._names.append([])
                self._marks.append(PairMarks.of(item.pair, mark))
                keys += [(key, places[shown]) for key in _keys(self._marks[-1])]
            # one pair is asked about under several criteria
            self._names[places[shown]].append(ItemName(bench=bench, key=item.key))
        self._buckets = Buckets(keys)
        # what reads the items may find out only now
        self.unread = tuple(unread)

    def __len__(self) -> int:
        return sum(map(len, self._names))

    def of(self, pair: PreferencePair) -> list[tuple[ItemName, Relation]]:
        """Every item that a pair has something of."""
        marks = PairMarks.of(pair, self.mark)
        related = ((place, relation(marks, self._marks[place])) for place in self._buckets.near(_keys(marks)))
        return [(name, how) for place, how in related if how is not None for name in self._names[place]]


def _shown(pair: PreferencePair) -> tuple[str, ...]:
    context = pair.context.sha256 if pair.context else ""
    return pair.prompt, context, pair.first.content.sha256, pair.second.content.sha256


class Buckets:
    """Places by key, in two sorted arrays: a few bytes an entry, a binary search a key."""

    def __init__(self, entries: Sequence[tuple[Hashable, int]]) -> None:
        # the hashes hold in this process only, and so does this
        hashes = np.array([hash(key) for key, _ in entries], np.int64)
        order = np.argsort(hashes, kind="stable")
        self._hashes = hashes[order]
        self._places = np.array([place for _, place in entries], np.int64)[order]

    def near(self, keys: Iterable[Hashable]) -> list[int]:
        """The places that have one of the keys, in order."""
        wanted = np.array([hash(key) for key in keys], np.int64)
        starts, ends = (np.searchsorted(self._hashes, wanted, side) for side in ("left", "right"))
        found = {int(place) for a, b in zip(starts, ends, strict=True) for place in self._places[a:b]}
        return sorted(found)


def _keys(marks: PairMarks) -> set[Hashable]:
    """By what a pair is looked up. A prompt that says too little finds nothing, nor does a context by itself."""
    own: set[Hashable] = {("response", key) for one in (marks.first, marks.second) for key in one.keys}
    if marks.asks_enough:
        part, mark = ("prompt", marks.prompt) if marks.prompt is not None else ("context", marks.context)
        own |= {(part, key) for key in mark.keys} if mark is not None else set()
    return own


def contaminated(rows: Iterable[LabelledPair], index: BenchIndex) -> list[Link]:
    """What rows have of bench items, in their order, what they merely share included (see `Relation`)."""
    return [link for place, row in enumerate(rows) for link in links_of(place, row, index)]


def links_of(place: int, row: LabelledPair, index: BenchIndex) -> list[Link]:
    """What the row at `place` has of bench items, as of now or as of when it came."""
    found = index.of(row.pair)
    if row.bench_item is not None and not any(name == row.bench_item for name, _ in found):
        found.append((row.bench_item, Relation.TOLD))
    return [Link(place=place, item=name, relation=how) for name, how in found]
