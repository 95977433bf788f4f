"""The starter's model card, written from what was measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.models.starter.perceptual import table
from core.nouns import Modality

_TEMPLATE = Path(__file__).with_name("card.md")


def card(figures: dict[str, Any], config: Any) -> str:
    """The card's Markdown for figures of `perceptual.perceptual_test` and the model's config."""
    rows = []
    weakest = []
    for modality, found in figures.items():
        label = Modality(modality).label
        human = ", ".join(f"{source} {100 * share:.0f}" for source, share in found["human"].items()) or "–"
        coverage = found["coverage"]
        shares = (f"{100 * coverage[name]:.1f}" for name in ("wishes_answered", "unaskable_refused"))
        rows.append(f"| {label} | {' | '.join(shares)} | {human} |")
        lowest = sorted(found["by_end"].items(), key=lambda item: item[1])[:5]
        weakest.append(f"- {label}: " + ", ".join(f"{end} {100 * share:.0f} %" for end, share in lowest))
    sources = sorted(figures.get("text", {}).get("human", {}))
    return _TEMPLATE.read_text("utf-8").format(
        human=", ".join(sources) or "none",
        layers=config.num_hidden_layers,
        vocabulary=f"{config.vocab_size:,}",
        temperature=config.reward_temperature,
        nu=config.tie_weight,
        epsilon=config.tie_threshold,
        coverage=config.coverage_threshold,
        files=", ".join(f"{Modality(m).label} {f['counts']['files']}" for m, f in figures.items()),
        table=table(figures),
        coverage_rows="\n".join(rows),
        weakest="\n".join(weakest),
    )


def write_card(model_dir: Path, figures: dict[str, Any], config: Any) -> None:
    """README.md beside the weights."""
    (model_dir / "README.md").write_text(card(figures, config), "utf-8")
