"""Pairs that a job made and the curve of a judge's choices, by the queue: killed, taken away, trained on, shown."""

from __future__ import annotations

import io
import json
import os
import random
import signal
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.testclient import TestClient

from app.admin_routes import admin_routes
from app.job_tools import Tools
from app.settings import Settings
from app.studio import Studio
from app.tabs import _admin_view, _job_plots
from core.errors import BadInput, JudgeFailed
from core.formats import FORMATS, LabelledPair
from core.formats.preference_jsonl import PLUG as PREFERENCE_JSONL
from core.models.served import EndpointSpec
from core.nouns import Task
from storage.jobs import JobState
from tests.app.queueing import Queue, gone, run_here
from tests.app.test_jobs import command
from tests.core.small_pairs import small_pair

MADE = {"candidates": "changes", "teacher_1": "fixed", "teacher_2": "starter", "seed": 1}


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[Queue]:
    queue = Queue(tmp_path)
    yield queue
    queue.end()


def texts(folder: Path, count: int) -> Path:
    draw = random.Random(2)
    words = ["Rain", "falls", "softly", "on", "the", "old", "roof", "tonight.", "Nobody", "minds", "it!"]
    rows = [
        {"id": str(n), "task": "t2t", "prompt": "p"}
        | {f"response_{side}": " ".join(draw.choices(words, k=draw.randint(5, 40))) for side in (1, 2)}
        for n in range(count)
    ]
    path = folder / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_killed_in_mid_run_nothing_that_was_judged_is_judged_again(queue: Queue, tmp_path: Path) -> None:
    source = str(texts(tmp_path, 24))
    job = queue.add("synthesize", source=source, teacher_1="fixed", teacher_2="starter", batch=8)
    worker = queue.until_done(job, 20).worker
    assert worker is not None
    os.kill(worker.pid, signal.SIGKILL)

    def verdicts() -> dict[str, str]:
        with queue.engine.connect() as connection:
            return dict(connection.exec_driver_sql("SELECT key, created FROM job_item").all())  # type: ignore[arg-type]

    queue.until(lambda: gone(worker.pid), look=False)
    before = verdicts()
    assert 20 <= len(before) < 96, "it was done before it could be killed"
    assert queue.jobs.pairs(job.id) is None
    done = queue.until_over(job)
    assert (done.state, done.attempts, done.done, done.total) == (JobState.DONE, 2, 96, 96), done.message
    after = verdicts()
    assert {key: after[key] for key in before} == before
    assert len(after) == 96
    view = queue.jobs.view(job.id)
    assert view.pairs is not None
    rows = list(FORMATS["preference_jsonl"].read(view.pairs, queue.settings.limits))
    assert len(rows) == view.metrics[-1].metrics["pairs kept"] > 0


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Studio, str]:
    """A studio in which pairs were made of small pictures."""
    folder = tmp_path_factory.mktemp("made")
    pair = small_pair(Task.T2I, folder)
    rows = [LabelledPair(line=n, pair=pair.model_copy(update={"id": str(n)})) for n in range(6)]
    PREFERENCE_JSONL.write(folder / "list.jsonl", rows)
    studio = Studio(Settings(data_dir=folder / "data", judge="fixed"))
    job = studio.jobs.add("synthesize", MADE | {"source": str(folder / "list.jsonl")}, "me")
    run_here(studio.settings)
    assert studio.jobs.find(job.id).state is JobState.DONE, studio.jobs.find(job.id).message
    return studio, job.id


