"""Whatever the weights are, exactly one readable record comes out; and the tokens that it is made of."""

from __future__ import annotations

import random

import pytest
import torch
from transformers import PreTrainedTokenizerFast, Qwen3ForCausalLM

from core.models.starter_r1.brief import prompt_of
from core.models.starter_r1.constraint import Grammar, OnlyRecords, Walk
from core.models.starter_r1.model import new_model
from core.models.starter_r1.recipe import Shape
from core.models.starter_r1.records import record_of
from core.models.starter_r1.skeleton import PIECES, Record, parts_of
from core.models.starter_r1.tokens import END, learn_tokens
from core.models.verdicts import Reading, read_verdict
from tests.core.models.starter_r1.made_up import made_up

BRIEFS = made_up(120, 8)
TEXTS = [prompt_of(brief) + record_of(brief, random.Random(8), 0.1).text for brief in BRIEFS]
LONGEST = 200  # tokens of a reason; enough for every target record
TINY = Shape(hidden_size=32, intermediate_size=48, layers=1, heads=2, key_value_heads=1)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerFast:
    return learn_tokens(TEXTS, 700)


@pytest.fixture(scope="module")
def grammar(tokenizer: PreTrainedTokenizerFast) -> Grammar:
    return Grammar(tokenizer, LONGEST)


@pytest.fixture(scope="module")
def untrained(tokenizer: PreTrainedTokenizerFast) -> Qwen3ForCausalLM:
    return new_model(TINY, tokenizer, seed=1).eval()


@pytest.mark.parametrize("sampled", [False, True])
def test_an_untrained_model_writes_only_records(
    tokenizer: PreTrainedTokenizerFast, grammar: Grammar, untrained: Qwen3ForCausalLM, sampled: bool
) -> None:
    torch.manual_seed(3)
    prompts = [prompt_of(brief) for brief in BRIEFS[: 24 if sampled else 4]]
    asked = tokenizer(prompts, return_tensors="pt", padding=True)
    hot = {"do_sample": True, "temperature": 3.0} if sampled else {"do_sample": False}
    written = untrained.generate(**asked, max_new_tokens=grammar.steps, logits_processor=[OnlyRecords(grammar)], **hot)
    texts = tokenizer.batch_decode(written[:, asked["input_ids"].shape[1] :], skip_special_tokens=True)
    assert len(texts) == len(prompts)
    for text in texts:
        record = parts_of(text)
        assert record is not None, text
        reading = read_verdict(text, ties=True)
        assert isinstance(reading, Reading)
        assert reading.preference is record.preference
        assert all(reason.strip() for reason in record.reasons)


def write(grammar: Grammar, tokenizer: PreTrainedTokenizerFast, seed: int, patient: bool) -> str:
    """A record of tokens chosen by chance among the allowed; patient: no reason is ended before it must be."""
    rng, walk, tokens = random.Random(seed), Walk(grammar), []
    pieces = {grammar.closer(number) for number in range(5)}
    for _ in range(grammar.steps + 1):
        allowed = walk.allowed().nonzero().flatten().tolist()
        free = [token for token in allowed if token not in pieces] if patient else allowed
        closing = [token for token in allowed if token in pieces]
        token = rng.choice(closing) if closing and not patient and rng.random() < 0.2 else rng.choice(free or allowed)
        if token == grammar.end:
            return tokenizer.decode(tokens)
        tokens.append(token)
        walk.step(token)
    raise AssertionError("the record does not end")


@pytest.mark.parametrize("seed", range(60))
def test_every_walk_through_the_grammar_is_a_record(
    grammar: Grammar, tokenizer: PreTrainedTokenizerFast, seed: int
) -> None:
    text = write(grammar, tokenizer, seed, patient=False)
    assert parts_of(text) is not None, text
    assert isinstance(read_verdict(text, ties=True), Reading), text


def test_a_reason_that_runs_on_is_ended_in_time(grammar: Grammar, tokenizer: PreTrainedTokenizerFast) -> None:
    record = parts_of(write(grammar, tokenizer, 1, patient=True))
    assert record is not None
    assert all(len(reason) >= LONGEST for reason in record.reasons)


@pytest.mark.parametrize("score_b", range(11))
@pytest.mark.parametrize("score_a", range(11))
def test_the_grammar_accepts_every_score_with_its_verdict_and_no_other(
    grammar: Grammar, tokenizer: PreTrainedTokenizerFast, score_a: int, score_b: int
) -> None:
    text = Record(reasons=("x",) * 5, score_a=score_a, score_b=score_b).text
    walk = Walk(grammar)
    for token in [*tokenizer(text)["input_ids"], grammar.end]:
        allowed = walk.allowed()
        assert allowed[token], tokenizer.decode([token])
        if token in grammar.endings.values():
            assert int(allowed[list(grammar.endings.values())].sum()) == 1
        walk.step(token)


def test_every_target_record_is_within_the_grammar(grammar: Grammar, tokenizer: PreTrainedTokenizerFast) -> None:
    rng = random.Random(9)
    for brief in BRIEFS:
        walk = Walk(grammar)
        for token in tokenizer(record_of(brief, rng, 0.1).text)["input_ids"]:
            assert walk.allowed()[token]
            walk.step(token)
        assert walk.allowed().nonzero().flatten().tolist() == [grammar.end]


def test_signs_that_were_never_learned_can_be_written_and_only_whole(
    grammar: Grammar, tokenizer: PreTrainedTokenizerFast
) -> None:
    for reason in ("日本 ½ 🙂", "é", "log₂ √share −1 ΔE"):
        walk = Walk(grammar)
        for token in tokenizer(Record(reasons=(reason,) * 5, score_a=1, score_b=10).text)["input_ids"]:
            assert walk.allowed()[token]
            walk.step(token)
    walk = Walk(grammar)
    begun = tokenizer("日")["input_ids"]
    assert len(begun) == 3
    for token in (grammar.openers[0], *begun[:2]):
        walk.step(token)
    assert not walk.allowed()[grammar.openers[1]]
    assert walk.allowed()[begun[2]]


def test_a_constraint_is_not_used_twice(grammar: Grammar) -> None:
    constraint = OnlyRecords(grammar)
    constraint(torch.zeros(2, 5, dtype=torch.long), torch.zeros(2, grammar.vocabulary))
    with pytest.raises(ValueError, match="make a new one"):
        constraint(torch.zeros(3, 5, dtype=torch.long), torch.zeros(3, grammar.vocabulary))


def test_tokens_write_any_text_back(tokenizer: PreTrainedTokenizerFast, tmp_path: object) -> None:
    for text in [*TEXTS[:20], "naïve café 日本語 🙂\t\n", " leading", "log₂ −1.25 √share"]:
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    tokenizer.save_pretrained(tmp_path)
    again = PreTrainedTokenizerFast.from_pretrained(tmp_path)
    assert [again(text)["input_ids"] for text in TEXTS] == [tokenizer(text)["input_ids"] for text in TEXTS]


def test_digits_and_pieces_are_single_tokens(tokenizer: PreTrainedTokenizerFast) -> None:
    assert len(tokenizer) <= 700
    assert [tokenizer.decode([token]) for token in tokenizer("1905.37")["input_ids"]] == list("1905.37")
    for piece in PIECES:
        assert len(tokenizer(piece)["input_ids"]) == 1
        assert tokenizer.decode(tokenizer(piece)["input_ids"], skip_special_tokens=True) == piece
    assert tokenizer.decode(tokenizer(END)["input_ids"], skip_special_tokens=True) == ""
