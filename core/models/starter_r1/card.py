"""The model card of a trained judge, written from its examination."""

from __future__ import annotations

from pathlib import Path

from core.models.starter_r1.examination import Examination, Interval
from core.models.starter_r1.judging import R1

_TEMPLATE = Path(__file__).with_name("card.md")


def card(judge: R1, found: Examination, about: str = "") -> str:
    """The card's Markdown. `about` says what the sheets are, where they are no real ones."""
    rows = {
        "records that can be read": _percent(found.parsed),
        "verdicts that agree with the starter": _spread(found.accuracy),
        "… where the starter's is no tie": _percent(found.decided),
        "same verdict in both orders": _percent(found.orders_agree),
        "quoted numbers that are on the sheet": _percent(found.numbers_on_sheet),
        "comparisons that are facts of the sheet": _percent(found.comparisons_true),
        "seconds for one order of a pair, alone": f"{found.seconds_alone:.2f}",
        "seconds for one order, in a batch": f"{found.seconds_each:.2f}",
    }
    return _TEMPLATE.read_text("utf-8").format(
        parameters=f"{judge.model.num_parameters() / 1e6:.1f}",
        tokens=len(judge.tokenizer),
        briefs=found.briefs,
        about=f" ({about})" if about else "",
        rows="\n".join(f"| {name} | {value} |" for name, value in rows.items()),
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _spread(found: Interval) -> str:
    return f"{_percent(found.mean)} (95 % interval {100 * found.low:.1f} to {100 * found.high:.1f})"
