"""The engine `ray`: parts of the rows are judged by the workers of a Ray cluster.

`ray` starts a cluster of this machine's own for the job, `ray:auto` joins the one that this machine is part of, and
`ray:HOST:PORT` the one whose head is there (`ray start --head`); this machine has to be one of its nodes, since Ray
hands work out through the node beside it. A cluster that was there before is sent this very code; the packages of
requirements.txt have to be installed on its machines.

A part is a task of Ray: sixteen batches, or one where files go along. Where the worker that judges it dies, Ray asks
another one the same, up to `RETRIES` times. A worker keeps the judge that it has loaded, and reads the files of a pair
at their paths; where they are not there, on a machine that shares no folder with this one, they are sent along.
"""

from __future__ import annotations

import logging
import secrets
import signal
import socket
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager, nullcontext
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from core.engines import Engine, Judging, KeyedRow, KeyedVerdict, Row, judge_rows
from core.engines._files import files_are_here, read_files, unpacked
from core.errors import BadInput, JudgeFailed, MissingExtra, StudioError
from core.evidence import Measurer, Measuring
from core.jobs import JobTools
from core.judges import Judge, JudgeBackend
from core.modalities import Limits
from core.nouns import Verdict

log = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parents[2]
PART_BATCHES = 16  # batches that are one task: long beside the cost of a task, short beside a job
RETRIES = 3

_loaded: dict[str, Judge] = {}  # in a Ray worker: the judge of the job that it works for


def judge_part(
    job: str, backend: JudgeBackend, rows: Sequence[Row], batch: int, limits: Limits, files: Mapping[str, bytes] | None
) -> list[Verdict] | None:
    """In a Ray worker: a verdict a row, in order. `files` are the bytes of the rows' files by sha256; without them the
    files are read at their paths, and None says that one of them is not there."""
    if files is None:
        if not files_are_here(rows):
            return None
        return _judge(job, backend, rows, batch, limits)
    with TemporaryDirectory(prefix="pairs-") as folder:
        return _judge(job, backend, [unpacked(row, files, Path(folder)) for row in rows], batch, limits)


def _judge(job: str, backend: JudgeBackend, rows: Sequence[Row], batch: int, limits: Limits) -> list[Verdict]:
    if job not in _loaded:
        if reason := backend.unavailable():
            raise JudgeFailed(f"The judge cannot run on a Ray worker: {reason}")
        _loaded.clear()
        _loaded[job] = backend.load()
    measure = Measuring(limits)
    batches = (rows[start : start + batch] for start in range(0, len(rows), batch))
    return [verdict for some in batches for verdict in judge_rows(_loaded[job], some, measure)]


class RayEngine:
    """A Ray cluster that this process is connected to. At most `workers` parts are under way at once."""

    def __init__(self, ray: Any, backend: JudgeBackend, asked: Judging, limits: Limits) -> None:
        self.ray, self.batch, self.workers = ray, asked.batch, asked.workers
        gpus = 1 if getattr(backend, "gpu", False) and ray.cluster_resources().get("GPU") else 0
        self._task = ray.remote(judge_part).options(num_cpus=1, num_gpus=gpus, max_retries=RETRIES)
        self._known = (secrets.token_hex(8), ray.put(backend))
        self._limits = limits
        self._sends = False  # whether files go along
        self._asked: dict[Future[list[Verdict] | None], tuple[Any, list[KeyedRow]]] = {}

    def judged(self, rows: Iterator[KeyedRow]) -> Iterator[list[KeyedVerdict]]:
        """A part at a time, as they are ready."""
        again: deque[list[KeyedRow]] = deque()
        while True:
            # asked before anything is handed out, so that nobody waits while verdicts are stored
            while len(self._asked) < self.workers and (part := again.popleft() if again else self._next(rows)):
                self._ask(part)
            if not self._asked:
                return
            # not Ray's own wait: told to stop meanwhile, this process would be told of an error instead
            ready, _ = wait(self._asked, return_when=FIRST_COMPLETED)
            for answer in ready:
                _, part = self._asked.pop(answer)
                verdicts = self._read(answer, part)
                if verdicts is None:
                    self._sends = True
                    again.extend(part[start : start + self.batch] for start in range(0, len(part), self.batch))
                    continue
                if following := again.popleft() if again else self._next(rows):
                    self._ask(following)
                yield [(key, verdict) for (key, _), verdict in zip(part, verdicts, strict=True)]

    def close(self) -> None:
        """End what is still under way."""
        for task, _ in self._asked.values():
            self.ray.cancel(task, force=True)
        self._asked.clear()

    def _next(self, rows: Iterator[KeyedRow]) -> list[KeyedRow]:
        return list(islice(rows, self.batch if self._sends else self.batch * PART_BATCHES))

    def _ask(self, part: list[KeyedRow]) -> None:
        job, backend = self._known
        rows = [row for _, row in part]
        files = read_files(rows) if self._sends else None
        task = self._task.remote(job, backend, rows, self.batch, self._limits, files)
        self._asked[task.future()] = task, part

    def _read(self, answer: Future[list[Verdict] | None], part: list[KeyedRow]) -> list[Verdict] | None:
        """What a task gave. Raises StudioError where it failed as a whole."""
        errors = self.ray.exceptions
        try:
            return answer.result()
        except errors.RayTaskError as failed:
            if isinstance(failed.cause, StudioError):
                raise failed.cause from None
            log.error("A Ray worker: %s", failed)
            raise StudioError(
                f"A Ray worker stopped with an error: {_first_line(failed.cause)} Does its machine have the packages "
                "of requirements.txt, in the same versions? The log has more."
            ) from failed
        except errors.RayError as lost:
            raise StudioError(
                f"The Ray workers that judged the rows {part[0][0]} to {part[-1][0]} died {RETRIES + 1} times: "
                f"{_first_line(lost)} If memory ran out, use fewer workers or a smaller batch, and try the job again; "
                "what was judged is kept."
            ) from lost


