"""A small state machine under generation: whatever the weights are, what comes out is exactly one record.

The pieces of the skeleton are forced, reasons are free text of bounded length without quotes, backslashes, brackets or
control characters, scores are whole numbers 0 to 10, and the verdict is the one that agrees with them.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers import LogitsProcessor, PreTrainedTokenizerFast

from core.models.starter_r1.skeleton import ENDINGS, FORBIDDEN, HIGHEST, OPENERS, SCORE_A, SCORE_B, verdict_of

_REASONS = range(len(OPENERS))
_START, _AWAIT_A, _AFTER_A, _AWAIT_B, _AFTER_B, _ENDED = "start", "a?", "a!", "b?", "b!", "end"


class Grammar:
    """The tokens that may follow each state. Built once for a tokenizer; holds no state of a generation.

    A reason has at most `longest_reason` tokens, and a few more where its last character is not whole by then.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerFast, longest_reason: int) -> None:
        self.longest_reason = longest_reason
        self.vocabulary = len(tokenizer)
        self.end = int(tokenizer.eos_token_id)
        self.openers = [_single(tokenizer, piece) for piece in OPENERS]
        self.score_a, self.score_b = _single(tokenizer, SCORE_A), _single(tokenizer, SCORE_B)
        self.endings = {preference: _single(tokenizer, piece) for preference, piece in ENDINGS.items()}
        self.digits = {_single(tokenizer, str(digit)): digit for digit in range(10)}
        self.zero = _single(tokenizer, "0")
        data = _bytes_of(tokenizer)
        # what a reason's bytes still lack after a token, by what they lacked before it
        self.lacking = [
            {token: after for token, part in data.items() if (after := _lacking(before, part)) is not None}
            for before in range(4)
        ]
        blank = {token for token, part in data.items() if not part.strip()}
        self.first_words = self._mask(*(self.lacking[0].keys() - blank))
        self.words = [self._mask(*self.lacking[0], self.closer(number)) for number in _REASONS]
        self.rests = [self._mask(*after) for after in self.lacking]
        self._single_masks: dict[int, Tensor] = {}
        self.any_digit = self._mask(*self.digits)

    @property
    def steps(self) -> int:
        """Tokens after which every record is complete."""
        return len(self.openers) * (self.longest_reason + 4) + 8

    def closer(self, number: int) -> int:
        """The piece that ends the reason with this number."""
        return self.openers[number + 1] if number + 1 < len(self.openers) else self.score_a

    def _mask(self, *tokens: int) -> Tensor:
        mask = torch.zeros(self.vocabulary, dtype=torch.bool)
        mask[list(tokens)] = True
        return mask

    def only(self, token: int) -> Tensor:
        if token not in self._single_masks:
            self._single_masks[token] = self._mask(token)
        return self._single_masks[token]

    def either(self, piece: int) -> Tensor:
        """After a 1: a 0, which makes it ten, or the next piece."""
        key = -1 - piece
        if key not in self._single_masks:
            self._single_masks[key] = self._mask(self.zero, piece)
        return self._single_masks[key]


class Walk:
    """Where one record stands while it is written, token by token."""

    def __init__(self, grammar: Grammar) -> None:
        self.grammar = grammar
        self.reason: int | None = None
        self.length = 0
        self.lacks = 0  # bytes that the reason's last character lacks
        self.state = _START
        self.scores = [0, 0]

    def allowed(self) -> Tensor:
        """The tokens that may come next, bool [vocabulary]."""
        grammar = self.grammar
        if self.reason is not None:
            if self.length == 0:
                return grammar.first_words
            if self.lacks:
                return grammar.rests[self.lacks]
            if self.length >= grammar.longest_reason:
                return grammar.only(grammar.closer(self.reason))
            return grammar.words[self.reason]
        if self.state in (_AWAIT_A, _AWAIT_B):
            return grammar.any_digit
        if self.state in (_AFTER_A, _AFTER_B):
            first = self.state == _AFTER_A
            piece = grammar.score_b if first else grammar.endings[verdict_of(*self.scores)]
            if self.scores[0 if first else 1] == 1:
                return grammar.either(piece)
            return grammar.only(piece)
        return grammar.only(grammar.end if self.state == _ENDED else grammar.openers[0])

    def step(self, token: int) -> None:
        """Go on by one token, which must have been allowed."""
        grammar = self.grammar
        if self.reason is not None:
            if token != grammar.closer(self.reason):
                self.length += 1
                self.lacks = grammar.lacking[self.lacks][token]
            elif self.reason + 1 < len(grammar.openers):
                self.reason, self.length = self.reason + 1, 0
            else:
                self.reason, self.state = None, _AWAIT_A
        elif self.state in (_AWAIT_A, _AWAIT_B):
            self.scores[0 if self.state == _AWAIT_A else 1] = grammar.digits[token]
            self.state = _AFTER_A if self.state == _AWAIT_A else _AFTER_B
        elif self.state in (_AFTER_A, _AFTER_B):
            first = self.state == _AFTER_A
            if token == grammar.zero:
                self.scores[0 if first else 1] = HIGHEST
            else:
                self.state = _AWAIT_B if first else _ENDED
        elif self.state == _START:
            self.reason, self.length = 0, 0


class OnlyRecords(LogitsProcessor):
    """For one call of `generate`: every row of the batch writes one record from where its prompt ends."""

    def __init__(self, grammar: Grammar) -> None:
        self.grammar = grammar
        self._walks: list[Walk] = []
        self._seen = 0

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        if not self._walks:
            self._walks = [Walk(self.grammar) for _ in range(len(input_ids))]
        else:
            if (len(input_ids), input_ids.shape[1]) != (len(self._walks), self._seen + 1):
                raise ValueError("a constraint serves one call of generate, without beams; make a new one")
            for walk, token in zip(self._walks, input_ids[:, -1].tolist(), strict=True):
                walk.step(token)
        self._seen = input_ids.shape[1]
        allowed = torch.stack([walk.allowed() for walk in self._walks]).to(scores.device)
        return scores.masked_fill(~allowed, float("-inf"))


def _single(tokenizer: PreTrainedTokenizerFast, piece: str) -> int:
    found = tokenizer(piece)["input_ids"]
    if len(found) != 1:
        raise ValueError(f"{piece!r} is not one token of this tokenizer")
    return found[0]


def _lacking(before: int, data: bytes) -> int | None:
    """How many bytes of UTF-8 are still due after `data`, where `before` were due; None where no reason may hold them.

    A character may be spread over several tokens, so that every sign of every sheet can be written.
    """
    due = before
    for byte in data:
        if due:
            if not 0x80 <= byte < 0xC0:
                return None
            due -= 1
        elif 0x20 <= byte < 0x7F:
            if chr(byte) in FORBIDDEN:
                return None
        elif 0xC2 <= byte < 0xF5:
            due = 1 if byte < 0xE0 else 2 if byte < 0xF0 else 3
        else:
            return None
    return due


def _bytes_of(tokenizer: PreTrainedTokenizerFast) -> dict[int, bytes]:
    """The bytes of every learned token. Byte-level BPE writes printable bytes as themselves, the others from U+0100."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(0x100) if byte not in plain]
    byte_of = {chr(byte): byte for byte in plain} | {chr(0x100 + n): byte for n, byte in enumerate(others)}
    added = tokenizer.added_tokens_decoder
    return {
        token: bytes(byte_of[sign] for sign in str(tokenizer.convert_ids_to_tokens(token)))
        for token in range(len(tokenizer))
        if token not in added
    }
