"""The wishes are complete, balanced and disjoint, and the loader refuses a file that is not."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from core.models.starter.changes import CHANGES, DIRECTIONS
from core.models.starter.wishes import SPLITS, Splits, Wish, Wishes, frames, load, plain, rated, unaskable
from core.nouns import Modality

LEAST = {"train": 180, "choose": 5, "test": 12}
LEAST_HELD_OUT = {"train": 14, "choose": 5, "test": 12}
LEAST_UNASKABLE = {"train": 500, "choose": 60, "test": 60}


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


# words that say little; a wording stripped of them is what it says
LITTLE = frozenset(plain("""
    a an the of to and or is are be it i me my for in on at that this with one please want prefer which whichever give
""").split())  # fmt: skip


def told(wording: str) -> frozenset[str]:
    """What a wording says, without the words that say little and their order."""
    return frozenset(plain(wording).split()) - LITTLE


@pytest.mark.parametrize("modality", Modality)
def test_no_test_wording_is_a_training_wording_in_another_order(modality):
    wishes = load(modality)
    learned = {told(w) for a in wishes.attributes for d in DIRECTIONS for w in wishes.of(a, d, "train")}
    tested = [w for a in wishes.attributes for d in DIRECTIONS for w in wishes.of(a, d, "test")]
    assert [wording for wording in tested if told(wording) in learned] == []


def test_frames_ask_and_refuse_in_many_ways():
    found = frames()
    assert min(len(found.asking.train), len(found.refusing.train)) >= 120
    assert min(len(found.asking.test), len(found.refusing.test)) >= 8
    assert len(found.general.more.train) == len(found.general.less.train) >= 120
    for frame in (*found.asking.test, *found.refusing.test):
        assert "{w}" in frame


@pytest.mark.parametrize("modality", Modality)
def test_what_people_rated_has_both_ends(modality):
    for name, wish in rated(modality).items():
        assert name not in load(modality).attributes
        assert len(wish.more.train) == len(wish.less.train) >= 8


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
