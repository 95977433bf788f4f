"""A queue over a folder of its own, and waiting for what its real processes do; every wait has an end."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from app.jobs import Jobs
from app.settings import Settings
from app.supervisor import Supervisor
from app.worker import run_one
from storage.db import open_database
from storage.jobs import Job, JobState

LONGEST = 240.0
ROOT = Path(__file__).resolve().parents[2]


class Queue:
    """The trips, and a supervisor that looks whenever it is waited."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.settings = Settings(data_dir=folder / "data", judge="fixed", **settings)
        self.engine = open_database(self.settings.database)
        self.jobs = Jobs(self.settings, self.engine)
        self.supervisor = Supervisor(self.settings, self.engine)

    def add(self, kind: str = "rehearsal", **given: Any) -> Job:
        return self.jobs.add(kind, given, "me")

    def until(self, reached: Callable[[], Any], look: bool = True) -> Any:
        """What `reached` gives once it is true; with `look` the supervisor goes on meanwhile."""
        deadline = time.monotonic() + LONGEST
        while not (value := reached()):
            assert time.monotonic() < deadline, [(job.state, job.done, job.message) for job in self.jobs.newest()]
            if look:
                self.supervisor.look()
            time.sleep(0.05)
        return value

    def until_done(self, job: Job, at_least: int, look: bool = True) -> Job:
        return self.until(lambda: (now := self.jobs.find(job.id)).done >= at_least and now, look)

    def until_over(self, job: Job, look: bool = True) -> Job:
        return self.until(lambda: (now := self.jobs.find(job.id)).state.over and now, look)

    def steps(self, job: Job) -> list[int]:
        """The steps of a rehearsal in the order in which they were taken."""
        written = self.settings.jobs_dir / job.id / "out" / "steps.txt"
        return [int(line) for line in written.read_text().splitlines()] if written.exists() else []

    def kept(self, job: Job) -> int:
        """The step of a rehearsal's checkpoint."""
        return json.loads((self.settings.jobs_dir / job.id / "out" / "checkpoint.json").read_text())["step"]

    def end(self) -> None:
        """Nothing of a test outlives it."""
        for job in self.jobs.newest():
            if job.state in (JobState.QUEUED, JobState.RUNNING):
                self.jobs.cancel(job.id)
        for worker in self.supervisor.workers:
            worker.wait(60)


def run_here(settings: Settings) -> None:
    """The first job of the queue, by a worker's own function in this very process, which it would leave deaf to SIGTERM
    and with its own logging."""
    heard, log = signal.getsignal(signal.SIGTERM), logging.getLogger()
    handlers, level = log.handlers[:], log.level
    try:
        assert run_one(settings), "nothing waits"
    finally:
        signal.signal(signal.SIGTERM, heard)
        logging.captureWarnings(False)
        log.handlers[:] = handlers
        log.setLevel(level)


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _hears_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def serve(queue: Queue) -> subprocess.Popen[bytes]:
    """The whole app over the queue's folder, in a process of its own."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STUDIO_")}
    return subprocess.Popen(
        [sys.executable, "-m", "app", "--port", str(port)],
        cwd=ROOT,
        env=kept | {"STUDIO_DATA_DIR": str(queue.settings.data_dir), "STUDIO_JUDGE": "fixed"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=_hears_interrupts,
    )
