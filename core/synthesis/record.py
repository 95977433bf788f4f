"""The files of a synthesis: candidates as they are made, and the pairs that were kept.

Made once and read again after a stop, so that a source that changes meanwhile, or a model that answers otherwise the
second time, changes nothing of a job that goes on.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from pydantic import TypeAdapter

from core.beside import laid_beside
from core.errors import BadInput
from core.formats import BadRow, LabelledPair
from core.formats.preference_jsonl import PLUG as PREFERENCE_JSONL
from core.nouns import Noun, Verdict

PAIRS = "preferences.jsonl"
MEDIA = "media"
_ROW: TypeAdapter[LabelledPair | BadRow] = TypeAdapter(LabelledPair | BadRow)


class Kept(Noun):
    """A pair to keep, with its label and reason, and what each teacher said of it in the pair's own order."""

    row: LabelledPair
    verdicts: tuple[Verdict, ...]


class RowLog:
    """Rows of a job, a line each, appended whole: a line that a kill cut short is dropped when the log is opened."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[LabelledPair | BadRow] = []
        if path.exists():
            with open(path, "rb+") as file:
                whole = file.read()
                whole = whole[: whole.rfind(b"\n") + 1]
                file.truncate(len(whole))
            self.rows = [_ROW.validate_json(line) for line in whole.splitlines()]

    @classmethod
    def of(cls, path: Path, rows: Iterable[LabelledPair | BadRow]) -> RowLog:
        """The log at `path`; where there is none, all of `rows` are written there at once."""
        if not path.exists():
            part = path.with_suffix(".part")
            with open(part, "wb") as file:
                file.writelines(_line(row) for row in rows)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        return cls(path)

    def append(self, row: LabelledPair | BadRow) -> None:
        with open(self.path, "ab") as file:
            file.write(_line(row))
            file.flush()
            os.fsync(file.fileno())
        self.rows.append(row)


def _line(row: LabelledPair | BadRow) -> bytes:
    # ASCII: line separators inside texts cannot break a line
    return row.model_dump_json(ensure_ascii=True).encode("ascii") + b"\n"


def write_pairs(folder: Path, kept: Sequence[Kept]) -> int:
    """Write the pairs as preference_jsonl into `folder`, their media below it, all or nothing; returns how many.

    Raises BadInput where one cannot be written.
    """
    try:
        rows = [one.row.model_copy(update={"pair": laid_beside(one.row.pair, folder, folder / MEDIA)}) for one in kept]
        return PREFERENCE_JSONL.write(folder / PAIRS, rows, {one.row.pair.id: one.verdicts for one in kept})
    except OSError as error:
        raise BadInput(f"The pairs cannot be written: {error.strerror or error}.") from error