class RayKind:
    title = "Ray"
    free = True

    @contextmanager
    def opened(self, address: str, asked: Judging, tools: JobTools, measure: Measurer) -> Iterator[Engine]:
        ray = _imported()
        backend = tools.backend(asked.judge)
        turn = tools.gpu() if _is_own(address) and getattr(backend, "gpu", False) else nullcontext()
        with turn, _connected(ray, address, asked):
            engine = RayEngine(ray, backend, asked, tools.limits)
            try:
                yield engine
            finally:
                engine.close()


def _imported() -> Any:
    try:
        import ray
        import ray.exceptions
    except ImportError as error:
        raise MissingExtra("The engine ray needs Ray: pip install -r requirements-ray.txt") from error
    return ray


@contextmanager
def _connected(ray: Any, address: str, asked: Judging) -> Iterator[None]:
    where: dict[str, Any] = {"address": address}
    if _is_own(address):
        where = {"address": "local", "num_cpus": asked.workers, "include_dashboard": False}
    else:
        _check(address)
        where["runtime_env"] = {"working_dir": str(ROOT), "excludes": ["/.git", "/tests"]}
    in_main = threading.current_thread() is threading.main_thread()
    heard = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(logging_level=logging.WARNING, **where)
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        ray.shutdown()
        raise StudioError(
            f"Ray cannot be used at {address or 'this machine'}: {_first_line(error)} This machine has to be one of "
            "the cluster's nodes, with the same versions of Ray and Python; where the cluster asks for a token, set "
            "RAY_AUTH_MODE=token and RAY_AUTH_TOKEN here, too."
        ) from error
    finally:
        # Ray listens to it itself, and would end this process before it has put its job back
        if in_main:
            signal.signal(signal.SIGTERM, heard)
    try:
        yield
    finally:
        ray.shutdown()


def _is_own(address: str) -> bool:
    """Whether the cluster is this job's own, on this machine."""
    return address in ("", "local")


def _check(address: str) -> None:
    """Ray itself would try for a minute. Raises BadInput for what is no address, StudioError where nobody listens."""
    host, _, port = address.rpartition(":")
    if address == "auto":
        return
    if not host or "/" in host or not port.isdigit() or int(port) > 65535:
        raise BadInput(f"The engine ray is written ray, ray:auto or ray:HOST:PORT, not ray:{address}.")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10.0).close()
    except OSError as error:
        raise StudioError(
            f"Nobody answers at {address} ({error}). Start a cluster with ray start --head, or use the engine ray "
            "without an address."
        ) from error


def _first_line(error: BaseException) -> str:
    said = str(error).strip().splitlines()
    return f"{type(error).__name__}: {said[0].rstrip('.') if said else 'it said nothing'}."


PLUG = RayKind()
