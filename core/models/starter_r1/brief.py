"""The brief: all that the generative judge is given of one question, and how it is printed as an evidence sheet."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from core.nouns import Finite, Modality, Noun

MOST_WISHES = 4
MOST_LINES = 8
LONGEST_CRITERION = 160  # characters of the criterion that are printed

Side = Literal["A", "B", "="]
OTHER: dict[Side, Side] = {"A": "B", "B": "A", "=": "="}


def side_of(amount: float) -> Side:
    """Which response an amount speaks for: A where positive, B where negative, `=` where it prints as zero."""
    return "=" if shown(abs(amount)) == "0.00" else "A" if amount > 0 else "B"


def shown(value: float, digits: int = 2) -> str:
    """A value as it stands on the sheet, with a true minus and no negative zero."""
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", "−")


class Wish(Noun):
    """One attribute that the criterion asks for (weight > 0) or asks against (weight < 0), scored on both responses.

    `gloss` names the attribute's upper end in words: "sharper, in focus". Scores have no unit; larger is more of it.
    """

    gloss: str = Field(min_length=1, max_length=80)
    weight: Annotated[Finite, Field(ge=-1.0, le=1.0)]
    first: Finite
    second: Finite

    @property
    def amount(self) -> float:
        """weight · (first − second): what this wish speaks for the first response."""
        return self.weight * (self.first - self.second)

    @property
    def swapped(self) -> Wish:
        return self.model_copy(update={"first": self.second, "second": self.first})


class Line(Noun):
    """One measure on both responses. `effect` in nats: half of how far the reward difference A − B moves if the two
    values were exchanged; positive speaks for A. `more` and `less` are comparatives that read well after "A is"."""

    label: str = Field(min_length=1, max_length=80)
    unit: str = Field(max_length=40)
    digits: int = Field(ge=0, le=6)
    first: Finite
    second: Finite
    effect: Finite
    more: str = Field(min_length=1, max_length=80)
    less: str = Field(min_length=1, max_length=80)

    @property
    def swapped(self) -> Line:
        return self.model_copy(update={"first": self.second, "second": self.first, "effect": -self.effect})


class Brief(Noun):
    """What the generative judge is given. `general` and `asked` are the starter's reward differences A − B in nats,
    without a criterion and under this one; `asked` is what a record is written for and rewarded by, never printed."""

    modality: Modality
    criterion: str | None = None
    wishes: tuple[Wish, ...] = Field(default=(), max_length=MOST_WISHES)
    lines: tuple[Line, ...] = Field(default=(), max_length=MOST_LINES)
    general: Finite = 0.0
    asked: Finite = 0.0

    @model_validator(mode="after")
    def _strongest_first(self) -> Self:
        for name, sizes in (
            ("wishes", [abs(wish.weight) for wish in self.wishes]),
            ("lines", [abs(line.effect) for line in self.lines]),
        ):
            if sizes != sorted(sizes, reverse=True):
                raise ValueError(f"{name} come strongest first; Brief.of sorts them")
        return self

    @classmethod
    def of(
        cls,
        modality: Modality,
        criterion: str | None,
        wishes: Iterable[Wish],
        lines: Iterable[Line],
        *,
        general: float,
        asked: float,
    ) -> Brief:
        """A brief of the strongest wishes and lines, in order."""
        return cls(
            modality=modality,
            criterion=criterion,
            wishes=tuple(sorted(wishes, key=lambda wish: -abs(wish.weight))[:MOST_WISHES]),
            lines=tuple(sorted(lines, key=lambda line: -abs(line.effect))[:MOST_LINES]),
            general=general,
            asked=asked,
        )

    @property
    def swapped(self) -> Brief:
        """The same question with the two responses exchanged."""
        return self.model_copy(
            update={
                "wishes": tuple(wish.swapped for wish in self.wishes),
                "lines": tuple(line.swapped for line in self.lines),
                "general": -self.general,
                "asked": -self.asked,
            }
        )


class Fact(Noun):
    """One row of the sheet, told of the side that it speaks for: what may be said, and in which numbers.

    `own` and `other` are the values of that side and of the other one as printed; `amount` is how much it speaks (nats
    for a measure, weighted score for a wish). `word` is a comparative, or the gloss of a wish; a wish has no label.
    """

    side: Side
    amount: str
    word: str
    own: str
    other: str
    label: str = ""
    unit: str = ""
    weight: str = ""
    wanted: bool = True

    @property
    def row(self) -> str:
        if self.label:
            unit = f" {self.unit}" if self.unit else ""
            return f"{self.side} {self.amount} {self.word}: {self.label} {self.own} against {self.other}{unit}"
        wanted = "wanted" if self.wanted else "unwanted"
        return f"{self.side} {self.amount} {self.word}: {self.own} against {self.other}, {wanted} {self.weight}"


def wish_facts(brief: Brief) -> list[Fact]:
    """The wishes as facts, in the brief's order; where both score alike the side is `=`."""
    facts = []
    for wish in brief.wishes:
        values = shown(wish.first), shown(wish.second)
        side = "=" if values[0] == values[1] else side_of(wish.amount)
        own, other = values[::-1] if side == "B" else values
        facts.append(
            Fact(
                side=side,
                amount=shown(abs(wish.amount)),
                word=_plain(wish.gloss),
                own=own,
                other=other,
                weight=shown(abs(wish.weight)),
                wanted=wish.weight >= 0,
            )
        )
    return facts


def line_facts(brief: Brief) -> list[Fact]:
    """The measures that speak for a side, in the brief's order. Values that print alike would read like a mistake."""
    facts = []
    for line in brief.lines:
        side, values = side_of(line.effect), (shown(line.first, line.digits), shown(line.second, line.digits))
        if side == "=" or values[0] == values[1]:
            continue
        own, other = values if side == "A" else values[::-1]
        larger = (line.first > line.second) == (side == "A")
        facts.append(
            Fact(
                side=side,
                amount=shown(abs(line.effect)),
                word=_plain(line.more if larger else line.less),
                label=_lowered(_plain(line.label)),
                own=own,
                other=other,
                unit=_plain(line.unit),
            )
        )
    return facts


def prompt_of(brief: Brief) -> str:
    """The evidence sheet as plain lines; deterministic, and all that the judge sees of the question.

    A row is: the side it speaks for and how much; what that side is; that side's value against the other's.
    """
    wishes, lines = wish_facts(brief), line_facts(brief)
    asked = _plain(brief.criterion or "")[:LONGEST_CRITERION].strip()
    rows = [
        brief.modality.value,
        f"asked: {asked}" if asked else "asked in general",
        f"in general: {side_of(brief.general)} {shown(abs(brief.general))}",
        *(["wished", *(fact.row for fact in wishes)] if wishes else []),
        *(["measured", *(fact.row for fact in lines)] if lines else ["nothing measured"]),
    ]
    return "\n".join(rows) + "\nrecord\n"


def _plain(text: str) -> str:
    """Text of others on one line and without the signs that records and special tokens are made of."""
    return " ".join(re.sub(r'["\\<>{}\[\]\x00-\x1f\x7f]', " ", text).split())


def _lowered(label: str) -> str:
    """Sharpness → sharpness, but DC offset stays."""
    return label[:1].lower() + label[1:] if label[1:2].islower() else label
