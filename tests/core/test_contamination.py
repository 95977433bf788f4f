"""When a pair is an item of a bench: one rule, whatever the order of the responses."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.benches import BenchItem
from core.contamination import BenchIndex, Buckets, Relation, contaminated
from core.fingerprints import Marking
from core.formats import LabelledPair
from core.nouns import Content, ItemName, Modality, Preference, PreferencePair, Response, Task
from tests.core.fingerprints.anew import EXAMPLES, small_jpeg

LONG = "Which of these two answers explains best why the sky is blue?"
SKY = "Air scatters blue light far more than red light, so blue reaches us from all sides."
SEA = "The sky is blue because it mirrors the sea, as anybody on a beach can tell you."
DUST = "Tiny specks of dust in the upper air are blue and colour all the light that passes."
OTHER = "I would rather not say, but you may look it up in any book about the weather."
ITEM = ItemName(bench="made_up", key="sky-1")


def pair(first: str, second: str, prompt: str = LONG, context: Path | None = None) -> PreferencePair:
    return PreferencePair(
        task=Task.TI2T if context else Task.T2T,
        prompt=prompt,
        context=Content.of_file(context, Modality.IMAGE) if context else None,
        first=Response(content=Content.of_text(first)),
        second=Response(content=Content.of_text(second)),
    )


def index(*pairs: PreferencePair) -> BenchIndex:
    items = [
        BenchItem(key=f"sky-{n}", subset="t2t", pair=one, criterion=None, label=Preference.FIRST)
        for n, one in enumerate(pairs, 1)
    ]
    return BenchIndex((("made_up", item) for item in items), Marking())


def found(row: PreferencePair, *items: PreferencePair) -> list[Relation]:
    return [how for _, how in index(*items).of(row)]


@pytest.mark.parametrize(
    ("row", "how"),
    [
        (pair(SKY, SEA), Relation.RESPONSES),
        (pair(SEA, SKY), Relation.RESPONSES),
        (pair(SEA.upper(), SKY.replace(",", ""), prompt=""), Relation.RESPONSES),
        (pair(SKY, SEA, prompt="Something else was asked here, of nobody in particular."), Relation.RESPONSES),
        (pair(SKY, DUST), Relation.PROMPT_AND_RESPONSE),
        (pair(DUST, SKY, prompt=LONG.lower()), Relation.PROMPT_AND_RESPONSE),
        (pair(DUST, OTHER), Relation.PROMPT),
        (pair(SKY, DUST, prompt="Why?"), None),
        (pair(SKY, SKY), Relation.PROMPT_AND_RESPONSE),
        (pair(DUST, OTHER, prompt="Why?"), None),
    ],
)
def test_the_rule(row: PreferencePair, how: Relation | None) -> None:
    assert found(row, pair(SKY, SEA)) == ([how] if how else [])


def test_short_answers_say_nothing_without_their_prompt() -> None:
    item = pair("Yes.", "No.", prompt="Is it raining?")
    assert found(pair("no", "yes", prompt="Is it snowing?"), item) == []
    assert found(pair("no", "yes", prompt="is it raining"), item) == [Relation.RESPONSES]
    assert found(pair("no", "yes", prompt=""), pair("Yes.", "No.", prompt="")) == []
    assert found(pair("no", "never", prompt="is it raining"), item) == []


def test_a_prompt_is_its_text_and_its_context(tmp_path: Path) -> None:
    cat, dog = EXAMPLES / "cat.jpg", EXAMPLES / "dog_shore.jpg"
    item = pair(SKY, SEA, "Which animal is this?", cat)
    again = small_jpeg(cat, tmp_path)
    assert found(pair(SKY, DUST, "which animal is this", again), item) == [Relation.PROMPT_AND_RESPONSE]
    assert found(pair(OTHER, DUST, "which animal is this", again), item) == [Relation.PROMPT]
    assert found(pair(SKY, DUST, "Which animal is this?", dog), item) == []
    assert found(pair(SKY, DUST, LONG), pair(SKY, SEA, LONG, cat)) == []


def test_rows_are_linked_to_every_item_that_they_are() -> None:
    benches = index(pair(SKY, SEA), pair(SKY, SEA), pair(SKY, DUST, prompt="Why?"))
    assert len(benches) == 3
    rows = [LabelledPair(line=n, pair=one) for n, one in enumerate((pair(OTHER, DUST, "Why?"), pair(SEA, SKY)))]
    links = contaminated(rows, benches)
    assert [(link.place, link.item.key, link.relation.contaminates) for link in links] == [
        (1, "sky-1", True),
        (1, "sky-2", True),
    ]


def test_what_a_pair_was_found_to_be_when_it_came_stays_so() -> None:
    row = LabelledPair(line=1, pair=pair(OTHER, DUST, "Why?"), bench_item=ITEM)
    [link] = contaminated([row], index())
    assert (link.item, link.relation, link.relation.contaminates) == (ITEM, Relation.TOLD, True)
    known = row.model_copy(update={"pair": pair(SKY, SEA)})
    assert [link.relation for link in contaminated([known], index(pair(SKY, SEA)))] == [Relation.RESPONSES]


def test_buckets_give_every_place_once_and_in_order() -> None:
    buckets = Buckets([("a", 2), ("b", 1), ("a", 0), ("c", 0)])
    assert buckets.near(["a", "c", "x"]) == [0, 2]
    assert Buckets([]).near(["a"]) == []
    assert buckets.near([]) == []
