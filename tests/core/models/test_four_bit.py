"""Weights in 4 bits: what they are worth, which layers have them, and that none comes from nowhere."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import bitsandbytes.functional as bnb
import pytest
import torch
from bitsandbytes.nn import Linear4bit
from safetensors.torch import load_file, save_file

from core.checkpoints import CheckpointBackend, JudgeCard
from core.errors import JudgeFailed, MissingExtra
from core.evidence import Measuring
from core.judges.generative import GenerativeBackend
from core.judges.reward_head import RewardHeadBackend, RewardHeadJudge
from core.modalities import Limits
from core.models.generative.spec import GenerativeSpec
from core.models.value_head.checkpoint import read_model
from core.models.value_head.loading import load
from core.models.value_head.spec import ModelSpec, RewardHeadSpec
from core.nouns import PreferencePair, Question, Task
from core.presets import Preset, PresetBackend
from tests.core.models.tiny_backbones import LIMITS, write_tiny
from tests.core.small_pairs import small_pair

DENSE = ("qwen2_5_omni_thinker", "gemma4", "qwen2_5_vl", "minicpmo")


@pytest.fixture(scope="module", params=DENSE)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(request.param)
    write_tiny(request.param, folder)
    return folder


@pytest.fixture
def omni(tmp_path: Path) -> Path:
    write_tiny("qwen2_5_omni_thinker", tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> list[PreferencePair]:
    tasks = (Task.T2T, Task.T2I)
    return [small_pair(task, tmp_path_factory.mktemp(task.value)) for task in tasks]


def judge_of(folder: Path, dtype: str) -> RewardHeadJudge:
    return RewardHeadBackend(RewardHeadSpec(model=str(folder), media=LIMITS, dtype=dtype), Limits()).load()


def rewards(judge: RewardHeadJudge, pairs: list[PreferencePair]) -> list[float]:
    found = judge.judge([Question(pair=pair, criterion="The truer one.") for pair in pairs], Measuring())
    assert all(verdict.failure is None for verdict in found), found
    return [reward for one in found for reward in (one.reward_1, one.reward_2) if reward is not None]


def quantise_by_hand(judge: RewardHeadJudge) -> set[str]:
    """Every linear weight of the language model to 4 bits and back, by the library's own functions; their names."""
    decoder = judge.scorer.model.network.get_decoder()
    changed = set()
    for name, layer in decoder.named_modules():
        if isinstance(layer, torch.nn.Linear):
            packed, state = bnb.quantize_4bit(
                layer.weight.data, blocksize=64, compress_statistics=True, quant_type="nf4"
            )
            layer.weight.data = bnb.dequantize_4bit(packed, state)
            changed.add(name)
    return changed


def test_rewards_are_those_of_weights_that_went_to_4_bits_and_back(folder: Path, pairs: list[PreferencePair]) -> None:
    full, four_bit = judge_of(folder, "float32"), judge_of(folder, "nf4")
    before = rewards(full, pairs)
    changed = quantise_by_hand(full)
    wanted = rewards(full, pairs)
    assert rewards(four_bit, pairs) == pytest.approx(wanted, abs=1e-3)
    # else a model that was not quantised at all would do
    assert max(abs(one - other) for one, other in zip(before, wanted, strict=True)) > 1e-2

    network: Any = four_bit.scorer.model.network
    decoder = network.get_decoder()
    assert {name for name, layer in decoder.named_modules() if isinstance(layer, Linear4bit)} == changed
    assert sum(isinstance(layer, Linear4bit) for layer in network.modules()) == len(changed) > 0
    others = {name: one for name, one in four_bit.scorer.model.named_parameters() if one.dtype != torch.uint8}
    originals = read_model(folder, torch.float32).state_dict()
    assert all(torch.equal(one, originals[name]) for name, one in others.items())


