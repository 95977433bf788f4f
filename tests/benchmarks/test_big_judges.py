"""The benchmark of the big judges at its toy size: both ways agree, and every figure is there. No time is asserted."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from benchmarks import big_judges
from benchmarks.big_sizes import SIZES, build


def figures(found: object) -> Iterator[float]:
    if isinstance(found, dict):
        for value in found.values():
            yield from figures(value)
    elif not isinstance(found, str):
        yield float(found)  # type: ignore[arg-type]


def test_the_toy_agrees_with_one_by_one_and_tells_every_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "found.json"
    monkeypatch.setattr(sys, "argv", ["big_judges", "--pairs", "1", "--rounds", "1", "--out", str(out)])
    big_judges.main()
    found = json.loads(out.read_text(encoding="utf-8"))
    assert list(found["tasks"]) == ["T2T", "TI2T", "TV2T", "TA2T", "T2I", "TI2I", "T2V", "T2A"]
    for code, task in found["tasks"].items():
        assert task["largest_difference"] < 1e-4 < task["spread"], code
        assert 0 < task["operations"] < task["one_by_one_operations"], code
    assert found["tasks"]["TI2T"]["operations"] < 0.6 * found["tasks"]["TI2T"]["one_by_one_operations"]
    assert all(math.isfinite(value) and value >= 0 for value in figures(found))
    assert min(found["share_of_matmul_rate"], found["peak_memory_mb"], found["writing"]["tokens_a_second"]) > 0
    printed = capsys.readouterr().out
    assert all(word in printed for word in ("T2A", "ratio", "matrix products", "writing", "peak memory"))


def test_the_large_size_is_that_of_the_published_thinker() -> None:
    model, _ = build(SIZES["7b"], "meta", torch.bfloat16)
    parts = {
        name: sum(parameter.numel() for parameter in getattr(model.network.model, name).parameters())
        for name in ("language_model", "visual", "audio_tower")
    }
    # Qwen2.5 7B without its language head, and the towers of the technical report (arXiv 2503.20215): 675 M, 640 M
    assert parts["language_model"] == pytest.approx(7.07e9, rel=0.01)
    assert parts["visual"] == pytest.approx(0.675e9, rel=0.02)
    assert parts["audio_tower"] == pytest.approx(0.64e9, rel=0.02)
    assert next(model.network.parameters()).dtype == torch.bfloat16
