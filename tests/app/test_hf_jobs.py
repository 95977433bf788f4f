"""`score_dataset` on Hugging Face Jobs, as the queue runs it: the judge's settings go along, and cancelling ends it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.job_tools import Tools
from app.settings import Settings
from core.errors import BadInput
from core.models.served import EndpointSpec
from storage import job_events
from storage.db import transaction
from storage.jobs import Job, JobState
from tests.app.queueing import Queue
from tests.app.test_ray_jobs import pairs
from tests.core.engines.remote_hub import REPO, TOKEN, RemoteHub, remote_hub
from tests.core.judges.chat_server import ChatServer, prefers_longer

KEY = "key-of-the-endpoint"


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[RemoteHub]:
    (tmp_path / "hub").mkdir()
    with remote_hub(tmp_path / "hub") as hub:
        yield hub


@pytest.fixture
def server() -> Iterator[ChatServer]:
    server = ChatServer(prefers_longer)
    yield server
    server.close()


@pytest.fixture
def queue(tmp_path: Path, server: ChatServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Queue]:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    queue = Queue(tmp_path, endpoint=EndpointSpec(base_url=server.url, model="m", api_key=KEY))
    yield queue
    queue.end()


def told(queue: Queue, job: Job) -> dict[str, dict]:
    with transaction(queue.engine, write=False) as session:
        return {key: one.model_dump(exclude={"seconds"}) for key, one in job_events.item_verdicts(session, job.id)}


def test_a_job_judges_there_as_here_and_no_secret_is_written_down(queue: Queue, hub: RemoteHub, tmp_path: Path) -> None:
    source = str(pairs(tmp_path, 6))
    there = queue.until_over(queue.add("score_dataset", source=source, judge="endpoint", engine=f"hf_jobs:{REPO}"))
    assert (there.state, there.done) == (JobState.DONE, 6), there.message
    here = queue.until_over(queue.add("score_dataset", source=source, judge="endpoint"))
    assert told(queue, there) == told(queue, here)
    assert len(told(queue, there)) == 6
    log = queue.jobs.log(there.id) + hub.jobs[0].log.read_text()
    assert "Part 1, 6 rows" in log
    assert TOKEN not in log
    assert KEY not in log
    bodies = [(path, body) for _, path, _, body in hub.asked]
    assert {path for path, body in bodies if KEY.encode() in body} == {"/api/jobs/me"}


def test_cancelling_ends_the_remote_job(queue: Queue, hub: RemoteHub, tmp_path: Path) -> None:
    hub.hold()
    job = queue.add("score_dataset", source=str(pairs(tmp_path, 4)), judge="fixed", engine=f"hf_jobs:{REPO}")
    queue.until(lambda: hub.jobs)
    assert queue.jobs.cancel(job.id).state is JobState.CANCELLED
    assert hub.jobs[0].cancelled
    assert hub.files == {}


def test_without_a_token_it_says_what_to_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with pytest.raises(BadInput, match="There is no token for the Hub: set HF_TOKEN"):
        Tools(Settings(data_dir=tmp_path), None, None).hub()


def test_the_settings_of_the_judges_arrive_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = Settings(
        data_dir=tmp_path,
        endpoint=EndpointSpec(base_url="http://x/v1", model="m", api_key=KEY),
        limits=Settings().limits.model_copy(update={"image_bytes": 77}),
    )
    for name, value in given.of_judges().items():
        monkeypatch.setenv(name, value.get_secret_value())
    read = Settings(data_dir=tmp_path)
    for name in ("limits", "endpoint", "reward_head", "generative"):
        assert getattr(read, name) == getattr(given, name)
