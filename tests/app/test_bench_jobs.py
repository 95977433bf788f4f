"""A bench as a job: stopped and gone on with, with figures to the same bits; and what is said of what cannot be."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.__main__ import cli
from core.bench_metrics import Ties
from core.benching import Result
from core.errors import BadInput, NotFound
from core.jobs.bench_run import metrics_of
from storage.jobs import Job, JobState
from tests.app.queueing import Queue, gone


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    queue = Queue(tmp_path)
    yield queue
    queue.end()


def result_of(queue: Queue, job: Job) -> bytes:
    return (queue.settings.jobs_dir / job.id / "out" / "result.json").read_bytes()


def test_the_starter_gives_the_same_result_to_the_last_bit_after_a_stop(queue: Queue) -> None:
    # long enough to be stopped on a fast machine, too
    asked = {"bench": "embedded", "judge": "starter", "sample": 6, "batch": 2}
    stopped = queue.add("bench_run", **asked)
    worker = queue.until_done(stopped, 3).worker
    assert worker is not None
    os.kill(worker.pid, signal.SIGKILL)
    queue.until(lambda: gone(worker.pid), look=False)
    at_the_stop = queue.jobs.find(stopped.id)
    assert at_the_stop.total is not None
    assert 3 <= at_the_stop.done < at_the_stop.total, "it was over before it could be stopped"
    whole = queue.add("bench_run", **asked)
    ended = [queue.until_over(job) for job in (stopped, whole)]
    assert [(job.state, job.attempts) for job in ended] == [(JobState.DONE, 2), (JobState.DONE, 1)]
    assert result_of(queue, stopped) == result_of(queue, whole)
    result = Result.model_validate_json(result_of(queue, whole))
    assert result.judged == result.items == at_the_stop.total
    assert {summary.ties for summary in result.summaries} == set(Ties)
    assert queue.jobs.view(whole.id).metrics[-1].metrics == metrics_of(result)


def test_an_estimate_counts_the_pairs_of_a_bench(queue: Queue) -> None:
    estimate = queue.jobs.estimate("bench_run", {"judge": "fixed", "sample": "1"})
    assert "pairs" in estimate.says
    assert queue.jobs.newest() == []
    with pytest.raises(BadInput, match="does not come with the program"):
        queue.jobs.estimate("bench_run", {"bench": "reward_bench", "judge": "fixed"})
    with pytest.raises(NotFound, match=r"no bench .nothing.*embedded"):
        queue.jobs.add("bench_run", {"bench": "nothing"}, "me")


@pytest.mark.parametrize("folder", ["hub", "hub:main"])
def test_the_hub_is_no_folder_of_this_machine(queue: Queue, folder: str) -> None:
    assert queue.add("bench_run", bench="hh_rlhf", judge="fixed", folder=folder).spec["folder"] == folder


def test_a_folder_that_holds_no_row_of_the_bench_fails_in_a_sentence(queue: Queue, tmp_path: Path) -> None:
    folder = tmp_path / "downloaded"
    folder.mkdir()
    (folder / "test.jsonl").write_text(json.dumps({"chosen": "?"}) + "\n")
    job = queue.add("bench_run", bench="hh_rlhf", judge="fixed", folder=str(folder))
    failed = queue.until_over(job)
    assert failed.state is JobState.FAILED
    assert "could be read" in failed.message


# -- the command line -----------------------------------------------------------------------------------------------


def bench(queue: Queue, *words: str) -> tuple[int, str, str]:
    kept = {"STUDIO_DATA_DIR": str(queue.settings.data_dir), "STUDIO_JUDGE": "fixed"}
    done = CliRunner().invoke(cli, ["bench", *words], env=kept)
    return done.exit_code, done.stdout, done.stderr


def test_the_command_waits_and_prints_each_way_to_count_with_coverage(queue: Queue) -> None:
    code, told, said = bench(queue, "embedded", "--sample", "1", "--seed", "3")
    assert code == 0, said
    [job] = queue.jobs.newest()
    assert (job.spec["sample"], job.spec["seed"], job.spec["judge"]) == (1, 3, "fixed")
    result = Result.model_validate_json(result_of(queue, job))
    first, *tables = told.split("\n\n")
    assert first == f"fixed on Embedded: {result.judged} pairs"
    for summary, printed in zip(result.summaries, tables, strict=True):
        title, head, *lines = printed.splitlines()
        assert title == f"{summary.ties}, in %"
        assert head.split() == ["over", "all", "answered", "coverage", "failures"]
        assert [line.split()[0] for line in lines] == [part.name for part in summary.parts] + ["overall"]
        overall = summary.overall[0]
        assert overall.over_all is not None
        assert overall.over_answered is not None
        assert summary.coverage is not None
        figures = lines[-1].split()
        assert figures[1] == f"{100 * overall.over_all.value:.1f}"
        assert figures[3:] == [f"{100 * overall.over_answered.value:.1f}", f"{100 * summary.coverage.value:.0f}"]


def test_what_cannot_be_run_is_a_sentence(queue: Queue) -> None:
    code, told, said = bench(queue, "nothing")
    assert (code, told) == (2, "")
    assert "no bench 'nothing'" in said
    code, told, said = bench(queue, "reward_bench")
    assert (code, told) == (3, "")
    assert "does not come with the program" in said
    assert "failed" in said
