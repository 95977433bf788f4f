"""Reinforces a generative judge by group-relative policy optimisation, from labelled pairs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from core.formats import LabelledPair
from core.jobs import JobTools
from core.jobs._training import Sourced, Writing, asked
from core.training.rows import labelled
from core.training.specs import GrpoSpec, Report


class GrpoJob(GrpoSpec, Sourced):
    """What `grpo` is asked to do."""


class Grpo(Writing):
    title = "Reinforce a generative judge (GRPO)"
    about = "Rewards answers that can be read and prefer as the label does, each pair in both orders. Wants a GPU."
    Spec = GrpoJob
    made, orders = "Reinforced judge", 2

    def train(self, spec: GrpoJob, rows: Sequence[LabelledPair], tools: JobTools, out_dir: Path, told: Report) -> Path:
        from core.training.grpo import train_grpo

        return train_grpo(asked(spec, GrpoSpec), rows, out_dir, told, tools.limits)

    def learned_from(self, spec: GrpoJob, rows: Sequence[LabelledPair]) -> list[LabelledPair]:
        return labelled(rows, ties=spec.tie_offered)

    def exam_settings(self, spec: GrpoJob) -> dict[str, Any]:
        return {"max_tokens": spec.answer_tokens}

    def tokens(self, spec: GrpoJob) -> int:
        # each answer of a group is written, scored and learned from
        return spec.group * (super().tokens(spec) + 2 * spec.answer_tokens)


PLUG = Grpo()
