"""Judges that jobs made: what such a job says of its model, and the model as a judge of its own name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from core.benches import BENCHES
from core.errors import JudgeFailed
from core.judges import JUDGES, ConfigurableBackend, Judge, JudgeBackend
from core.modalities import Limits
from core.models.value_head.four_bit import estimated
from core.models.value_head.spec import ModelSpec
from core.nouns import Noun


class JudgeCard(Noun):
    """The card of a checkpoint that judges. `settings` are fields of the backend's spec that it was trained under."""

    judge: Literal["starter", "reward_head", "generative"] = Field(description="The backend that loads it.")
    title: str = Field(min_length=1)
    base: str = Field(description="What it was trained from.")
    held_out: str = Field(
        default="", description="How it did on what it was not trained on; empty where that was not tried."
    )
    bench_items: dict[str, int] = Field(
        default_factory=dict, description="How many items of which bench it was trained on, by the bench's name."
    )
    settings: dict[str, Any] = Field(default_factory=dict)

    @classmethod
    def of(cls, card: Mapping[str, Any]) -> JudgeCard | None:
        """The card of a judge, or None where it is that of something else."""
        try:
            return cls.model_validate(card)
        except ValidationError:
            return None


class CheckpointBackend:
    """A checkpoint as a judge backend; `spec` is the studio's own for its backend, None where that takes none."""

    def __init__(
        self, name: str, folder: Path, made: datetime, card: JudgeCard, spec: Noun | None, limits: Limits
    ) -> None:
        self.name, self.folder, self.card, self.spec, self.limits = name, folder, card, spec, limits
        backend = JUDGES[card.judge]
        self.modalities, self.gpu = backend.modalities, bool(getattr(backend, "gpu", False))
        told = [card.base, f"{made.astimezone():%Y-%m-%d %H:%M}", card.held_out or "not tried on held-out pairs"]
        told += [f"trained on {_items(count)} of {_title(bench)}" for bench, count in card.bench_items.items()]
        self.title = f"{card.title} ({'; '.join(told)})"
        self.about = f"Made by a job of this studio from {card.base}. {backend.about}"

    def size(self) -> int:
        """Bytes of its weights; 0 where they are gone, which `load` then tells."""
        size = sum(path.stat().st_size for path in self.folder.glob("*.safetensors"))
        return estimated(size, self.spec.dtype) if isinstance(self.spec, ModelSpec) else size

    def unavailable(self) -> str | None:
        """Why it cannot run here and what to do."""
        if not self.folder.is_dir():
            return f"Its folder {str(self.folder)!r} is gone; put it back, or retire it and train again."
        if broken := _broken(self.folder):
            return f"{broken}; put a copy back, or retire it and train again."
        try:
            return self._bound().unavailable()
        except ValidationError as error:
            return f"Its settings are of another version of this program ({error.errors()[0]['msg']}); train it again."

    def load(self, model: Path | str | None = None) -> Judge:
        """The checkpoint as a judge of this name. Raises JudgeFailed or MissingExtra."""
        if model is not None:
            raise JudgeFailed(f"{self.name} is one model; choose {self.card.judge} for another.")
        if reason := self.unavailable():
            raise JudgeFailed(reason)
        judge = self._bound().load(self.folder)
        judge.name = self.name
        return judge

    def _bound(self) -> JudgeBackend:
        backend = JUDGES[self.card.judge]
        if self.spec is None:
            return backend
        given = self.spec.model_dump() | self.card.settings | {"model": str(self.folder), "revision": None}
        configurable: ConfigurableBackend = backend  # type: ignore[assignment]
        return configurable.configured(type(self.spec).model_validate(given), self.limits)


def _items(count: int) -> str:
    return "1 item" if count == 1 else f"{count:,} items"


def _title(bench: str) -> str:
    return BENCHES[bench].title if bench in BENCHES else bench


def _broken(folder: Path) -> str:
    """What is wrong with the weights in a folder by their headers alone; nothing is loaded."""
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        return f"Its folder {str(folder)!r} holds no weights"
    for path in files:
        try:
            with open(path, "rb") as file:
                length = int.from_bytes(file.read(8), "little")
                header = json.loads(file.read(min(length, path.stat().st_size)))
            end = max((part["data_offsets"][1] for name, part in header.items() if name != "__metadata__"), default=0)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return f"Its weights {path.name!r} cannot be read"
        if path.stat().st_size != 8 + length + end:
            return f"Its weights {path.name!r} are cut off"
    return ""
