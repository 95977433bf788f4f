"""The starter from scratch: prepare, train, test on unseen files and wordings, write the card, ship if asked."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.models.starter.card import write_card
from core.models.starter.perceptual import perceptual_test, table
from core.models.starter.scoring import Starter
from core.models.starter.training import train

SHIPPED = Path(__file__).resolve().parents[3] / "assets" / "starter"


def train_and_test(
    data_dir: Path,
    out_dir: Path,
    recipe_path: Path | None = None,
    *,
    ship: bool = False,
    report: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Run a recipe to its end in `out_dir`, going on where it was stopped; returns the test's figures by modality.

    With `ship` the finished model replaces the one in assets/starter. Raises BadInput and MissingExtra as `train` does.
    """
    folder = train(recipe_path, data_dir, out_dir, report=report)
    figures = perceptual_test(folder, data_dir, out_dir / "evidence", recipe_path, report=report)
    (folder / "perceptual.json").write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", "utf-8")
    write_card(folder, figures, Starter.read(folder).config)
    report(table(figures))
    if ship:
        SHIPPED.mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():
            shutil.copy2(path, SHIPPED / path.name)
        report(f"Shipped in {SHIPPED.parent.name}/{SHIPPED.name}")
    return figures
