"""Made-up briefs: plausible sheets without any file behind them, whose answer is known.

`asked` is Σ weight · (score of A − score of B) plus a little noise; without a criterion it is the sum of the effects.
Labels, units and comparatives are those of the real measures.

python -m tests.core.models.starter_r1.made_up SEED COUNT > briefs.jsonl
"""

from __future__ import annotations

import random
import sys

from core.modalities import MODALITIES
from core.models.starter_r1.brief import Brief, Line, Wish
from core.nouns import Measure, Modality

NOISE = 0.05  # nats
WANTS = ("Prefer the one that is {}", "{}", "{}, please", "I want it {}", "make it {}", "should be {}")
SPURNS = ("not {}", "nothing {}", "Prefer the one that is not {}", "it must not be {}", "avoid {}")


def made_up(count: int, seed: int) -> list[Brief]:
    """`count` briefs in all five modalities; the same seed gives the same ones."""
    rng = random.Random(seed)
    return [_brief(rng) for _ in range(count)]


def _brief(rng: random.Random) -> Brief:
    modality = rng.choice(list(Modality))
    measures = rng.sample(MODALITIES[modality].measures, rng.randint(3, 8))
    general = rng.gauss(0, 1)
    if rng.random() < 0.25:
        effects = [rng.gauss(0, 0.6) for _ in measures]
        asked = sum(effects) + rng.gauss(0, NOISE)
        criterion, wishes, general = None, [], asked
    else:
        wishes = _wishes(rng, measures)
        asked = sum(wish.amount for wish in wishes) + rng.gauss(0, NOISE)
        criterion = ", ".join(_wording(rng, wish) for wish in wishes)
        shares = [rng.expovariate(1) for _ in measures]
        effects = [asked * share / sum(shares) + rng.gauss(0, 0.15) for share in shares]
    lines = [_line(rng, measure, effect) for measure, effect in zip(measures, effects, strict=True)]
    return Brief.of(modality, criterion, wishes, lines, general=general, asked=asked)


def _wishes(rng: random.Random, measures: list[Measure]) -> list[Wish]:
    count = min(len(measures), rng.choice((1, 1, 2, 2, 3, 4)))
    return [
        Wish(
            gloss=measure.more,
            weight=round(rng.choice((-1, 1)) * rng.uniform(0.2, 1.0), 2),
            first=round(rng.gauss(0, 1), 2),
            second=round(rng.gauss(0, 1), 2),
        )
        for measure in rng.sample(measures, count)
    ]


def _wording(rng: random.Random, wish: Wish) -> str:
    return rng.choice(WANTS if wish.weight > 0 else SPURNS).format(wish.gloss)


def _line(rng: random.Random, measure: Measure, effect: float) -> Line:
    middle = rng.gauss(0, 3) * 10 ** rng.choice((0, 0, 0, 1))
    first, second = (round(middle + rng.gauss(0, 1), measure.digits) for _ in range(2))
    return Line(
        label=measure.label,
        unit=measure.unit,
        digits=measure.digits,
        first=first,
        second=second,
        effect=effect,
        more=measure.more,
        less=measure.less,
    )


if __name__ == "__main__":
    for made in made_up(int(sys.argv[2]), int(sys.argv[1])):
        sys.stdout.write(made.model_dump_json() + "\n")
