"""What stands beside a model while it writes: chance, constraint, and who listens. Importing this imports torch."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any

import torch
from torch import Tensor
from transformers import LogitsProcessor
from transformers.generation.streamers import BaseStreamer

from core.aloud import Pace


def seed_of(seed: int, number: int, input_ids: Tensor) -> int:
    """The seed of one answer: its number among the samples of its prompt, whoever else is asked beside it."""
    data = f"{seed} {number} ".encode() + input_ids.cpu().to(torch.int64).numpy().tobytes()
    return int.from_bytes(hashlib.sha256(data).digest()[:7], "big")


class Drawn(LogitsProcessor):
    """Sampling as greedy search over logits / temperature + Gumbel noise, which draws from their softmax exactly.

    (The Gumbel-max trick; Gumbel 1954, Maddison et al. 2014, arXiv 1411.0030.) Each row has a generator of its own, so
    that what is drawn depends neither on the batch nor on the device, and the program's own chance is left alone.
    """

    def __init__(self, seeds: Sequence[int], temperature: float) -> None:
        self.temperature = temperature
        self._rows = [torch.Generator().manual_seed(seed) for seed in seeds]

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """`scores` (batch, vocabulary) of the next token, with their noise."""
        uniform = torch.stack([torch.rand(scores.shape[1], generator=row) for row in self._rows])
        noise = -torch.log(-torch.log(uniform.clamp_min(torch.finfo(uniform.dtype).tiny)))
        return scores.float() / self.temperature + noise.to(scores.device)


class Forced(LogitsProcessor):
    """Every row has to write the ending that it is given; `likelihoods` are its log probabilities, in nats."""

    def __init__(self, endings: Sequence[Sequence[int]]) -> None:
        self.endings, self.likelihoods, self._step = endings, [0.0] * len(endings), 0

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """`scores` (batch, vocabulary) with only the next token of each ending left; anything after its end."""
        log_probabilities = scores.float().log_softmax(dim=-1)
        only = torch.full_like(scores, float("-inf"))
        for row, ending in enumerate(self.endings):
            token = ending[min(self._step, len(ending) - 1)]
            only[row, token] = 0.0
            if self._step < len(ending):
                self.likelihoods[row] += float(log_probabilities[row, token])
        self._step += 1
        return only


class Told(BaseStreamer):
    """Tells what a model has written so far in some rows of a batch, now and then and at the end.

    `rows` says which, and whom to tell of each; `stops` are the tokens that end an answer. What one of them raises
    ends the writing of the whole batch.
    """

    def __init__(
        self, tokenizer: Any, rows: Mapping[int, Callable[[str], None]], stops: Set[int], pace: Pace | None = None
    ) -> None:
        self._tokenizer, self._rows, self._stops, self._pace = tokenizer, rows, stops, pace or Pace()
        self._written: dict[int, list[int]] = {row: [] for row in rows}
        self._told = dict.fromkeys(rows, "")
        self._ended: set[int] = set()
        self._prompted = False

    def put(self, value: Tensor) -> None:
        """First the prompts (batch, length), which nobody wants to hear; then the next token of every row (batch)."""
        if not self._prompted:
            self._prompted = True
            return
        for row, token in enumerate(value.reshape(-1).tolist()):
            if token in self._stops:
                self._ended.add(row)
            elif row in self._rows and row not in self._ended:
                self._written[row].append(token)
        if self._pace.due():
            self._tell()

    def end(self) -> None:
        self._tell()

    def _tell(self) -> None:
        for row, tell in self._rows.items():
            # a letter of which a part is still to come reads as a replacement sign
            text = self._tokenizer.decode(self._written[row], skip_special_tokens=True).rstrip("\ufffd")
            if text != self._told[row]:
                self._told[row] = text
                tell(text)
