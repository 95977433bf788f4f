"""Supervised fine-tuning from scratch: the judge learns to write the records that are synthesised from briefs."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import Trainer, TrainingArguments

from core.errors import BadInput
from core.models.starter_r1.brief import Brief, prompt_of
from core.models.starter_r1.model import new_model, save_model
from core.models.starter_r1.pace import Diary, Pace, Report
from core.models.starter_r1.recipe import Recipe
from core.models.starter_r1.records import record_of
from core.models.starter_r1.tokens import learn_tokens

_IGNORED = -100


@dataclass(frozen=True)
class Example:
    """A sheet and the record that is to be written of it."""

    prompt: str
    record: str


def examples_of(briefs: Sequence[Brief], recipe: Recipe) -> list[Example]:
    """One example of every brief and one of the same brief swapped, so that neither place is the better one."""
    rng = random.Random(recipe.seed)  # noqa: S311 - chooses wordings
    both = [order for brief in briefs for order in (brief, brief.swapped)]
    return [Example(prompt_of(brief), record_of(brief, rng, recipe.tie_threshold).text) for brief in both]


def sft(briefs: Sequence[Brief], out_dir: Path, recipe: Recipe, report: Report) -> Path:
    """Learn tokens and train a new model on records of `briefs`. Returns the folder that holds it.

    The loss is the cross-entropy of the record's tokens; the sheet is only read. Raises BadInput without briefs.
    """
    if not briefs:
        raise BadInput("There are no briefs to learn from; give at least one.")
    torch.set_num_threads(recipe.threads)
    examples = examples_of(briefs, recipe)
    tokenizer = learn_tokens((e.prompt + e.record for e in examples[:20_000]), recipe.shape.vocab_size)
    model = new_model(recipe.shape, tokenizer, recipe.seed)
    report(f"{len(examples)} records, {len(tokenizer)} tokens, {model.num_parameters() / 1e6:.1f} million parameters")
    rows = [_row(tokenizer, example) for example in examples]
    fitting = [row for row in rows if len(row["input_ids"]) <= recipe.shape.longest]
    report(f"{len(rows) - len(fitting)} records are too long; mean length {_mean_length(fitting):.0f} tokens")
    pace = Pace(recipe.sft)
    trainer = Trainer(
        model=model,
        args=TrainingArguments(
            output_dir=str(out_dir),
            max_steps=recipe.sft.steps,
            per_device_train_batch_size=recipe.sft.batch,
            train_sampling_strategy="group_by_length",
            bf16=recipe.bf16,
            use_cpu=True,
            seed=recipe.seed,
            logging_steps=recipe.sft.log_every,
            save_strategy="no",
            report_to="none",
            remove_unused_columns=False,
            dataloader_num_workers=0,
            disable_tqdm=True,
        ),
        train_dataset=fitting,
        data_collator=lambda batch: _padded(batch, int(tokenizer.pad_token_id)),
        optimizers=pace.optimizers(model),
        callbacks=[Diary(pace, out_dir / "metrics.jsonl", report)],
    )
    trainer.train()
    return save_model(model, tokenizer, out_dir)


def _row(tokenizer: Any, example: Example) -> dict[str, list[int]]:
    prompt = tokenizer(example.prompt)["input_ids"]
    record = [*tokenizer(example.record)["input_ids"], tokenizer.eos_token_id]
    return {"input_ids": prompt + record, "labels": [_IGNORED] * len(prompt) + record}


def _mean_length(rows: list[dict[str, list[int]]]) -> float:
    return sum(len(row["input_ids"]) for row in rows) / max(1, len(rows))


def _padded(rows: list[dict[str, list[int]]], pad: int) -> dict[str, Tensor]:
    """Rows as tensors [batch, longest], padded on the right."""
    longest = max(len(row["input_ids"]) for row in rows)

    def stacked(name: str, fill: int) -> Tensor:
        return torch.tensor([row[name] + [fill] * (longest - len(row[name])) for row in rows])

    ids = stacked("input_ids", pad)
    return {"input_ids": ids, "labels": stacked("labels", _IGNORED), "attention_mask": (ids != pad).long()}