def test_a_chat_model_writes_in_4_bits(omni: Path, pairs: list[PreferencePair]) -> None:
    spec = GenerativeSpec(model=str(omni), media=LIMITS, dtype="nf4", style="plain", max_tokens=4)
    judge = GenerativeBackend(spec, Limits()).load()
    assert any(isinstance(layer, Linear4bit) for layer in judge.writer.network.modules())
    (verdict,) = judge.judge([Question(pair=pairs[0])], Measuring())
    assert verdict.p_first is not None  # it ran out of room, so the verdicts it could give were compared
    assert verdict.failure is None


def changed_weights(folder: Path, change: Callable[[dict[str, torch.Tensor], str], None]) -> str:
    """Change one of the language model's linear weights in the checkpoint; its key."""
    path = folder / "model.safetensors"
    tensors = load_file(path)
    key = next(key for key in tensors if key.endswith("layers.0.mlp.up_proj.weight"))
    change(tensors, key)
    save_file(tensors, path, {"format": "pt"})
    return key


def test_a_missing_weight_is_refused_by_its_name(omni: Path) -> None:
    changed_weights(omni, lambda tensors, key: tensors.__delitem__(key))
    with pytest.raises(JudgeFailed, match=r"missing \S*layers\.0\.mlp\.up_proj\.weight"):
        judge_of(omni, "nf4")


def test_a_weight_of_another_shape_is_refused_by_its_name(omni: Path) -> None:
    def turn(tensors: dict[str, torch.Tensor], key: str) -> None:
        assert tensors[key].shape[0] != tensors[key].shape[1]
        tensors[key] = tensors[key].T.contiguous()

    changed_weights(omni, turn)
    with pytest.raises(JudgeFailed, match=r"another shape \S*layers\.0\.mlp\.up_proj\.weight"):
        judge_of(omni, "nf4")


def test_experts_that_cannot_be_quantised_are_refused(tmp_path: Path) -> None:
    write_tiny("qwen3_omni_moe_thinker", tmp_path)
    with pytest.raises(JudgeFailed, match="experts"):
        judge_of(tmp_path, "nf4")
    judge_of(tmp_path, "float32")


def test_without_bitsandbytes_both_judges_say_what_to_install(omni: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "bitsandbytes" else find(name))
    specs: list[ModelSpec] = [
        RewardHeadSpec(model=str(omni), dtype="nf4"),
        GenerativeSpec(model=str(omni), dtype="nf4"),
    ]
    for backend in (RewardHeadBackend(specs[0], Limits()), GenerativeBackend(specs[1], Limits())):
        told = backend.unavailable()
        assert told is not None
        assert "bitsandbytes: pip install -r requirements-4bit.txt" in told
    with pytest.raises(MissingExtra, match=r"requirements-4bit\.txt"):
        load(specs[0], lambda *_: pytest.fail("it was read all the same"))
    assert RewardHeadBackend(RewardHeadSpec(model=str(omni)), Limits()).unavailable() is None


def test_a_judge_that_a_job_made_counts_less_memory_in_4_bits(omni: Path) -> None:
    card = JudgeCard(judge="reward_head", title="Tuned", base="tiny")
    full, four_bit = (
        CheckpointBackend("made", omni, datetime.now(UTC), card, RewardHeadSpec(dtype=dtype), Limits()).size()
        for dtype in ("auto", "nf4")
    )
    assert full > 100_000
    assert four_bit == int(0.75 * full)


def test_a_ready_made_judge_counts_less_memory_in_4_bits() -> None:
    preset = Preset(
        id="big", title="Big", about="Big.", backend="generative", model="owner/big", licence="None.", memory_gb=24
    )
    full, four_bit = (
        PresetBackend(preset, GenerativeSpec(dtype=dtype), Limits(), lambda: (20_000_000_000,))
        for dtype in ("auto", "nf4")
    )
    assert (full.size(), four_bit.size()) == (24_000_000_000, 18_000_000_000)
    assert "24 GB" in (full.unavailable() or "")
    assert "takes" not in four_bit.about
    assert "18 GB" in four_bit.about
    assert "hf download owner/big" in (four_bit.unavailable() or "")
