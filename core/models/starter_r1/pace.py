"""Time and report: a schedule that ends when the minutes are over, and metrics as lines of JSON."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.optim.lr_scheduler import LambdaLR
from transformers import TrainerCallback

from core.models.starter_r1.recipe import Steps

Report = Callable[[str], None]
LONGEST_STEP = 120.0  # seconds


class Pace:
    """How far a run has come, by steps or by minutes, whichever is further; the rate anneals with it.

    Asked at every step. A longer silence is a pause (a stopped process, a sleeping machine) and uses up no minutes.
    """

    def __init__(self, steps: Steps, clock: Callable[[], float] = time.monotonic) -> None:
        self.steps, self.seconds = steps, 0.0
        self._clock, self._last = clock, clock()

    def progress(self, step: int) -> float:
        """Share of the run that is over, 0 to 1."""
        now = self._clock()
        self.seconds += min(now - self._last, LONGEST_STEP)
        self._last = now
        return min(1.0, max(step / self.steps.steps, self.seconds / 60 / self.steps.minutes))

    def rate(self, step: int) -> float:
        """Share of the full learning rate: linear warm-up by steps, then a cosine to zero."""
        warm = min(1.0, (step + 1) / max(1.0, self.steps.warm_up * self.steps.steps))
        return warm * 0.5 * (1 + math.cos(math.pi * self.progress(step)))

    def optimizers(self, model: torch.nn.Module) -> tuple[torch.optim.Optimizer, LambdaLR]:
        """AdamW with decay on matrices only, and its schedule."""
        known = list(model.parameters())
        groups = [
            {"params": [p for p in known if p.ndim > 1], "weight_decay": self.steps.weight_decay},
            {"params": [p for p in known if p.ndim <= 1], "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, lr=self.steps.rate, betas=(0.9, 0.98))
        return optimizer, LambdaLR(optimizer, self.rate)


class Diary(TrainerCallback):
    """Writes every log to metrics.jsonl, tells it, and stops the run when its time is over."""

    def __init__(self, pace: Pace, path: Path, report: Report) -> None:
        self.pace, self.path, self.report = pace, path, report
        path.unlink(missing_ok=True)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> Any:
        if self.pace.progress(state.global_step) >= 1.0:
            control.should_log = control.should_training_stop = True
        return control

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **_: Any) -> None:
        seconds = round(self.pace.seconds, 1)
        line = {"step": state.global_step, "seconds": seconds, **(logs or {})}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        told = {name: line[name] for name in ("loss", "reward") if name in line}
        self.report(f"step {state.global_step}, {seconds:.0f} s: {told}")
