"""The wishes are complete, balanced and disjoint, and the loader refuses a file that is not."""

from __future__ import annotations

import re

import pytest
from pydantic import ValidationError

from core.models.starter.changes import CHANGES, DIRECTIONS
from core.models.starter.wishes import SPLITS, Splits, Wish, Wishes, load, plain, unaskable
from core.nouns import Modality

LEAST = {"train": 24, "choose": 6, "test": 10}
LEAST_HELD_OUT = {"train": 14, "choose": 6, "test": 9}
LEAST_UNASKABLE = {"train": 120, "choose": 30, "test": 60}


def every(modality: Modality) -> list[tuple[str, str, str, str]]:
    wishes = load(modality)
    return [
        (attribute, direction, split, wording)
        for attribute in wishes.attributes
        for direction in DIRECTIONS
        for split in SPLITS
        for wording in wishes.of(attribute, direction, split)
    ]


@pytest.mark.parametrize("modality", Modality)
def test_every_attribute_is_wished_for_both_ways_often_enough(modality):
    wishes, table = load(modality), CHANGES[modality]
    assert set(wishes.attributes) == {attribute.name for attribute in table.attributes}
    for attribute in table.attributes:
        least = LEAST_HELD_OUT if attribute.held_out else LEAST
        for direction in DIRECTIONS:
            for split in SPLITS:
                assert len(wishes.of(attribute.name, direction, split)) >= least[split], (attribute.name, direction)


@pytest.mark.parametrize("modality", Modality)
def test_no_wording_appears_twice_and_none_is_both_askable_and_not(modality):
    wordings = [plain(wording) for *_, wording in every(modality)]
    assert len(set(wordings)) == len(wordings)
    beyond = {plain(wording) for split in SPLITS for wording in unaskable(modality)[split]}
    assert not beyond & set(wordings)


@pytest.mark.parametrize("modality", Modality)
def test_wordings_are_of_the_length_that_people_write(modality):
    for attribute, direction, _, wording in every(modality):
        assert 1 <= len(wording.split()) <= 22, (attribute, direction, wording)


@pytest.mark.parametrize("modality", Modality)
def test_test_wordings_share_few_words_with_training(modality):
    wishes = load(modality)
    for attribute in wishes.attributes:
        for direction in DIRECTIONS:
            train, test = (
                {word for w in wishes.of(attribute, direction, split) for word in re.findall(r"[a-z']{5,}", w.lower())}
                for split in ("train", "test")
            )
            assert len(train & test) <= 0.3 * len(test), (attribute, direction, sorted(train & test))


@pytest.mark.parametrize("modality", Modality)
def test_what_cannot_be_measured_is_listed(modality):
    for split in SPLITS:
        assert len(unaskable(modality)[split]) >= LEAST_UNASKABLE[split]


def splits(**changed: str) -> dict:
    return {"train": "grainy\nnoisy", "choose": "gritty", "test": "speckled"} | changed


def test_a_block_of_text_becomes_one_wording_a_line():
    assert Splits.model_validate(splits(train="  grainy \n\n noisy\n")).train == ("grainy", "noisy")


def test_a_wording_in_two_splits_is_refused():
    with pytest.raises(ValidationError, match="written twice"):
        Splits.model_validate(splits(test="Grainy!"))


def test_an_empty_split_is_refused():
    with pytest.raises(ValidationError):
        Splits.model_validate(splits(choose="\n"))


def test_unequal_directions_are_refused():
    with pytest.raises(ValidationError, match="2 wordings for more, 1 for less"):
        Wish.model_validate({"more": splits(), "less": splits(train="clean", choose="pure", test="spotless")})


def test_wishes_that_leave_an_attribute_out_are_refused():
    wish = load(Modality.IMAGE)["grain"]
    with pytest.raises(ValidationError, match="sharpness"):
        Wishes(modality=Modality.IMAGE, attributes={"grain": wish})
