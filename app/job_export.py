"""What a job made of pairs, to take away as preference_jsonl with media beside it: those that it judged with the
verdicts, or those that it kept."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from tempfile import NamedTemporaryFile

from app.job_tools import Tools
from app.jobs import Jobs
from core.beside import laid_beside
from core.errors import BadInput, NotFound
from core.formats import LabelledPair
from core.formats.preference_jsonl import PLUG as PREFERENCE_JSONL
from core.jobs.score_dataset import ScoreSpec, rows_of
from core.nouns import PreferencePair, Verdict
from storage import job_events
from storage.db import transaction


def export_verdicts(queue: Jobs, job_id: str, out: Path) -> int:
    """Write the pairs that a job has judged so far, each with its verdict; returns how many. Rows that could not be
    read are no pairs and left out. Media that do not lie below the folder of `out` are linked or copied to <out>.media.

    Raises NotFound for the job, BadInput where it is of another kind, or `out` is there already or cannot be written.
    """
    job = queue.find(job_id)
    if job.kind != "score_dataset":
        raise BadInput(f"The job is a {job.kind}; only what score_dataset judged can be written as pairs.")
    if out.exists():
        raise BadInput(f"{str(out)!r} is there already; name another file or remove it first.")
    with transaction(queue.engine, write=False) as session:
        verdicts = dict(job_events.item_verdicts(session, job_id))
    said: dict[str, Verdict] = {}

    def beside(pair: PreferencePair) -> PreferencePair:
        return laid_beside(pair, out.parent, out.with_name(f"{out.name}.media"))

    def rows() -> Iterator[LabelledPair]:
        for key, row in rows_of(ScoreSpec.model_validate(job.spec), Tools(queue.settings, queue.engine, job_id)):
            if isinstance(row, LabelledPair) and key in verdicts:
                # of several questions on one pair only the first can keep the pair's own id
                name = row.pair.id if row.pair.id and row.pair.id not in said else key
                said[name] = verdicts[key]
                yield row.model_copy(update={"pair": beside(row.pair).model_copy(update={"id": name})})

    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        return PREFERENCE_JSONL.write(out, rows(), said)
    except OSError as error:
        raise BadInput(f"{str(out)!r} cannot be written: {error.strerror or error}.") from error


def pack_pairs(queue: Jobs, job_id: str) -> Path:
    """The pairs that a job made, as one zip file with their media, for the caller to remove. Raises NotFound."""
    path = queue.pairs(queue.find(job_id).id)
    if path is None:
        raise NotFound(f"The job {job_id!r} has made no list of pairs (yet).")
    files = {
        content.path
        for row in PREFERENCE_JSONL.read(path, queue.settings.limits)
        if isinstance(row, LabelledPair)
        for content in (row.pair.context, row.pair.first.content, row.pair.second.content)
        if content is not None and content.path is not None
    }
    with (
        NamedTemporaryFile(dir=path.parent.parent, suffix=".zip", delete=False) as packed,
        # media are compressed already
        zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive,
    ):
        archive.write(path, path.name)
        for file in sorted(files):
            archive.write(file, file.relative_to(path.parent.resolve()))
    return Path(packed.name)
