"""Controlled changes: a known push on one attribute of a decoded medium, and so a known preference.

Two variants of one file that carry different changes make a preference pair whose answer is known for every criterion
on a changed attribute, in either direction; no person and no other model is asked. Each file of this shelf is one
modality and its `PLUG` a `Table`: the attributes that people may ask for, and the changes that move them.

Decoded media: text is a str; image a uint8 array H×W×3 (sRGB); audio (float32 array [n] or [n, channels] in [-1, 1],
rate in Hz); video `Clip`; mesh a `trimesh.Trimesh`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol, get_args

import numpy as np
from pydantic import Field

from core.nouns import Modality, Noun
from core.plugs import Shelf

Direction = Literal["more", "less"]
DIRECTIONS: tuple[Direction, ...] = get_args(Direction)


class Attribute(Noun):
    """Something about a medium that can be more or less so.

    `more` and `less` gloss the two ends; `quality` is the end that most people call better, where they agree.
    A `held_out` attribute is never trained on: it tests whether wishes are read or remembered.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    more: str
    less: str
    quality: Literal["more", "less", "neither"]
    held_out: bool = False


class Change(Protocol):
    """Moves one attribute of a decoded medium in one direction."""

    @property
    def attribute(self) -> str: ...

    @property
    def direction(self) -> Direction: ...

    @property
    def name(self) -> str: ...

    def apply(self, media: Any, strength: float, rng: np.random.Generator) -> Any:
        """A changed copy; `media` stays as it is. `strength` in (0, 1]: 0.3 is mild, 1 is strong.

        Where there is nothing to move (no heading to strip) the copy equals `media`, so compare before believing in a
        pair. The same generator state gives the same result. Raises ValueError for a strength outside (0, 1].
        """


@dataclass(frozen=True)
class FunctionChange:
    """A change made of a plain function (media, strength, rng) -> media."""

    attribute: str
    direction: Direction
    function: Callable[[Any, float, np.random.Generator], Any]

    @property
    def name(self) -> str:
        return self.function.__name__

    def apply(self, media: Any, strength: float, rng: np.random.Generator) -> Any:
        if not 0.0 < strength <= 1.0:
            raise ValueError(f"strength {strength} is outside (0, 1]")
        return self.function(media, strength, rng)


class Sound(NamedTuple):
    """Samples float32 [n] or [n, channels] in [-1, 1], and their rate in Hz; unpacks as (samples, rate)."""

    samples: np.ndarray
    rate: int


class Clip(NamedTuple):
    """Frames (uint8 H×W×3, all of one size), frames a second, and the soundtrack if there is one."""

    frames: list[np.ndarray]
    fps: float
    audio: Sound | None = None


@dataclass(frozen=True)
class Table:
    """The attributes of one modality and the changes that move them."""

    modality: Modality
    attributes: tuple[Attribute, ...]
    changes: tuple[Change, ...]

    def __post_init__(self) -> None:
        names = [attribute.name for attribute in self.attributes]
        if len(set(names)) != len(names):
            raise ValueError(f"{self.modality}: an attribute is listed twice")
        if {change.attribute for change in self.changes} != set(names):
            raise ValueError(f"{self.modality}: attributes and changes name different things")

    def __getitem__(self, name: str) -> Attribute:
        return {attribute.name: attribute for attribute in self.attributes}[name]

    def of(self, attribute: str, direction: Direction | None = None) -> tuple[Change, ...]:
        """The changes that move an attribute, in one direction or both."""
        return tuple(c for c in self.changes if c.attribute == attribute and direction in (None, c.direction))


CHANGES: Shelf[Table] = Shelf("core.models.starter.changes", "table of changes")
