"""Fine-tunes a reward model: a value head on an omni backbone, by the Bradley-Terry likelihood of labelled pairs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.formats import LabelledPair
from core.jobs import JobTools
from core.jobs._training import Learned, Training, asked
from core.training.specs import BradleyTerrySpec, Report


class BradleyTerryJob(BradleyTerrySpec, Learned):
    """What `bradley_terry` is asked to do."""


class BradleyTerry(Training):
    title = "Fine-tune a reward model (Bradley-Terry)"
    about = "A value head on an omni backbone, from pairs with a label. Wants a GPU."
    Spec = BradleyTerryJob
    judge, made = "reward_head", "Reward model"

    def train(
        self, spec: BradleyTerryJob, rows: Sequence[LabelledPair], tools: JobTools, out_dir: Path, told: Report
    ) -> Path:
        from core.training.bradley_terry import train_bradley_terry

        return train_bradley_terry(asked(spec, BradleyTerrySpec), rows, out_dir, told, tools.limits)

    def judge_settings(self, spec: BradleyTerryJob) -> dict[str, Any]:
        ties = {"tie_weight": spec.tie_weight} if spec.ties == "davidson" else {}
        return super().judge_settings(spec) | ties


PLUG = BradleyTerry()
