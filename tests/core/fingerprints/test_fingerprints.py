"""Every fingerprint: what is saved anew is linked, what is different is not, and the index finds what is near."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from core.benching import RunSettings, read_bench
from core.contamination import PairMarks
from core.fingerprints import FINGERPRINTS, Mark, Marking
from core.fingerprints.__main__ import made_now
from core.fingerprints._shipped import WithShipped, shipped
from core.fingerprints.text import is_telling, words_of
from core.modalities import Limits
from core.nouns import Content, Modality
from tests.core.fingerprints.anew import ANEW, EXAMPLES

MARKING = Marking()
WORDS = st.lists(st.text("abcdefghijklmnop", min_size=1, max_size=9), min_size=30, max_size=80, unique=True)
SIGNS = st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=60)


def text(words: str) -> Mark:
    return MARKING(Content.of_text(words))


def near(one: Mark, other: Mark) -> bool:
    """Linked, and found by the index, either way round."""
    assert one.same(other) == other.same(one)
    if one.same(other):
        assert one.keys & other.keys
    return one.same(other)


def test_every_modality_has_a_fingerprint() -> None:
    assert set(FINGERPRINTS) == {modality.value for modality in Modality}
    for plug in FINGERPRINTS.values():
        assert plug.version >= 1
        assert 0 < plug.threshold < 0.5


@pytest.mark.parametrize("modality", ANEW)
def test_what_is_saved_anew_is_linked_and_what_is_different_is_not(modality: Modality, tmp_path: Path) -> None:
    name, other, save = ANEW[modality]
    own = MARKING(Content.of_file(EXAMPLES / name, modality))
    again = MARKING(Content.of_file(save(EXAMPLES / name, tmp_path), modality))
    assert own.sha256 != again.sha256
    assert own.fingerprint is not None
    assert near(own, again)
    plug = FINGERPRINTS[modality]
    assert plug.distance(own.fingerprint, own.fingerprint) == 0.0
    assert not near(again, MARKING(Content.of_file(EXAMPLES / other, modality)))


def test_another_format_and_a_little_light_leave_a_picture_what_it_is(tmp_path: Path) -> None:
    with Image.open(EXAMPLES / "plush_grass.jpg") as image:
        own = image.convert("RGB")
    own.point(lambda value: min(255, round(value * 1.08))).save(tmp_path / "light.png")
    own.resize((300, 200)).save(tmp_path / "small.webp", quality=50)
    own.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(tmp_path / "mirrored.png")
    mark = MARKING(Content.of_file(EXAMPLES / "plush_grass.jpg", Modality.IMAGE))
    for name, same in (("light.png", True), ("small.webp", True), ("mirrored.png", False)):
        assert near(mark, MARKING(Content.of_file(tmp_path / name, Modality.IMAGE))) is same, name


def flat_picture(path: Path, level: int) -> None:
    Image.fromarray(np.random.default_rng(level).integers(level, level + 2, (90, 120, 3)).astype(np.uint8)).save(path)


def silence(path: Path, level: int) -> None:
    import soundfile

    soundfile.write(path, np.zeros(32_000 + level), 16_000)


@pytest.mark.parametrize(("modality", "make"), [(Modality.IMAGE, flat_picture), (Modality.AUDIO, silence)])
def test_a_fingerprint_that_would_say_nothing_links_nothing(modality: Modality, make: object, tmp_path: Path) -> None:
    suffix = {Modality.IMAGE: ".png", Modality.AUDIO: ".wav"}[modality]
    marks = []
    for level in (0, 3):
        make(tmp_path / f"{level}{suffix}", level)  # type: ignore[operator]
        marks.append(MARKING(Content.of_file(tmp_path / f"{level}{suffix}", modality)))
    assert [mark.fingerprint for mark in marks] == [None, None]
    assert not near(*marks)
    assert near(marks[0], marks[0])


def test_what_cannot_be_read_is_known_by_its_bytes_alone(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    broken = Content.of_file(tmp_path / "a.png", Modality.IMAGE)
    (tmp_path / "a.png").unlink()
    assert MARKING(broken) == Mark(modality=Modality.IMAGE, sha256=broken.sha256)


# -- texts ------------------------------------------------------------------------------------------------------------


def test_case_punctuation_layout_and_width_do_not_count() -> None:
    one = text("Rain taps on the glass; the cat counts every slow drop.")
    assert near(one, text("RAIN TAPS, on the **glass** —\n the cat\tcounts every slow ｄｒｏｐ"))
    assert not near(one, text("Snow lies on the roof and nobody has seen the cat since last night."))


def test_short_texts_are_the_same_word_for_word() -> None:
    assert near(text("Two, a silver one."), text("two a silver ONE"))
    assert not near(text("Two, a silver one."), text("Two, a golden one."))
    assert not is_telling(text("Two, a silver one.").fingerprint)
    assert is_telling(text("what is the red car doing in the clip").fingerprint)
    assert text("… !").fingerprint is None


def test_writing_without_spaces_is_taken_sign_by_sign() -> None:
    assert words_of("猫が好き cats") == ["猫", "が", "好", "き", "cats"]
    assert near(
        text("吾輩は猫である。名前はまだ無い。どこで生れたか見当がつかぬ。"),
        text("吾輩は猫である名前はまだ無いどこで生れたか見当がつかぬ"),
    )


@given(SIGNS, SIGNS)
def test_distances_of_texts_are_symmetric_and_nothing_is_far_from_itself(one: str, other: str) -> None:
    plug = FINGERPRINTS[Modality.TEXT]
    a, b = text(one).fingerprint, text(other).fingerprint
    if a is not None and b is not None:
        assert plug.distance(a, a) == 0.0
        assert 0.0 <= plug.distance(a, b) == plug.distance(b, a) <= 1.0
        assert (plug.distance(a, b) == 0.0) == (a == b)


@settings(max_examples=60, deadline=None)
@given(WORDS, st.data())
def test_a_word_in_thirty_makes_no_other_text(words: list[str], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(words) - 1))
    edited = [*words[:place], "otherwise", *words[place + 1 :]]
    assert near(text(" ".join(words)), text(", ".join(edited).upper()))
    assert not near(text(" ".join(words)), text(" ".join(f"{word}q" for word in words)))


# -- the index --------------------------------------------------------------------------------------------------------


@given(st.binary(min_size=8, max_size=8), st.sets(st.integers(0, 63), max_size=7))
def test_pictures_that_differ_in_seven_bits_are_always_found(bits: bytes, flipped: set[int]) -> None:
    plug = FINGERPRINTS[Modality.IMAGE]
    other = (int.from_bytes(bits) ^ sum(1 << place for place in flipped)).to_bytes(8)
    assert plug.distance(bits, other) == plug.distance(other, bits) == len(flipped) / 64
    assert set(plug.keys(bits)) & set(plug.keys(other))


@given(st.lists(st.integers(0, 20_000), min_size=64, max_size=64), st.lists(st.integers(-30, 30), min_size=64))
def test_shapes_within_the_threshold_are_found(quantiles: list[int], moved: list[int]) -> None:
    plug = FINGERPRINTS[Modality.MESH]
    one = np.array(quantiles, ">u2")
    other = np.clip(np.array(quantiles) + np.array(moved[:64]), 0, None).astype(">u2")
    assert plug.distance(one.tobytes(), other.tobytes()) <= plug.threshold
    assert plug.distance(one.tobytes(), other.tobytes()) == plug.distance(other.tobytes(), one.tobytes())
    assert set(plug.keys(one.tobytes())) & set(plug.keys(other.tobytes()))


@settings(max_examples=40)
@given(st.lists(st.integers(1, 2**32 - 1), min_size=30, max_size=60), st.integers(0, 4))
def test_a_sound_may_begin_a_little_later(words: list[int], later: int) -> None:
    plug = FINGERPRINTS[Modality.AUDIO]
    own, shifted = (np.array([0] * n + words, ">u4").tobytes() for n in (0, later))
    assert plug.distance(own, shifted) == plug.distance(shifted, own) == 0.0
    assert set(plug.keys(own)) & set(plug.keys(shifted))


# -- what is known already --------------------------------------------------------------------------------------------


class Counted(dict[str, bytes]):
    """A cache that says how often something was put into it."""

    puts = 0

    def put(self, key: str, fingerprint: bytes) -> None:
        self.puts += 1
        self[key] = fingerprint


def test_a_file_is_opened_once_however_little_it_says(tmp_path: Path) -> None:
    flat_picture(tmp_path / "flat.png", 9)
    flat = Content.of_file(tmp_path / "flat.png", Modality.IMAGE)
    marking = Marking(Limits(), Counted())
    assert marking.known(flat).fingerprint is None
    first = marking(flat)
    (tmp_path / "flat.png").unlink()
    assert marking(flat) == marking.known(flat) == first
    assert isinstance(marking.cache, Counted)
    assert marking.cache.puts == 1


def test_the_shipped_fingerprints_are_those_of_the_shipped_files() -> None:
    """Where this fails: python -m core.fingerprints"""
    now = made_now()
    assert set(shipped()) == set(now)
    for key, fingerprint in shipped().items():
        plug = FINGERPRINTS[key.partition("/")[0]]
        # the last bits of a decoder may differ from machine to machine
        assert plug.distance(fingerprint, now[key]) <= plug.threshold / 5, key


def test_nobody_opens_a_shipped_file() -> None:
    cache = Counted()
    for item in read_bench(RunSettings(bench="embedded", judge=""), None, Limits()).items:
        PairMarks.of(item.pair, Marking(Limits(), WithShipped(cache)))
    assert cache.puts == 0
