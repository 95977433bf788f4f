"""Short runs on tiny real models: what they learn from, who listens, and what they leave behind."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from core.errors import JobCancelled
from core.formats import LabelledPair
from core.models.value_head.checkpoint import read_model
from core.nouns import Preference, Task
from tests.core.models.tiny_backbones import LIMITS
from tests.core.small_pairs import small_pair

QUICK: dict[str, Any] = {
    "media": LIMITS,
    "rate": 1e-2,
    "warm_up": 0.0,
    "weight_decay": 0.0,  # by which a weight would move without having learned
    "batch": 2,
    "accumulation": 1,
    "steps": 2,
    "lora_rank": 2,
}
BACKBONES = ["qwen2_5_omni_thinker", "qwen2_5_vl"]
MEDIA = {
    "qwen2_5_omni_thinker": (Task.T2I, Task.TI2T, Task.T2V, Task.T2A),
    "qwen2_5_vl": (Task.T2I, Task.TI2T, Task.T2V, Task.T2T),
    "qwen3_omni_moe_thinker": (Task.T2I, Task.T2V, Task.T2A),
    "gemma4": (Task.T2I, Task.T2V, Task.T2A),
}


def labelled_pairs(folder: Path, tasks: tuple[Task, ...]) -> list[LabelledPair]:
    """One pair a task, preferred in turn first and second."""
    labels = (Preference.FIRST, Preference.SECOND)
    return [
        LabelledPair(
            line=number + 1,
            pair=small_pair(task, _made(folder / task.value)),
            criterion="Prefer the redder or the longer one.",
            label=labels[number % 2],
        )
        for number, task in enumerate(tasks)
    ]


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class Listener:
    """A report that keeps what it is told, and raises `error` once at the step `until`."""

    def __init__(self, until: int | None = None, error: Exception | None = None) -> None:
        self.until, self.error, self.told = until, error or JobCancelled("enough"), []

    def __call__(self, done: int, total: int, message: str, figures: Mapping[str, float]) -> None:
        self.told.append((done, total, message))
        if figures and done == self.until:
            raise self.error


def metrics(out_dir: Path) -> list[dict[str, float]]:
    """The lines of metrics.jsonl without what time it took."""
    lines = [json.loads(line) for line in (out_dir / "metrics.jsonl").read_text("utf-8").splitlines()]
    return [{name: value for name, value in line.items() if name != "seconds"} for line in lines]


def left_out(out_dir: Path) -> list[str]:
    """The lines of the rows that could not be used."""
    return (out_dir / "left_out.jsonl").read_text("utf-8").splitlines()


def weights(folder: Path) -> dict[str, torch.Tensor]:
    """Every weight of a reward model's folder by its name in the model, the head's included."""
    return read_model(folder, torch.float32).state_dict()
