"""Train and examine the generative judge on briefs in a file of JSON lines, one `Brief` a line.

python -m core.models.starter_r1 sft BRIEFS OUT
python -m core.models.starter_r1 grpo BRIEFS OUT START
python -m core.models.starter_r1 examine BRIEFS MODEL [MODEL …]      the gains of each over the first
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
    asked = parser.parse_args(arguments)
    recipe, briefs = Recipe.read(asked.recipe), read_briefs(asked.briefs)
    if asked.what == "examine":
        _examine(briefs, asked.folders, recipe)
    elif asked.what == "sft":
        from core.models.starter_r1.sft import sft

        sft(briefs, asked.folders[0], recipe, _say)
    else:
        from core.models.starter_r1.grpo import grpo

        grpo(briefs, asked.folders[0], recipe, _say, start=asked.folders[-1])


def _examine(briefs: list[Brief], folders: list[Path], recipe: Recipe) -> None:
    import torch

    from core.models.starter_r1.examination import examine, gain
    from core.models.starter_r1.judging import R1

    torch.set_num_threads(recipe.threads)
    found = [examine(R1.read(folder), briefs, recipe) for folder in folders]
    for folder, examination in zip(folders, found, strict=True):
        _say(json.dumps({"model": folder.name, **examination.summary()}, indent=1))
        if examination is not found[0]:
            gains = gain(found[0], examination, recipe.seed)
            _say(json.dumps({name: known.model_dump() for name, known in gains.items()}, indent=1))


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