def test_an_administrator_takes_them_away_with_their_media(made: tuple[Studio, str], tmp_path: Path) -> None:
    studio, job = made
    here = TestClient(
        Starlette(routes=admin_routes(studio)), client=("127.0.0.1", 5000), base_url="http://127.0.0.1:7860"
    )
    answer = here.get(f"/admin/jobs/{job}/preferences.zip")
    assert answer.status_code == 200
    with zipfile.ZipFile(io.BytesIO(answer.content)) as packed:
        packed.extractall(tmp_path)
    taken, kept = (
        list(FORMATS["preference_jsonl"].read(path, studio.settings.limits))
        for path in (tmp_path / "preferences.jsonl", studio.jobs.pairs(job))
        if path is not None
    )
    assert len(taken) == len(kept) > 0
    assert any(row.pair.first.content.path for row in taken if isinstance(row, LabelledPair))
    for one, other in zip(taken, kept, strict=True):
        assert isinstance(one, LabelledPair)
        assert isinstance(other, LabelledPair)
        assert (one.criterion, one.label, one.reason) == (other.criterion, other.label, other.reason)
        assert one.pair.first.content.sha256 == other.pair.first.content.sha256
    assert not list((studio.settings.jobs_dir / job).glob("*.zip")), "what was packed for it is gone again"
    assert here.get("/admin/jobs/strange/preferences.zip").status_code == 404
    elsewhere = TestClient(Starlette(routes=admin_routes(studio)), client=("203.0.113.9", 5000))
    refused = elsewhere.get(f"/admin/jobs/{job}/preferences.zip")
    assert refused.status_code == 403
    assert "Only an administrator" in refused.text


def test_they_are_shown_with_a_link_and_are_a_source_of_trainings(made: tuple[Studio, str]) -> None:
    studio, job = made
    view = studio.jobs.view(job)
    html = _admin_view.opened(view)
    assert f'href="admin/jobs/{job}/preferences.zip" class="link" download' in html
    assert str(view.pairs) in html
    assert "Teachers&#x27; Cohen&#x27;s kappa" in html
    rows = list(Tools(studio.settings, studio.engine, None).pairs(str(view.pairs)))
    assert rows
    assert all(isinstance(row, LabelledPair) and row.label and row.reason for row in rows)
    rehearsal = studio.jobs.add("rehearsal", {"steps": 1}, "me")
    assert "preferences.zip" not in _admin_view.opened(studio.jobs.view(rehearsal.id))
    studio.jobs.cancel(rehearsal.id)


def test_the_same_teacher_twice_is_refused_before_it_is_queued(queue: Queue) -> None:
    with pytest.raises(BadInput, match="synthesize: both teachers are fixed; choose two different judges"):
        queue.add("synthesize", teacher_1="fixed", teacher_2="fixed")
    assert queue.jobs.newest() == []


def test_a_key_does_not_follow_a_job_to_another_server(tmp_path: Path) -> None:
    own = EndpointSpec(base_url="http://127.0.0.1:8000/v1", model="m", api_key=SecretStr("sk-made-up"), samples=4)
    tools = Tools(Settings(data_dir=tmp_path, endpoint=own), None, None)
    here, there = tools.served("other"), tools.served("other", "http://127.0.0.1:9000/v1")
    assert (here.model, here.base_url, here.api_key, here.samples) == ("other", own.base_url, own.api_key, 1)
    assert (there.base_url, there.api_key) == ("http://127.0.0.1:9000/v1", None)
    with pytest.raises(JudgeFailed, match="is no address"):
        tools.served("other", "not an address")
    with pytest.raises(JudgeFailed, match="Set STUDIO_ENDPOINT__BASE_URL"):
        Tools(Settings(data_dir=tmp_path), None, None).served("other")


def test_a_curve_is_queued_by_hand_and_shown_as_lines_and_a_table(queue: Queue, tmp_path: Path) -> None:
    draw = random.Random(4)
    rows = [
        {
            "id": str(n),
            "task": "t2t",
            "candidates": [{"content": "x" * size, "quality": size} for size in draw.sample(range(1, 50), 4)],
        }
        for n in range(6)
    ]
    source = tmp_path / "candidates.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = command(queue, "jobs", "add", "best_of_n", "--source", str(source), "--judge", "fixed", "--wait")
    assert done.returncode == 0, done.stderr
    view = queue.jobs.view(done.stdout.strip())
    assert view.job.done == view.job.total == 12
    plot = _job_plots.figure(view.metrics)
    lines = {line.name: list(line.y) for line in plot.data}
    assert lines["judge"] == lines["oracle"], "the fixed judge prefers the longer, and quality is length here"
    assert list(plot.data[0].x) == [1, 2, 3, 4]
    html = _admin_view.opened(view)
    assert "<th>judge</th><th>random</th><th>oracle</th>" in html
    assert "Prompts answered, %" in html
