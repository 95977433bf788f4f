"""Best of N as a job: judges that know, guess, tie, fail or follow the place. Stopped, nothing is asked twice."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from core.errors import BadInput, JudgeFailed
from core.jobs import KINDS, ItemJudged, Progress
from core.jobs.best_of_n import Selection
from core.judges import JUDGES
from core.nouns import Modality, Preference, Question
from tests.core.job_tools import Answer, Killed, ToldJudge, Tools
from tests.core.small_pairs import content


def candidates(folder: Path, prompts: int = 12, each: int = 5, seed: int = 1) -> Path:
    """Texts whose length is their quality; the same quality comes twice here and there."""
    draw = random.Random(seed)
    rows = []
    for number in range(prompts):
        lengths = [draw.randint(1, 9) for _ in range(each)]
        made = [{"content": "x" * length + chr(97 + place), "quality": length} for place, length in enumerate(lengths)]
        rows.append({"id": str(number), "task": "t2t", "prompt": "p", "candidates": made})
    path = folder / "candidates.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def lengths(question: Question) -> tuple[float, float]:
    first, second = (len(one.content.text or "") - 1.0 for one in (question.pair.first, question.pair.second))
    return first, second


def by_length(question: Question) -> Preference:
    first, second = lengths(question)
    return Preference.TIE if first == second else Preference.FIRST if first > second else Preference.SECOND


def run(folder: Path, answer: Answer, **given: Any) -> tuple[Selection, Tools, ToldJudge]:
    judge = ToldJudge("told", answer)
    tools = Tools({"told": judge})
    given = {"source": str(candidates(folder)), "judge": "told"} | given
    tools.run("best_of_n", folder / "out", **given)
    return read(folder), tools, judge


def read(folder: Path) -> Selection:
    return Selection.model_validate_json((folder / "out" / "result.json").read_text())


def test_rewards_that_know_are_the_oracle_and_each_response_is_judged_once(tmp_path: Path) -> None:
    selection, tools, judge = run(tmp_path, lengths)
    assert [point.n for point in selection.points] == [1, 2, 3, 4, 5]
    assert all(point.judge == point.oracle for point in selection.points)
    assert selection.points[0].judge.value == pytest.approx(selection.points[0].random.value)
    assert (selection.prompts, selection.answered, selection.failures) == (12, 12, 0)
    assert len(judge.asked) == 12 * 3
    assert selection.compared == 12 * 10
    drawn = [event for event in tools.events if isinstance(event, Progress) and event.metrics]
    assert [event.done for event in drawn] == [1, 2, 3, 4, 5, 36]
    assert drawn[1].metrics["quality of the best of n/judge"] == selection.points[1].judge.value
    assert tools.told["prompts answered, %"] == 100


@pytest.mark.parametrize("draws", [1, 8])
def test_knockouts_of_a_judge_that_knows_are_the_oracle(tmp_path: Path, draws: int) -> None:
    selection, _, judge = run(tmp_path, by_length, way="knockout", draws=draws)
    assert all(point.judge == point.oracle for point in selection.points)
    assert selection.points[-1].judge.value > selection.points[-1].random.value
    asked = Counter((q.pair.id, q.pair.first.content.sha256, q.pair.second.content.sha256) for q in judge.asked)
    assert max(asked.values()) == 1, "who has met before is not asked again"
    assert {(name, b, a) for name, a, b in asked} == set(asked), "both orders of each"
    assert selection.ties > 0
    assert len(asked) == 2 * selection.compared


def test_a_judge_that_follows_the_place_keeps_the_first_and_is_chance(tmp_path: Path) -> None:
    selection, _, _ = run(tmp_path, lambda question: Preference.FIRST, way="knockout", draws=16)
    assert selection.ties == selection.compared
    for point in selection.points:
        assert point.judge.value == selection.points[0].judge.value
        assert point.judge.low is not None
        assert point.judge.high is not None
        assert point.judge.low <= point.random.value <= point.judge.high


@pytest.mark.parametrize("way", ["rewards", "knockout"])
def test_a_judge_that_guesses_stays_within_the_interval_of_chance(tmp_path: Path, way: str) -> None:
    draw = random.Random(5)
    answer: Answer = lambda question: (draw.random(), draw.random())  # noqa: E731
    source = str(candidates(tmp_path, prompts=150, each=4))
    selection, _, _ = run(tmp_path, answer, way=way, source=source)
    for point in selection.points:
        assert point.judge.low is not None
        assert point.judge.high is not None
        assert point.judge.low <= point.random.value <= point.judge.high
    assert selection.points[-1].judge.high is not None
    assert selection.points[-1].judge.high < selection.points[-1].oracle.value


@pytest.mark.parametrize("way", ["rewards", "knockout"])
def test_a_prompt_of_which_a_verdict_failed_is_counted_and_not_guessed(tmp_path: Path, way: str) -> None:
    def answer(question: Question) -> tuple[float, float]:
        if question.pair.id in ("3", "7"):
            raise JudgeFailed("It cannot be heard.")
        return lengths(question)

    selection, tools, _ = run(tmp_path, answer, way=way)
    assert (selection.prompts, selection.answered) == (12, 10)
    assert selection.failures > 0
    assert {point.judge.of for point in selection.points} == {10}
    assert tools.told["prompts answered, %"] == pytest.approx(100 * 10 / 12)
    nobody, tools, _ = run(
        tmp_path,
        lambda question: answer(question.model_copy(update={"pair": question.pair.model_copy(update={"id": "3"})})),
        way=way,
    )
    assert (nobody.answered, nobody.points) == (0, ())


def test_a_judge_without_rewards_is_told_to_compare_after_one_batch(tmp_path: Path) -> None:
    judge = ToldJudge("told", by_length)
    tools = Tools({"told": judge})
    with pytest.raises(BadInput, match="gives no rewards; choose the way knockout"):
        tools.run("best_of_n", tmp_path / "out", source=str(candidates(tmp_path)), judge="told", batch=2)
    assert len(judge.asked) == 2


@pytest.mark.parametrize("way", ["rewards", "knockout"])
def test_killed_anywhere_it_goes_on_to_the_very_same_result(tmp_path: Path, way: str) -> None:
    given = {"way": way, "draws": 2, "batch": 4, "judge": "told", "source": str(candidates(tmp_path, prompts=5))}
    run(tmp_path, lengths, **given)
    whole = (tmp_path / "out" / "result.json").read_bytes()
    judge = ToldJudge("told", lengths)
    tools = Tools({"told": judge})
    with pytest.raises(Killed):
        tools.run("best_of_n", tmp_path / "again", killed_after=3, **given)
    with pytest.raises(Killed):
        tools.run("best_of_n", tmp_path / "again", killed_after=6, **given)
    tools.run("best_of_n", tmp_path / "again", **given)
    assert (tmp_path / "again" / "result.json").read_bytes() == whole
    keys = [event.key for event in tools.events if isinstance(event, ItemJudged)]
    assert len(keys) == len(set(keys)), "nothing that was kept is judged again"


def test_prompts_of_unlike_numbers_say_how_many_each_n_stands_on(tmp_path: Path) -> None:
    path = candidates(tmp_path, prompts=2, each=4)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows[1]["candidates"] = rows[1]["candidates"][:2]
    rows.append({"id": "broken"})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    selection, tools, _ = run_on(path, tmp_path)
    assert [point.judge.of for point in selection.points] == [2, 2, 1, 1]
    assert selection.bad_rows == 1
    told = [
        event.metrics["prompts with n candidates"]
        for event in tools.events
        if isinstance(event, Progress) and "prompts with n candidates" in event.metrics
    ]
    assert told == [2, 2, 1, 1]


def run_on(path: Path, folder: Path) -> tuple[Selection, Tools, ToldJudge]:
    judge = ToldJudge("told", lengths)
    tools = Tools({"told": judge})
    tools.run("best_of_n", folder / "out", source=str(path), judge="told")
    return read(folder), tools, judge


@pytest.mark.parametrize("modality", list(Modality))
def test_the_fixed_judge_chooses_among_files_of_every_modality(tmp_path: Path, modality: Modality) -> None:
    task = {"text": "t2t", "image": "t2i", "video": "t2v", "audio": "t2a", "mesh": "t23d"}[modality]
    made = [content(modality, which, tmp_path) for which in (0, 1)]
    sizes = [len(one.text or "") if one.path is None else one.path.stat().st_size for one in made]
    row = {
        "id": "a",
        "task": task,
        "candidates": [
            {"content": one.text or one.name, "quality": size} for one, size in zip(made, sizes, strict=True)
        ],
    }
    (tmp_path / "few.jsonl").write_text(json.dumps(row) + "\n")
    tools = Tools({"fixed": JUDGES["fixed"].load()})
    tools.run("best_of_n", tmp_path / "out", source=str(tmp_path / "few.jsonl"), judge="fixed")
    assert read(tmp_path).points[-1].judge.value == max(sizes)


def test_nothing_to_choose_from_is_told_with_the_first_reason(tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text('{"id":"a","task":"t2t"}\n')
    with pytest.raises(BadInput, match=r"no candidates in 'bad.jsonl'.*Line 1: 'candidates' is not a list"):
        Tools().run("best_of_n", tmp_path / "out", source=str(tmp_path / "bad.jsonl"))


@pytest.mark.parametrize(("way", "most"), [("rewards", 36), ("knockout", 96)])
def test_an_estimate_counts_at_most_what_is_asked(tmp_path: Path, way: str, most: int) -> None:
    tools, kind = Tools({"fixed": JUDGES["fixed"].load()}), KINDS["best_of_n"]
    spec = kind.Spec.model_validate({"source": str(candidates(tmp_path)), "judge": "fixed", "way": way})
    assert f"12 prompts, at most {most} verdicts" in kind.estimate(spec, tools).says
    assert tools.events == []
