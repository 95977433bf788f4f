"""The trip of a whole file: every pair of a list judged into a list of verdicts, and gone on with where it stopped."""

from __future__ import annotations

import json
import os
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from core.errors import BadInput
from core.evidence import EvidenceCache, Measuring
from core.formats import FORMATS, BadRow, LabelledPair
from core.judges import Judge
from core.judging import judge_questions
from core.modalities import Limits
from core.nouns import Noun, Question, Verdict

BATCH = 64
KEYS = (
    "id", "judge", "criterion", "preference", "failure", "reward_1", "reward_2", "p_first", "p_tie", "p_second",
    "coverage", "rationale", "seconds",
)  # fmt: skip
_START = b'{"id"'

Done = Counter[tuple[str, str | None]]


class BatchResult(Noun):
    """Lines in the list of verdicts, how many of them came from this run, and how many hold a failure."""

    lines: int
    added: int
    failed: int


class RecentEvidence:
    """An evidence cache in memory that forgets the oldest, so that the criteria of one pair share its measuring."""

    def __init__(self, most: int = 4096) -> None:
        self.most = most
        self._values: OrderedDict[str, dict[str, float]] = OrderedDict()

    def get(self, key: str) -> dict[str, float] | None:
        return self._values.get(key)

    def put(self, key: str, values: dict[str, float]) -> None:
        self._values[key] = values
        while len(self._values) > self.most:
            self._values.popitem(last=False)


def judge_file(
    pairs: Path,
    out: Path,
    judge: Judge,
    limits: Limits,
    cache: EvidenceCache | None = None,
    report: Callable[[int, int], None] = lambda line, lines: None,
) -> BatchResult:
    """Judge every row of `pairs` (preference_jsonl) into a line of `out`, in order, and keep what is there already.

    A row counts as done when `out` has a line of its id and criterion. Lines are written and flushed a batch at a
    time; a last line that was cut off is written anew. A bad row becomes a line with a failure. `report` is told the
    line reached and the number of lines. Raises BadInput where `pairs` cannot be read, or `out` is something else, in
    use, or by another judge.
    """
    lines = _count_lines(pairs)
    if out.exists() and out.samefile(pairs):
        raise BadInput("The verdicts cannot be written over the pairs; name another file after --out.")
    measuring = Measuring(limits, cache or RecentEvidence())
    with _opened(out) as file:
        done, failed = _resume(file, out, judge.name)
        kept, added = done.total(), 0
        for rows in _batches(_missing(FORMATS["preference_jsonl"].read(pairs, limits), done)):
            verdicts = _judged(rows, judge, measuring)
            file.write(
                b"".join(_as_line(row, judge.name, verdict) for row, verdict in zip(rows, verdicts, strict=True))
            )
            file.flush()
            os.fsync(file.fileno())
            added += len(rows)
            failed += sum(verdict is None or verdict.failure is not None for verdict in verdicts)
            report(rows[-1].line, lines)
        report(lines, lines)
    return BatchResult(lines=kept + added, added=added, failed=failed)


def _count_lines(pairs: Path) -> int:
    count, last = 0, b"\n"
    try:
        with open(pairs, "rb") as file:
            while block := file.read(1 << 20):
                count, last = count + block.count(b"\n"), block[-1:]
    except OSError as error:
        raise BadInput(f"{str(pairs)!r} cannot be read: {error.strerror or error}.") from error
    return count + (last != b"\n")


@contextmanager
def _opened(out: Path) -> Iterator[BinaryIO]:
    """The list of verdicts, opened for reading and appending by one process at a time."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        file = open(out, "a+b")  # noqa: SIM115 - closed below, whatever happens
    except OSError as error:
        raise BadInput(f"{str(out)!r} cannot be written: {error.strerror or error}.") from error
    with file:
        try:
            import fcntl
        except ImportError:
            pass  # Windows has no such lock; two runs into one file are then up to the person
        else:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise BadInput(f"Another run is writing {str(out)!r}; wait for it or name another file.") from error
            except OSError:
                pass  # some network mounts have no locks at all
        yield file


def _resume(file: BinaryIO, out: Path, judge: str) -> tuple[Done, int]:
    """What the list holds already, by id and criterion, and how many lines of it are failures; a half line is cut."""
    done: Done = Counter()
    failed = whole = 0
    file.seek(0)
    for number, raw in enumerate(file, 1):
        if not raw.endswith(b"\n"):
            # only what this program began to write may be cut off
            if not raw.startswith(_START) and not _START.startswith(raw):
                raise BadInput(
                    f"{str(out)!r} is something else than a list of verdicts; name another file after --out."
                )
            break
        line = _parsed(raw)
        if line is None:
            raise BadInput(
                f"Line {number} of {str(out)!r} is no verdict of this program; name another file after --out."
            )
        if line["judge"] != judge:
            raise BadInput(f"{str(out)!r} holds verdicts of {line['judge']!r}, not of {judge!r}; name another file.")
        done[line["id"], line["criterion"]] += 1
        failed += line["failure"] is not None
        whole += len(raw)
    file.truncate(whole)
    file.seek(0, os.SEEK_END)
    return done, failed


def _parsed(raw: bytes) -> dict[str, Any] | None:
    try:
        line = json.loads(raw)
    except ValueError:
        return None
    return line if isinstance(line, dict) and tuple(line) == KEYS else None


def _missing(rows: Iterator[LabelledPair | BadRow], done: Done) -> Iterator[LabelledPair | BadRow]:
    left = done.copy()
    for row in rows:
        key = _key(row)
        if left[key] > 0:
            left[key] -= 1
        else:
            yield row


def _key(row: LabelledPair | BadRow) -> tuple[str, str | None]:
    if isinstance(row, BadRow):
        return row.id or f"line {row.line}", None
    return row.pair.id, row.criterion


def _batches(rows: Iterator[LabelledPair | BadRow]) -> Iterator[list[LabelledPair | BadRow]]:
    batch: list[LabelledPair | BadRow] = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _judged(rows: list[LabelledPair | BadRow], judge: Judge, measuring: Measuring) -> list[Verdict | None]:
    """A verdict a row in order, None for a bad row."""
    questions = [Question(pair=row.pair, criterion=row.criterion) for row in rows if isinstance(row, LabelledPair)]
    verdicts = iter(judge_questions(judge, questions, measuring))
    return [next(verdicts) if isinstance(row, LabelledPair) else None for row in rows]


def _as_line(row: LabelledPair | BadRow, judge: str, verdict: Verdict | None) -> bytes:
    name, criterion = _key(row)
    line: dict[str, Any] = dict.fromkeys(KEYS) | {"id": name, "judge": judge, "criterion": criterion}
    if verdict is None:
        reason = row.reason if isinstance(row, BadRow) else ""
        line |= {"failure": f"Line {row.line}: {reason}", "rationale": "", "seconds": 0.0}
    else:
        line |= {
            "preference": verdict.preference.value if verdict.preference else None,
            "failure": verdict.failure.message if verdict.failure else None,
        }
        line |= {key: getattr(verdict, key) for key in KEYS[KEYS.index("reward_1") :]}
    # a text may hold half a surrogate, which UTF-8 cannot; such a line is written in ASCII
    text = json.dumps(line, ensure_ascii=False) + "\n"
    try:
        return text.encode()
    except UnicodeEncodeError:
        return (json.dumps(line) + "\n").encode()
