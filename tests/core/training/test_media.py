"""Every medium of every row reaches what is trained, in all three ways of training: none is ignored on the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.formats import LabelledPair
from core.modalities import Limits
from core.models.prompts import PromptStyle
from core.models.value_head.inputs import MEDIA as MEDIUM_INPUTS
from core.models.value_head.inputs import Tensors, collate
from core.training.answers import Asker
from core.training.bradley_terry import PairEncoder
from core.training.learner import Learner, fitted
from core.training.sft import critique
from core.training.specs import TrainingSpec
from tests.core.training.runs import BACKBONES, MEDIA, QUICK, labelled_pairs

SEEN = {"pixel_values", "pixel_values_videos"}
HEARD = {"qwen2_5_omni_thinker": {"input_features"}, "qwen2_5_vl": set()}


def encoded(learner: Learner, row: LabelledPair, *, head: bool) -> list[Tensors]:
    """A row as Bradley-Terry learns from it, or as SFT and GRPO do, which share their questions and their model."""
    if head:
        chosen, rejected, _ = PairEncoder(learner.writer, [row], Limits())(0)
        return [chosen, rejected]
    assert row.label is not None
    answer = critique("A or B.", row.label)
    return [Asker(learner.writer, Limits(), PromptStyle.R1, ties=True).answered(row, answer)]


@pytest.mark.parametrize("head", [True, False], ids=["bradley_terry", "sft_and_grpo"])
@pytest.mark.parametrize("model_type", BACKBONES)
def test_pictures_films_and_sounds_reach_the_loss(
    model_type: str, head: bool, folders: dict[str, Path], tmp_path: Path
) -> None:
    """What comes out has a gradient at the pixels and samples themselves, through the frozen encoders."""
    spec = TrainingSpec(**(QUICK | {"model": str(folders[model_type])}))
    learner, reached = Learner.read(spec, head=head), set()
    for row in labelled_pairs(tmp_path, MEDIA[model_type]):
        batch = fitted(collate(encoded(learner, row, head=head), learner.writer.pad_token), learner.dtype)
        media = {name: batch[name].requires_grad_() for name in MEDIUM_INPUTS & set(batch)}
        assert bool(media) is (row.pair.task.context is not None or row.pair.task.response.value != "text"), row
        learner.model(**batch).square().sum().backward()
        for name, value in media.items():
            assert value.grad is not None, (row.pair.task, name)
            assert float(value.grad.abs().max()) > 0, (row.pair.task, name)
        reached |= set(media)
    assert reached == SEEN | HEARD[model_type]
    weights = dict(learner.model.named_parameters())
    trained = {name for name, weight in weights.items() if weight.requires_grad}
    assert {name for name, weight in weights.items() if weight.grad is not None} == trained
    assert all(bool(weights[name].grad.isfinite().all()) for name in trained)
