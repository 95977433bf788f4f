"""`score_dataset` over Ray: as many verdicts and the same ones, whoever is killed meanwhile."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.job_tools import Tools
from app.processes import end_tree
from app.settings import Settings
from core.jobs import KINDS, ItemJudged, JobEvent
from core.models.served import EndpointSpec
from core.nouns import Preference
from storage import job_events
from storage.db import open_database, transaction
from storage.jobs import Job, JobState
from tests.app.queueing import LONGEST, Queue, gone
from tests.core.judges.chat_server import ChatServer, Received, Reply, prefers_longer

TOKEN = "only-for-this-test"  # noqa: S105 - made up here
# a machine that is busy with other things, or short of memory, is no reason to give a worker up
PATIENT = {
    "RAY_worker_register_timeout_seconds": "200",
    "RAY_memory_monitor_refresh_ms": "0",
    "RAY_prestart_worker_first_driver": "0",
}


def pairs(folder: Path, count: int) -> Path:
    path = folder / "pairs.jsonl"
    rows = [
        {
            "id": str(n),
            "task": "t2t",
            "prompt": "p",
            "response_1": "x" * (1 + n * 5 % 29),
            "response_2": f"xx in row {n}.",
        }
        for n in range(count)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def ray_workers(pid: int) -> list[psutil.Process]:
    """The processes below `pid` that Ray judges in, those at work first."""
    found = []
    for process in psutil.Process(pid).children(recursive=True):
        try:
            title = (process.cmdline() or [""])[0]
        except psutil.Error:
            continue
        if title in ("ray::judge_part", "ray::IDLE"):
            found.append((title, process))
    return [process for _, process in sorted(found, key=lambda one: one[0] == "ray::IDLE")]


def test_ten_thousand_pairs_on_two_ray_workers_one_of_them_killed_are_judged_as_in_this_process(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    source, kind = pairs(tmp_path, 10_000), KINDS["score_dataset"]

    def judged(engine: str, kill_at: int | None = None) -> dict[str, dict[str, Any]]:
        verdicts: dict[str, dict[str, Any]] = {}

        def report(event: JobEvent) -> None:
            if isinstance(event, ItemJudged):
                assert event.key not in verdicts
                verdicts[event.key] = event.verdict.model_dump(exclude={"seconds"})
                if len(verdicts) == kill_at:
                    ray_workers(os.getpid())[0].kill()

        tools = Tools(settings, open_database(settings.database), None)
        kind.run(kind.Spec(source=str(source), judge="fixed", engine=engine, workers=2), tools, tmp_path, report)
        return verdicts

    heard = signal.getsignal(signal.SIGTERM)
    there = {process.pid for process in psutil.Process().children(recursive=True)}
    shared = judged("ray", kill_at=4000)
    assert len(shared) == 10_000
    assert shared == judged("local")
    assert signal.getsignal(signal.SIGTERM) == heard, "Ray would hear that this process is told to stop"
    left = [one for one in psutil.Process().children(recursive=True) if one.pid not in there and not gone(one.pid)]
    assert left == [], "Ray outlives the job"


class HoldingServer:
    """A chat server that holds back its answers about one row, and counts what it is asked about each."""

    def __init__(self) -> None:
        self.held, self.go, self.asked = -1, threading.Event(), Counter[int]()
        self.server = ChatServer(self._answer)

    def _answer(self, request: Received) -> Reply:
        row = int(re.findall(r"in row (\d+)\.", request.text)[0])
        self.asked[row] += 1
        if row == self.held:
            self.go.wait(LONGEST)
        return prefers_longer(request)

    def hold(self, row: int) -> None:
        self.held = row
        self.go.clear()
        self.asked.clear()


@pytest.fixture(scope="module")
def server() -> Iterator[HoldingServer]:
    holding = HoldingServer()
    yield holding
    holding.go.set()
    holding.server.close()


class Cluster:
    """A Ray cluster of two CPUs that was there before, started where this program cannot be imported from."""

    def __init__(self, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        given = {"port": port, "num-cpus": 2, "temp-dir": folder, "include-dashboard": "false"}
        self.head = subprocess.Popen(
            [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block"]
            + [f"--{name}={value}" for name, value in given.items()],
            cwd=folder,
            env=os.environ
            | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN, "RAY_USAGE_STATS_ENABLED": "0"}
            | PATIENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        said = []
        for line in self.head.stdout or ():
            said.append(line)
            if "Ray runtime started" in line:
                break
        assert self.head.poll() is None, "".join(said)
        self.engine = f"ray:127.0.0.1:{port}"

    def busy(self) -> list[psutil.Process]:
        return [one for one in ray_workers(self.head.pid) if one.cmdline()[0] == "ray::judge_part"]

    def end(self) -> None:
        end_tree(self.head.pid)
        self.head.wait(60)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    # its sockets lie there, whose paths may not be long
    with tempfile.TemporaryDirectory(prefix="ray", ignore_cleanup_errors=True) as folder:
        cluster = Cluster(Path(folder))
        yield cluster
        cluster.end()


@pytest.fixture
def queue(tmp_path: Path, server: HoldingServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Queue]:
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN)
    queue = Queue(tmp_path, endpoint=EndpointSpec(base_url=server.server.url, model="toy", timeout=LONGEST))
    yield queue
    server.go.set()
    queue.end()


def kept(queue: Queue, job: Job) -> dict[str, Preference | None]:
    with transaction(queue.engine, write=False) as session:
        return {key: verdict.preference for key, verdict in job_events.item_verdicts(session, job.id)}


def longer(row: int) -> Preference:
    first, second = 1 + row * 5 % 29, len(f"xx in row {row}.")
    return Preference.TIE if first == second else Preference.FIRST if first > second else Preference.SECOND


def test_ray_worker_and_job_are_killed_over_a_part_and_only_that_part_is_asked_again(
    queue: Queue, cluster: Cluster, server: HoldingServer, tmp_path: Path
) -> None:
    server.hold(20)
    given = {"source": str(pairs(tmp_path, 24)), "judge": "endpoint", "batch": 1, "engine": cluster.engine}
    job = queue.add("score_dataset", **given, workers=2)
    # the first part is stored; the second is under way
    worker = queue.until_done(job, 16).worker
    assert worker is not None
    queue.until(lambda: server.asked[20] >= 2)
    busy = cluster.busy()
    assert len(busy) == 1
    busy[0].kill()
    queue.until(lambda: server.asked[20] >= 4)
    assert queue.jobs.find(job.id).worker == worker, "the job itself does not notice"
    assert len(kept(queue, job)) == 16
    os.kill(worker.pid, signal.SIGKILL)
    queue.until(lambda: gone(worker.pid), look=False)
    queue.until(lambda: not cluster.busy(), look=False)
    queue.until(lambda: server.asked[20] >= 6)
    server.go.set()
    done = queue.until_over(job)
    assert (done.state, done.attempts, done.done, done.total) == (JobState.DONE, 2, 24, 24)
    assert kept(queue, job) == {str(n): longer(n) for n in range(24)}
    assert {n for n, times in server.asked.items() if times > 2} <= set(range(16, 24)), "what was stored stays stored"
    assert set(server.asked) == set(range(24))
    assert TOKEN not in queue.jobs.log(job.id)


def test_cancelling_ends_what_runs_on_the_cluster_and_leaves_the_cluster(
    queue: Queue, cluster: Cluster, server: HoldingServer, tmp_path: Path
) -> None:
    server.hold(5)
    given = {"source": str(pairs(tmp_path, 8)), "judge": "endpoint", "engine": cluster.engine}
    job = queue.add("score_dataset", **given)
    queue.until(lambda: server.asked[5] >= 2 and len(cluster.busy()) == 1)
    assert queue.jobs.cancel(job.id).state is JobState.CANCELLED
    queue.until(lambda: not cluster.busy())
    assert cluster.head.poll() is None
    estimate = queue.jobs.estimate("score_dataset", given | {"judge": "fixed", "workers": 2})
    assert "8 rows" in estimate.says
    assert "shared by 2 workers" in estimate.says
    server.go.set()
    queue.jobs.retry(job.id)
    assert queue.until_over(job).state is JobState.DONE
    assert len(kept(queue, job)) == 8


def test_a_judge_that_cannot_run_on_the_workers_fails_the_job_with_what_to_do(
    queue: Queue, cluster: Cluster, tmp_path: Path
) -> None:
    job = queue.add("score_dataset", source=str(pairs(tmp_path, 3)), judge="reward_head", engine=cluster.engine)
    failed = queue.until_over(job)
    assert failed.state is JobState.FAILED
    assert "cannot run on a Ray worker: " in failed.message
    assert "STUDIO_REWARD_HEAD__MODEL" in failed.message
