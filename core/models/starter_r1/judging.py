"""The trained judge: briefs in, records out; greedy, batched, and always readable."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedTokenizerFast, Qwen3ForCausalLM

from core.models.starter_r1.brief import Brief, prompt_of
from core.models.starter_r1.constraint import Grammar, OnlyRecords
from core.models.starter_r1.model import read_model
from core.models.verdicts import read_verdict
from core.nouns import Failure, FailureKind

BATCH = 32  # briefs in one pass; a step costs about the same for one as for four


class R1:
    """A generative judge of briefs. Safe to share between threads: nothing changes while it writes."""

    def __init__(self, model: Qwen3ForCausalLM, tokenizer: PreTrainedTokenizerFast) -> None:
        self.model, self.tokenizer = model, tokenizer
        self.grammar = Grammar(tokenizer, model.config.longest_reason)

    @classmethod
    def read(cls, folder: Path) -> R1:
        """The judge in a folder that training wrote. Raises JudgeFailed where there is none."""
        return cls(*read_model(folder))

    def judge(self, briefs: Sequence[Brief]) -> list[str | Failure]:
        """One record a brief, in order, each readable by `read_verdict`; a sheet that is too long is a failure."""
        prompts = [prompt_of(brief) for brief in briefs]
        lengths = [len(ids) for ids in self.tokenizer(prompts)["input_ids"]] if prompts else []
        room = self.model.config.max_position_embeddings - self.grammar.steps
        answers: dict[int, str | Failure] = {
            place: Failure(
                kind=FailureKind.ERROR, message=f"The evidence sheet has {length} tokens; {room} can be read."
            )
            for place, length in enumerate(lengths)
            if length > room
        }
        # alike lengths together, so that little is padded
        ready = sorted((place for place in range(len(prompts)) if place not in answers), key=lambda p: lengths[p])
        for places in _batches(ready):
            texts = self._write([prompts[place] for place in places])
            answers |= {place: _readable(text) for place, text in zip(places, texts, strict=True)}
        return [answers[place] for place in range(len(prompts))]

    def _write(self, prompts: list[str]) -> list[str]:
        asked = self.tokenizer(prompts, return_tensors="pt", padding=True)
        model: Any = self.model
        with torch.inference_mode():
            written = model.generate(
                input_ids=asked["input_ids"],
                attention_mask=asked["attention_mask"],
                max_new_tokens=self.grammar.steps,
                do_sample=False,
                use_cache=True,
                logits_processor=[OnlyRecords(self.grammar)],
            )
        return self.tokenizer.batch_decode(written[:, asked["input_ids"].shape[1] :], skip_special_tokens=True)


def _batches(places: list[int]) -> Iterator[list[int]]:
    for start in range(0, len(places), BATCH):
        yield places[start : start + BATCH]


def _readable(text: str) -> str | Failure:
    reading = read_verdict(text, ties=True)
    return reading if isinstance(reading, Failure) else text
