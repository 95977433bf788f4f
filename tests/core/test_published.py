"""The published tables are as printed, hold together, and take one's own runs in."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.bench_comparison import correlations
from core.bench_metrics import Outcome, Ties, task_summaries
from core.benches import BENCHES
from core.errors import BadInput, NotFound
from core.nouns import Failure, FailureKind, Preference, Task, Verdict
from core.published import ASSETS, TABLES, place, published, tables_for

TO_TWO_DIGITS = [name for name in TABLES if name.startswith("omni_reward_bench")]
AS_PRINTED = {("vl_reward_bench", "LLaVA-Critic-8B")}  # its parts give 50.7, its macro accuracy is printed as 44.0


@pytest.mark.parametrize("name", TABLES)
def test_every_mean_is_the_unweighted_mean_of_the_rows_tasks(name: str) -> None:
    table = published(name)
    assert table.rows
    for row in table.rows:
        mean = sum(row.scores.values()) / len(row.scores)
        # with one digit printed, the scores and their mean are each off by up to 0.05
        allowed = 0.0101 if name in TO_TWO_DIGITS else 0.1
        assert (abs(row.mean - mean) <= allowed) != ((name, row.model) in AS_PRINTED), (row.model, row.mean, mean)


@pytest.mark.parametrize("name", TABLES)
def test_every_table_says_what_compares_with_it(name: str) -> None:
    table = published(name)
    assert table.source
    assert (table.bench is None) == (table.ties is None)
    assert len({row.model for row in table.rows}) == len(table.rows)
    if table.bench:
        assert table in tables_for(table.bench)
        assert table.bench in BENCHES
    if name in TO_TWO_DIGITS:
        assert table.tasks == tuple(task.value for task in Task)
    assert all(set(row.scores) <= set(table.tasks) for row in table.rows)
    assert f"`{name}.csv`" in (ASSETS / "README.md").read_text(encoding="utf-8")
    assert {path.stem for path in ASSETS.glob("*.csv")} == set(TABLES)


def test_figures_of_the_paper_are_read_as_printed() -> None:
    rows = {row.model: row for row in published("omni_reward_bench_with_ties").rows}
    assert rows["Omni-RewardModel-BT"].mean == 65.36
    assert rows["Omni-RewardModel-BT"].scores["t2a"] == 63.99
    assert "ta2t" not in rows["Claude-3-5-Sonnet-20241022"].scores
    assert "Average" not in rows
    assert published("vl_reward_bench").rows[-1].pooled == 76.3


def test_the_tables_of_single_benches_are_columns_of_the_five() -> None:
    five = published("omni_rrm_five_benches")
    for name in ("sharegpt_video", "audio_hh_rlhf"):
        table = published(name)
        assert {row.model: row.mean for row in table.rows} == {row.model: row.scores[name] for row in five.rows}
        verdict = Verdict(judge="j", criterion=None, preference=Preference.FIRST)
        task = BENCHES[name].tasks[0]
        outcomes = [
            Outcome(key=f"{n}", task=task, subset=table.tasks[0], label=Preference.FIRST, verdict=verdict)
            for n in range(3)
        ]
        best = place(table, {"mine": BENCHES[name].summaries(outcomes, 0)[0]})[0]
        assert (best.row.model, best.rank, best.row.scores) == ("mine", 1, {table.tasks[0]: 100.0})


def test_tasks_go_together_over_the_published_models() -> None:
    found = {(c.first, c.second): c for c in correlations([row.scores for row in published(TO_TWO_DIGITS[0]).rows])}
    assert len(found) == 36
    assert found["t2t", "ti2t"].models == 37
    assert found["t2t", "ti2t"].spearman > found["t2t", "t2v"].spearman


def _run(right: int, of: int, failed: int = 0) -> list[Outcome]:
    outcomes = []
    for task in (Task.T2T, Task.T2I):
        for n in range(of):
            preference = Preference.FIRST if n < right else Preference.SECOND
            verdict = Verdict(judge="j", criterion=None, preference=preference)
            if n >= of - failed:
                failure = Failure(kind=FailureKind.UNREADABLE, message="?")
                verdict = Verdict(judge="j", criterion=None, failure=failure)
            outcomes.append(Outcome(key=f"{task}/{n}", task=task, subset=task, label=Preference.FIRST, verdict=verdict))
    return outcomes


def test_own_runs_stand_where_their_mean_puts_them() -> None:
    table = published("omni_reward_bench_with_ties")
    (best, weak) = (task_summaries(_run(right, 10, failed), 0)[2] for right, failed in ((10, 0), (3, 5)))
    assert best.ties is Ties.TEST_SET
    placed = place(table, {"mine": best, "also mine": weak})
    assert [one.rank for one in placed] == sorted(one.rank for one in placed)
    assert (placed[0].row.model, placed[0].own, placed[0].rank) == ("mine", True, 1)
    assert placed[0].row.scores == {"t2t": 100.0, "t2i": 100.0}
    last = placed[-1]
    assert (last.row.model, last.rank, last.row.mean) == ("also mine", len(table.rows) + 2, pytest.approx(30.0))
    assert last.coverage == {"t2t": 50.0, "t2i": 50.0}
    assert [one.row for one in placed if not one.own] == sorted(table.rows, key=lambda row: (-row.mean, row.model))


def test_a_vl_run_is_placed_by_its_macro_accuracy_beside_its_overall() -> None:
    verdict = Verdict(judge="j", criterion=None, preference=Preference.FIRST)
    shares = {"general": (1, 1), "hallucination": (1, 4)}
    outcomes = [
        Outcome(
            key=f"{name}/{n}",
            task=Task.TI2T,
            subset=name,
            label=Preference.FIRST if n < right else Preference.SECOND,
            verdict=verdict,
        )
        for name, (right, of) in shares.items()
        for n in range(of)
    ]
    (summary,) = BENCHES["vl_reward_bench"].summaries(outcomes, 0)
    (mine,) = (one for one in place(published("vl_reward_bench"), {"mine": summary}) if one.own)
    assert (mine.row.mean, mine.row.pooled) == (pytest.approx(62.5), pytest.approx(40.0))


def test_what_does_not_compare_is_refused(tmp_path: Path) -> None:
    own = task_summaries(_run(5, 10), 0)[1]
    with pytest.raises(BadInput, match="counts with ties, the threshold chosen on the test set"):
        place(published("omni_reward_bench_with_ties"), {"mine": own})
    with pytest.raises(NotFound, match="vl_reward_bench"):
        published("nothing")
    (tmp_path / "vl_reward_bench.csv").write_text("model,general\nx,many\n")
    for name in ("vl_reward_bench", "omni_rrm_five_benches"):
        with pytest.raises(BadInput, match="reinstall"):
            published(name, tmp_path)
