"""Train and examine the generative judge on briefs in a file of JSON lines, one `Brief` a line.

python -m core.models.starter_r1 sft BRIEFS OUT
python -m core.models.starter_r1 grpo BRIEFS OUT START
python -m core.models.starter_r1 examine BRIEFS MODEL [MODEL …]      the gains of each over the first
    --card "made-up ones"      also write README.md beside the weights, saying so of the briefs
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from core.models.starter_r1.brief import Brief
from core.models.starter_r1.recipe import Recipe


def read_briefs(path: Path) -> list[Brief]:
    return [Brief.model_validate_json(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m core.models.starter_r1")
    parser.add_argument("what", choices=("sft", "grpo", "examine"))
    parser.add_argument("briefs", type=Path)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--recipe", type=Path)
    parser.add_argument("--card", nargs="?", const="")
    asked = parser.parse_args(arguments)
    recipe, briefs = Recipe.read(asked.recipe), read_briefs(asked.briefs)
    if asked.what == "examine":
        _examine(briefs, asked.folders, recipe, asked.card)
    elif asked.what == "sft":
        from core.models.starter_r1.sft import sft

        sft(briefs, asked.folders[0], recipe, _say)
    else:
        from core.models.starter_r1.grpo import grpo

        grpo(briefs, asked.folders[0], recipe, _say, start=asked.folders[-1])


def _examine(briefs: list[Brief], folders: list[Path], recipe: Recipe, about: str | None) -> None:
    import torch

    from core.models.starter_r1.card import card
    from core.models.starter_r1.examination import examine, gain
    from core.models.starter_r1.judging import R1

    torch.set_num_threads(recipe.threads)
    judges = [R1.read(folder) for folder in folders]
    found = [examine(judge, briefs, recipe) for judge in judges]
    for folder, judge, examination in zip(folders, judges, found, strict=True):
        _say(json.dumps({"model": folder.name, **examination.summary()}, indent=1))
        if about is not None:
            (folder / "README.md").write_text(card(judge, examination, about), "utf-8")
        if examination is not found[0]:
            gains = gain(found[0], examination, recipe.seed)
            _say(json.dumps({name: known.model_dump() for name, known in gains.items()}, indent=1))


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
