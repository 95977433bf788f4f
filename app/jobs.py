"""The trips of the queue: add, look, cancel, retry, remove, estimate. A tab, the command line and a test call these."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from app.job_forms import command_line, read_spec
from app.job_log import tail
from app.processes import end_tree, end_worker, this_host
from app.settings import Settings
from core.errors import BadInput, StudioError
from core.jobs import KINDS, Estimate
from core.nouns import Noun
from core.synthesis.record import PAIRS
from storage import job_events, jobs, promotions
from storage.db import transaction
from storage.job_events import Checkpoint, ItemCounts, MetricPoint
from storage.jobs import Job, JobState

DRY_RUN_SECONDS = 300.0


class JobView(Noun):
    """A job with all that an opened one shows."""

    job: Job
    command: str
    folder: Path
    log: str
    items: ItemCounts
    metrics: tuple[MetricPoint, ...]
    checkpoints: tuple[Checkpoint, ...]
    pairs: Path | None = None


class Jobs:
    """The queue of one studio. `changed` is told when there is something to do, so that nobody has to wait."""

    def __init__(self, settings: Settings, engine: Any, changed: Callable[[], None] = lambda: None) -> None:
        self.settings, self.engine, self.changed = settings, engine, changed

    # -- asking for work ------------------------------------------------------------------------------------------

    def add(self, kind: str, given: Mapping[str, Any], owner: str) -> Job:
        """Queue a job. Raises NotFound for its kind, BadInput where the spec cannot be."""
        spec = read_spec(kind, given)
        with transaction(self.engine) as session:
            job = jobs.enqueue(session, kind, spec.model_dump(mode="json"), KINDS[kind].subject(spec), owner)
        self.changed()
        return job

    def estimate(self, kind: str, given: Mapping[str, Any]) -> Estimate:
        """What it would cost here: a little of it is done in a process of its own, whose memory is measured.

        Raises what the job itself would, as BadInput; StudioError where the process dies.
        """
        spec = read_spec(kind, given)
        asked = {"settings": json.loads(self.settings.handed_on()), "kind": kind, "spec": spec.model_dump(mode="json")}
        trial = subprocess.Popen(
            [sys.executable, "-m", "app.dry_run"],
            cwd=Path(__file__).resolve().parent.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            said, errors = trial.communicate(json.dumps(asked), timeout=DRY_RUN_SECONDS)
        except subprocess.TimeoutExpired:
            raise BadInput(
                f"The dry run took longer than {DRY_RUN_SECONDS:g} s; the job itself may still work."
            ) from None
        finally:
            end_tree(trial.pid)
            trial.wait()
        if trial.returncode == 2:
            raise BadInput(said.strip())
        if trial.returncode != 0:
            killed = -trial.returncode == signal.SIGKILL
            why = "it was killed, perhaps for want of memory" if killed else (errors.strip().splitlines() or ["?"])[-1]
            raise StudioError(f"The dry run did not end well: {why}.")
        return Estimate.model_validate_json(said.splitlines()[-1])

    def retry(self, job_id: str) -> Job:
        """Queue a job that failed or was cancelled again; it goes on from what it has done."""
        with transaction(self.engine) as session:
            job = jobs.retry(session, job_id)
        self.changed()
        return job

    def cancel(self, job_id: str) -> Job:
        """Cancel a job that waits or runs. Of one that runs here the whole tree of processes has ended when this
        returns; one on another machine is ended there within seconds."""
        with transaction(self.engine) as session:
            job = jobs.ask_to_cancel(session, job_id)
        if job.state is JobState.RUNNING and job.worker is not None and job.worker.host == this_host():
            end_worker(job.worker)
            with transaction(self.engine) as session:
                jobs.give_up(session, job)
                job = jobs.find(session, job_id)
        self.changed()
        return job

    def remove(self, job_id: str) -> None:
        """Forget a job that is over, with its log, its results and its checkpoints. Raises BadInput where its judge is
        promoted."""
        with transaction(self.engine) as session:
            promotions.refuse_promoted(session, job_id)
            jobs.remove(session, job_id)
        shutil.rmtree(self.settings.jobs_dir / job_id, ignore_errors=True)

    def retire(self, job_id: str, retired: bool = True) -> None:
        """Take the judge that a job made out of the picker, or put it back; what it said stays. Raises NotFound where
        it made none, BadInput where it is promoted."""
        with transaction(self.engine) as session:
            if retired:
                promotions.refuse_promoted(session, job_id)
            job_events.retire(session, job_id, retired)

    # -- looking --------------------------------------------------------------------------------------------------

    def newest(self, limit: int = 200, kind: str | None = None) -> list[Job]:
        """The newest jobs, of one kind where it is named, newest first."""
        with transaction(self.engine, write=False) as session:
            return jobs.listed(session, limit, kind)

    def find(self, job_id: str) -> Job:
        """Raises NotFound."""
        with transaction(self.engine, write=False) as session:
            return jobs.find(session, job_id)

    def view(self, job_id: str) -> JobView:
        """Raises NotFound."""
        with transaction(self.engine, write=False) as session:
            job = jobs.find(session, job_id)
            items, checkpoints = job_events.item_counts(session, job_id), job_events.checkpoints_of(session, job_id)
            metrics = job_events.metric_points(session, job_id)
        return JobView(
            job=job,
            command=self.command(job.kind, job.spec),
            folder=self.settings.jobs_dir / job_id,
            log=self.log(job_id),
            items=items,
            metrics=tuple(metrics),
            checkpoints=tuple(checkpoints),
            pairs=self.pairs(job_id),
        )

    def pairs(self, job_id: str) -> Path | None:
        """The list of pairs that a job made, any training's source; None where there is none (yet)."""
        path = self.settings.jobs_dir / job_id / "out" / PAIRS
        return path.absolute() if path.is_file() else None

    def metrics(self, job_id: str, most: int) -> list[MetricPoint]:
        with transaction(self.engine, write=False) as session:
            return job_events.metric_points(session, job_id, most)

    def log(self, job_id: str, lines: int = 200) -> str:
        return tail(self.settings.jobs_dir / job_id / "log.txt", lines)

    def command(self, kind: str, given: Mapping[str, Any]) -> str:
        """The command line of the same job; of a spec that this program no longer takes, what was asked."""
        try:
            return command_line(kind, read_spec(kind, given))
        except StudioError:
            return f"{kind} {json.dumps(dict(given))}"

    # -- specs kept under a name ----------------------------------------------------------------------------------

    def save_spec(self, kind: str, name: str, given: Mapping[str, Any]) -> None:
        """Raises BadInput where the spec cannot be, or has no name."""
        name = name.strip()[:80]
        if not name:
            raise BadInput("Give the settings a name to keep them under.")
        spec = read_spec(kind, given)
        with transaction(self.engine) as session:
            job_events.save_spec(session, kind, name, spec.model_dump(mode="json"))

    def saved_specs(self, kind: str) -> dict[str, dict[str, Any]]:
        with transaction(self.engine, write=False) as session:
            return job_events.saved_specs(session, kind)

    def forget_spec(self, kind: str, name: str) -> None:
        """Raises NotFound."""
        with transaction(self.engine) as session:
            job_events.forget_spec(session, kind, name)
