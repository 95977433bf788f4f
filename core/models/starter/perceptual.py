"""The perceptual test: unseen files, wordings by another hand, both directions, strong and mild changes.

`python -m core.models.starter.perceptual DATA_DIR EVIDENCE_DIR [MODEL_DIR]` prints the table and writes it as JSON.
Files are those of the test split (the media files are split by group), wordings those marked `test`.
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from core.models.starter.calibration import area_under_curve, expected_calibration_error
from core.models.starter.changes import DIRECTIONS
from core.models.starter.examination import (
    Answers,
    coverages,
    examine,
    examine_general,
    examine_human,
    read,
    score,
)
from core.models.starter.pairs import MILD, STRONG, PairBank
from core.models.starter.recipe import Recipe
from core.models.starter.scoring import Starter
from core.models.starter.training import Material, gather
from core.models.starter.variants import Report
from core.models.starter.wishes import frames
from core.models.starter.wording import glosses, turnable
from core.nouns import Modality


def _share(answers: Sequence[Answers], low: float = 0.0, high: float = np.inf) -> float | None:
    """Share of right answers among pairs whose gap lies in [low, high), every wording with the same say."""
    shares = [float(a.right[inside].mean()) for a in answers if (inside := (a.gaps >= low) & (a.gaps < high)).any()]
    return round(float(np.mean(shares)), 4) if shares else None


def _both(answers: Sequence[Answers]) -> dict[str, float | None]:
    return {"strong": _share(answers, STRONG), "mild": _share(answers, 0.0, MILD)}


def _negations(starter: Starter, bank: PairBank) -> float | None:
    """Share of pairs whose preference turns round when a plain wish is refused instead of asked for."""
    scores, turned = score(starter.model, bank.modality, bank.z), []
    asking, refusing = frames().asking.test, frames().refusing.test
    for name in bank.trained_attributes():
        pairs = bank.conflicts(name, "test")
        if not len(pairs):
            continue
        pairs = pairs.take(np.random.default_rng(3).permutation(len(pairs))[:12])
        words = [w for d in DIRECTIONS for w in glosses(bank.attributes[name], d) if turnable(w)]
        asked = [frame.format(w=word) for word in words for frame in (*asking, *refusing)]
        if words:
            weights, _ = read(starter.model, starter.vocabulary, asked, bank.modality)
            difference = (scores[pairs.high] - scores[pairs.low]) @ weights.T
            told = np.sign(difference).reshape(len(pairs), len(words), -1)
            wished, refused = told[..., None, : len(asking)], told[..., len(asking) :, None]
            turned.append(float((wished * refused < 0).mean()))
    return round(float(np.mean(turned)), 4) if turned else None


def _calibration_error(answers: Sequence[Answers], temperature: float) -> float:
    """ECE of the decided pairs, every wording with as many pairs as any other."""
    differences = np.concatenate([a.differences for a in answers]) / temperature
    confidence = 1.0 / (1.0 + np.exp(-np.abs(differences)))
    return round(expected_calibration_error(confidence, differences > 0), 4)


def test_modality(starter: Starter, material: Material, modality: Modality) -> dict[str, Any]:
    """All figures of one modality on the test split."""
    bank, human = material.banks[modality], material.human[modality]
    model, vocabulary, fitted = starter.model, starter.vocabulary, starter.calibration[modality]
    everything = list(examine(model, vocabulary, bank, "test"))
    answers = [a for a in everything if not a.held_out]
    ends = {"quality": True, "opposite": False, "neither": None}
    figures: dict[str, Any] = {name: _both([a for a in answers if a.follows is f]) for name, f in ends.items()}
    figures["all"] = _both(answers)
    figures["tangled"] = _both([a for a in examine(model, vocabulary, bank, "test", "tangled") if not a.held_out])
    figures["held_out"] = {
        direction: _share([a for a in everything if a.held_out and a.direction == direction])
        for direction in DIRECTIONS
    }
    figures["general"] = _share(examine_general(model, vocabulary, bank, "test"))
    figures["negation_turns"] = _negations(starter, bank)
    validation = list(examine(model, vocabulary, bank, "choose"))
    figures["ece"] = {
        "validation": _calibration_error(validation, fitted.temperature),
        "test": _calibration_error(answers, fitted.temperature),
    }
    seen, unseen = coverages(model, vocabulary, modality, "test")
    figures["coverage"] = {
        "auc": round(area_under_curve(seen, unseen), 4),
        "wishes_answered": round(float((seen >= fitted.coverage_threshold).mean()), 4),
        "unaskable_refused": round(float((unseen < fitted.coverage_threshold).mean()), 4),
    }
    z = material.human_z[modality]
    figures["human"] = {
        split: {
            source: {name: round(value, 4) for name, value in found.items()}
            for source, found in examine_human(model, vocabulary, human, z, split).items()
        }
        for split in ("choose", "test")
    }
    by_end: dict[str, list[float]] = defaultdict(list)
    for a in everything:
        by_end[f"{a.attribute} {a.direction}"].append(float(a.right.mean()))
    figures["by_end"] = {end: round(float(np.mean(shares)), 4) for end, shares in sorted(by_end.items())}
    figures["counts"] = {
        "attributes": len({a.attribute for a in answers}),
        "wordings": len(answers),
        "pairs": sum(len(a.differences) for a in answers),
        "files": int((bank.variants.splits == "test").sum()),
    }
    return figures


def perceptual_test(
    model_dir: Path, data_dir: Path, evidence_dir: Path, recipe_path: Path | None = None, report: Report = print
) -> dict[str, Any]:
    """Figures by modality; evidence is taken from the cache of training where it is there, else measured."""
    starter = Starter.read(model_dir)
    recipe = Recipe.read(recipe_path)
    torch.set_num_threads(recipe.threads)
    recipe = recipe.model_copy(update={"modalities": tuple(m for m in recipe.modalities if m in starter.sheets)})
    material = gather(recipe, data_dir, evidence_dir, report, sheets=starter.sheets)
    return {modality.value: test_modality(starter, material, modality) for modality in recipe.modalities}


def table(figures: dict[str, Any]) -> str:
    """The figures as a Markdown table, shares in per cent."""

    def percent(value: float | None) -> str:
        return "–" if value is None else f"{100 * value:.1f}"

    head = (
        "| modality | quality, strong | quality, mild | opposite, strong | opposite, mild | neither, strong "
        "| neither, mild | tangled, strong | held out, more | held out, less | general | negation turns "
        "| coverage AUC | ECE, validation | ECE, test |"
    )
    lines = [head, "|" + "---|" * (head.count("|") - 1)]
    for modality, f in figures.items():
        cells = [f[end][gap] for end in ("quality", "opposite", "neither") for gap in ("strong", "mild")]
        cells += [f["tangled"]["strong"], *f["held_out"].values(), f["general"], f["negation_turns"]]
        told = [percent(cell) for cell in cells]
        told += [f"{value:.3f}" for value in (f["coverage"]["auc"], *f["ece"].values())]
        lines.append(f"| {Modality(modality).label} | " + " | ".join(told) + " |")
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> None:
    if len(arguments) not in (2, 3):
        raise SystemExit("python -m core.models.starter.perceptual DATA_DIR EVIDENCE_DIR [MODEL_DIR]")
    data_dir, evidence_dir = (Path(argument) for argument in arguments[:2])
    shipped = Path(__file__).resolve().parents[3] / "assets" / "starter"
    model_dir = Path(arguments[2]) if len(arguments) == 3 else shipped
    figures = perceptual_test(model_dir, data_dir, evidence_dir)
    (model_dir / "perceptual.json").write_text(json.dumps(figures, indent=1, ensure_ascii=False), "utf-8")
    sys.stdout.write(table(figures) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
