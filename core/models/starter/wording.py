"""Wordings of wishes as training sees them: frames that keep the direction, negations that turn it, dropped words.

A sentence encoder puts opposites side by side; what turns a wish round is grammar ("anything but", "less", "not"), so
grammar is what the frames vary, both ways in equal number.
"""

from __future__ import annotations

import re

import numpy as np

from core.models.starter.changes import Attribute, Direction
from core.models.starter.wishes import plain

KEEPING = (
    "{w}", "{w}", "{w}", "{w}", "{w}", "{w}", "{w}, please", "Prefer this: {w}", "I want: {w}", "my wish: {w}",
    "Which one fits better: {w}?", "it should be like this: {w}", "Criterion: {w}", "choose by this: {w}",
    "{w}. That matters most.", "for me: {w}", "what counts here is this: {w}", "{w} (nothing else matters)",
)  # fmt: skip
GLOSS_KEEPING = (
    "{w}", "more {w}", "the one that is more {w}", "as {w} as possible", "prefer {w}", "I like it {w}", "give me {w}",
    "take the one with {w}", "it needs to be {w}", "the more {w} the better", "definitely {w}", "looking for {w}",
    "not lacking in {w}", "{w} is what I am after", "{w} welcome", "cannot be {w} enough", "never too {w}",
    "choose whichever is more {w}", "should look or sound {w}", "pick {w}",
)  # fmt: skip
TURNING = (
    "not {w}", "anything but {w}", "not so {w}", "less {w}", "the less {w} one", "nothing {w}", "avoid {w}", "no {w}",
    "reject anything {w}", "the less {w} the better", "I dislike {w}", "far too {w} for me, the other way please",
    "without it being {w}", "never {w}", "I am tired of {w}", "please do not make it {w}", "it must not be {w}",
    "the opposite of {w}", "the one that is not {w}", "{w} is what I do not want", "{w} would be wrong here",
    "rather un-{w}", "whichever is the least {w}", "{w}? No, thanks", "I cannot stand {w}",
    "{w} is a flaw", "{w} ruins it", "skip the {w} one", "nobody asked for {w}", "hardly {w}",
    "as little {w} as possible", "spare me {w}", "whatever it is, not {w}",
    "{w} is out of the question",
    "I would rather it were not {w}", "can we not have {w}", "zero {w}", "{w} puts me off",
    "refuse {w}", "please no {w} this time", "I don't want it {w}", "it shouldn't be {w}", "isn't {w}",
)  # fmt: skip
TURNING_ANY = (
    "the opposite of this: {w}", "not this: {w}", "exactly what I do not want: {w}", "do the reverse: {w}",
    "penalise whichever fits this: {w}", "I reject this wish: {w}", "please NOT: {w}", "take the other one than: {w}",
    "mark it down if it fits: {w}", "avoid what fits this: {w}", "by no means this: {w}", "contrary to this: {w}",
    "whatever fits this worse: {w}", "do not follow this: {w}", "the less it fits this, the better: {w}",
    "this would be wrong: {w}",
)  # fmt: skip
JOINED = ("{a} and {b}", "{a}, {b}", "{a}; also {b}", "{a}. And {b}", "{a}, plus {b}", "first {a}, then {b}")
_TURNED_ALREADY = re.compile(
    r"\b(no|not|non|never|nothing|none|without|less|least|un\w+|in\w+ible|isn't|doesn't|shouldn't|don't|can't|cannot|"
    r"free|anything|avoid|hide|hidden|too|instead|rather|over|than|lack\w*|few|fewer|reject|skip|stop|\w+less)\b",
    re.IGNORECASE,
)
GENERAL: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "train": (
        (
            "Which is better overall?", "better quality", "the better one", "overall quality", "I prefer the good one",
            "the higher quality response", "Prefer the best made", "whichever people would like more",
            "the more professional result", "well made, without defects", "general preference", "the nicer one",
            "fewer technical faults", "the cleaner, better produced of the two", "Which response is better?",
        ),
        (
            "Which is worse overall?", "worse quality", "the worse one", "I prefer the bad one", "lower quality",
            "the lower quality response", "Prefer the worst made", "whichever people would like less",
            "the more amateurish result", "badly made, full of defects", "the uglier one", "more technical faults",
            "find the failed one", "the broken, worse produced of the two", "Which response is worse?",
        ),
    ),
    "choose": (
        ("Which one would you rather have?", "pick the superior one", "best overall impression", "top quality"),
        ("Which one would you rather not have?", "pick the inferior one", "worst overall impression", "bad quality"),
    ),
    "test": (
        ("Choose the one of higher merit", "what most viewers or readers favour", "the keeper", "the finer piece"),
        ("Choose the one of lower merit", "what most viewers or readers would reject", "the dud", "the shoddier piece"),
    ),
}  # fmt: skip


def glosses(attribute: Attribute, direction: Direction) -> list[str]:
    """The short glosses of one end of an attribute: "sharper, in focus" -> ["sharper", "in focus"]."""
    text = attribute.more if direction == "more" else attribute.less
    return [part.strip() for part in text.split(",") if part.strip()]


def turnable(wording: str) -> bool:
    """Whether "not …" in front of a wording turns its direction: short, plain, and not turned already."""
    return len(wording.split()) <= 3 and not _TURNED_ALREADY.search(wording) and wording[-1:] not in "?!"


class Wordings:
    """Draws wordings of one end of an attribute for training, from its own wordings and the turned opposite's."""

    def __init__(self, own: tuple[str, ...], opposite: tuple[str, ...], own_gloss: list[str], other_gloss: list[str]):
        self.own = own
        self.turned = [plain(w) for w in opposite if turnable(w)]
        self.turned_gloss = [g for g in other_gloss if turnable(g)]
        self.opposite, self.gloss = opposite, own_gloss

    def draw(self, rng: np.random.Generator, word_drop: float) -> str:
        """One wording, framed, sometimes turned from the opposite end, sometimes with words dropped or re-cased."""
        lot = rng.random()
        if lot < 0.08 and self.turned:
            text = _pick(rng, TURNING).format(w=_pick(rng, self.turned))
        elif lot < 0.15 and self.turned_gloss:
            text = _pick(rng, TURNING).format(w=_pick(rng, self.turned_gloss))
        elif lot < 0.21:
            text = _pick(rng, TURNING_ANY).format(w=_pick(rng, self.opposite))
        elif lot < 0.29 and self.gloss:
            text = _pick(rng, GLOSS_KEEPING).format(w=_pick(rng, self.gloss))
        else:
            # words go before the frame comes, or a short wording could lose all that it says
            text = _pick(rng, KEEPING).format(w=_dropped(_pick(rng, self.own), rng, word_drop))
        return text.rstrip(".!") if rng.random() < 0.3 else text


def _pick(rng: np.random.Generator, options: tuple[str, ...] | list[str]) -> str:
    return options[int(rng.integers(len(options)))]


def _dropped(text: str, rng: np.random.Generator, share: float) -> str:
    words = text.split()
    if len(words) < 5:
        return text
    # a dropped "not" would turn the wish, so only words that carry no direction go
    kept = [w for w in words if _TURNED_ALREADY.search(w) or rng.random() >= share]
    return " ".join(kept)
