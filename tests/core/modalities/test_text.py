"""Texts: what is refused and how, odd but good inputs, and measures that follow what they name."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from core.errors import BadInput
from core.modalities import MODALITIES, Limits
from tests.core.modalities.writings import CHANGES, ESSAY, HARD, LETTER, TEXTS

PLUG = MODALITIES["text"]
LIMITS = Limits()


def measured(text: str) -> dict[str, float]:
    return PLUG.measure(PLUG.open(text, "answer", LIMITS))


def related(text: str, prompt: str) -> dict[str, float]:
    return PLUG.relate(PLUG.open(text, "answer", LIMITS), prompt, None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\n\t \r\n",
        "\u00a0\u2003",
        "\u200b\u200d\ufeff",
        "\x00",
        "\x00\x01\x02",
        "\ud800",
        "\u202e\u202c",
        "\u0301",
    ],
    ids=ascii,
)
def test_a_text_in_which_nothing_can_be_seen_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match=r"'answer' is empty"):
        PLUG.open(text, "answer", LIMITS)


def test_the_limit_counts_bytes_and_a_file_is_refused() -> None:
    limits = Limits(text_bytes=30)
    assert PLUG.open("a" * 30, "answer", limits).facts["words"] == "1"
    for text in ("a" * 31, "é" * 16, "a" * 5_000_000):
        with pytest.raises(BadInput, match=r"'answer' is too long .*may have up to"):
            PLUG.open(text, "answer", limits)
    with pytest.raises(BadInput, match="as text"):
        PLUG.open(Path("answer.txt"), "answer", LIMITS)


def test_signs_that_cannot_be_read_are_replaced_counted_and_told() -> None:
    found = PLUG.open("a\x00b \ud83d\r\nnext\tline", "answer", LIMITS)
    assert PLUG.parts(found)[0].value == "a\ufffdb \ufffd\nnext\tline"
    assert found.facts["unreadable signs"].startswith("2")
    PLUG.parts(found)[0].value.encode("utf-8")
    assert "unreadable signs" not in PLUG.open("a\tb\nc", "answer", LIMITS).facts
    assert PLUG.measure(found)["unreadable"] > measured("ab next line")["unreadable"]


def test_facts_parts_and_preview(tmp_path: Path) -> None:
    found = PLUG.open("word " * 1312, "answer", LIMITS)
    assert found.facts == {"words": "1,312"}
    assert (found.suffix, PLUG.parts(found)[0].kind) == ("", "text")
    assert PLUG.preview(found, tmp_path) == {}
    assert list(tmp_path.iterdir()) == []


# a pattern that backtracks would need hours for these, and run into the timeout
@pytest.mark.timeout(120)
@pytest.mark.parametrize("what", HARD)
def test_odd_and_huge_texts_are_measured_with_finite_known_values(what: str) -> None:
    found = PLUG.open(HARD[what], "answer", LIMITS)
    known = {measure.name for measure in PLUG.measures}
    for values in (PLUG.measure(found), PLUG.relate(found, HARD[what], None), PLUG.relate(found, ESSAY, None)):
        assert set(values) <= known
        assert all(math.isfinite(value) for value in values.values())
    assert PLUG.measure(found)["length"] >= 0


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("which", range(len(TEXTS)))
def test_a_measure_follows_the_change_it_names(name: str, which: int) -> None:
    change, strengths, sign = CHANGES[name]
    values = [measured(change(TEXTS[which], strength))[name] for strength in strengths]
    steps = np.diff(values) * sign
    assert (steps > -1e-9).all(), values
    assert steps.sum() > 1e-3, values


def test_every_measure_is_named_once_tested_and_given_for_an_ordinary_text() -> None:
    names = [measure.name for measure in PLUG.measures]
    assert len(set(names)) == len(names)
    own = {measure.name for measure in PLUG.measures if not measure.relative}
    assert len(own) >= 35
    # what has no controlled change here is covered by name below
    assert own - set(CHANGES) <= {"sentence_rhythm", "paragraph_length"}
    assert own <= set(measured(ESSAY))
    assert all(measure.more and measure.less and measure.more != measure.less for measure in PLUG.measures)


def test_rhythm_and_paragraph_length() -> None:
    even, uneven = "One two three. One two four.", "One. Two three four five six seven eight nine."
    assert measured(uneven)["sentence_rhythm"] > measured(even)["sentence_rhythm"] == 0
    assert measured(ESSAY.replace("\n\n", " "))["paragraph_length"] > measured(ESSAY)["paragraph_length"]


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Dr. Smith paid 3.50 to J. Doe, i.e. less. He left.", 2),
        ('She said "Stop!" and ran. Why? Nobody knows…', 3),
        ("1. First thing\n2. Second thing", 2),
        ("A line that\ngoes on. Then another.", 2),
        ("第一句。第二句！", 2),
        ("no end at all", 1),
    ],
)
def test_sentences_are_told_apart(text: str, sentences: int) -> None:
    assert measured(text)["sentences"] == pytest.approx(math.log2(1 + sentences))


@pytest.mark.parametrize(
    "text",
    [
        "An hour ago a European user met an honest man at a university, an urban unit and an MBA student.",
        "Does he have it? Let it go and make it work. If it were so, I would go.",
        "She had had enough. It was very, very good, and that that was clear.",
        "Elizabeth visited Paris with Dostoevsky's niece in September.",
        "The biodegradable superconductors outperformed their counterparts; well-known and up-to-date.",
    ],
)
def test_good_english_shows_no_slips(text: str) -> None:
    values = measured(text)
    for name in ("article_slips", "grammar_slips", "doubled_words", "unknown_words", "small_starts"):
        assert values[name] == 0, name


def test_what_needs_english_is_left_out_elsewhere() -> None:
    german = measured(
        "Das Brot wird seit Jahrtausenden gebacken, und die Art hat sich kaum verändert. Es ist sehr gut."
    )
    assert "unknown_words" not in german
    assert "reading_ease" not in german
    assert {"length", "sentences", "finished", "vocabulary"} <= set(german)
    # English with many mistakes is still English
    assert measured("thsi txet haz mnay misteaks and badd spelin evrywere")["unknown_words"] > 3


def test_an_answer_is_measured_against_its_prompt() -> None:
    prompt = "How do bakers make bread with yeast, and why does the dough rise in 24 hours at Miller's?"
    on, off = related(ESSAY, prompt), related(LETTER, prompt)
    for name in ("prompt_coverage", "topic_match", "supported_share"):
        assert on[name] > off[name], name
    assert on["novelty"] < off["novelty"]
    copy = related(prompt, prompt)
    assert copy["copying"] > on["copying"]
    assert copy["copied_share"] == 1
    assert copy["prompt_coverage"] == pytest.approx(1)
    assert copy["novelty"] == 0
    assert related("It takes 24 hours.", prompt)["numbers_kept"] == 1 > related("It takes 12.", prompt)["numbers_kept"]
    assert related("Ask at Miller.", prompt)["names_kept"] == 1 > related("Ask Jones.", prompt)["names_kept"]
    assert related("So said Robert in 1999.", prompt)["unsupported"] > related("It rises.", prompt)["unsupported"]
    assert related("word", "") == related("word", " \n") == {}


def test_the_longest_copied_run_is_counted_in_words() -> None:
    prompt = "one two three four five six seven"
    assert related("zero two three four nine", prompt)["copying"] == pytest.approx(math.log2(4))
    assert related("zero nine", prompt)["copying"] == 0
    words = [f"w{number}" for number in range(40)]
    for length in (1, 2, 3, 4, 5, 7, 8, 15, 31, 40):
        answer = ["new", *words[40 - length :], "new", *words[:length:2]]
        assert related(" ".join(answer), " ".join(words))["copying"] == pytest.approx(math.log2(1 + length))


def test_the_language_of_the_prompt_or_the_one_it_asks_for() -> None:
    german = "Das ist ein gutes Brot, und es wird mit der Hefe gebacken."
    english = "That is a good bread, and it is made with the yeast."
    asked = "Translate this to German: the bread is good and it is made with yeast."
    assert related(german, asked)["asked_language"] > related(english, asked)["asked_language"]
    question = "What is the best way to make a bread that is good?"
    assert related(english, question)["language_match"] > related(german, question)["language_match"]
    assert related("это хлеб", question)["language_match"] == 0


def test_the_form_and_the_number_that_the_prompt_asks_for() -> None:
    assert related("Yes, it does.", "Does yeast need sugar?")["question_answered"] == 1
    assert related("Yeast lives in many places.", "Does yeast need sugar?")["question_answered"] == 0
    items = "- flour\n- salt\n- yeast"
    assert related(items, "Give me 3 tips for bread.")["count_kept"] == 1
    assert related(items, "Give me 3 tips for bread.")["count_kept"] > related(items, "Give me 9 tips.")["count_kept"]
    assert related("Short one.", "Answer in at most 20 words.")["count_kept"] == 1
    assert related("word " * 60, "Answer in at most 20 words.")["count_kept"] < 0.5
