"""What goes to a machine that shares nothing with this one, and what comes back."""

from __future__ import annotations

import os
import tarfile
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from core.beside import laid_beside
from core.engines import Row
from core.errors import StudioError
from core.formats import BadRow, LabelledPair, preference_jsonl
from core.nouns import Verdict

LIST = "part/pairs.jsonl"  # where the pairs lie in their archive, their files beside
PROGRAM = ("app", "core", "storage", "assets", "requirements.txt", "packages.txt")
_ROOT = Path(__file__).resolve().parents[2]


def pack_program(archive: Path) -> None:
    """This very program as a .tar.gz, without what Python has compiled of it."""
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
        for name in PROGRAM:
            tar.add(_ROOT / name, name, filter=_wanted)


def _wanted(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if Path(member.name).name == "__pycache__" else member


def pack_pairs(rows: Sequence[LabelledPair], archive: Path, folder: Path) -> None:
    """The questions of the rows as a .tar.gz, named by their places from 1; what people said of them stays here.
    `folder` is an empty one to work in. Raises BadInput or OSError where a file cannot be read."""
    place = folder / LIST
    place.parent.mkdir(parents=True)
    preference_jsonl.PLUG.write(place, (_question(number, row, place.parent) for number, row in enumerate(rows, 1)))
    with tarfile.open(archive, "w:gz", compresslevel=1, dereference=True) as tar:
        tar.add(place.parent, Path(LIST).parent.as_posix())


def _question(number: int, row: LabelledPair, folder: Path) -> LabelledPair:
    pair = laid_beside(row.pair, folder, folder / "media").model_copy(update={"id": str(number)})
    return LabelledPair(line=number, pair=pair, criterion=row.criterion)


def read_verdicts(path: Path, count: int) -> list[Verdict]:
    """The verdicts of a part, in order. Raises StudioError where they are not `count`, or not verdicts."""
    try:
        with open(path, encoding="utf-8") as file:
            verdicts = [Verdict.model_validate_json(line) for line in file]
    except (ValidationError, UnicodeDecodeError) as error:
        raise StudioError("What the remote machine sent back are no verdicts of this program; see its log.") from error
    if len(verdicts) != count:
        raise StudioError(f"The remote machine sent {len(verdicts)} verdicts back for {count} pairs; see its log.")
    return verdicts


def sendable(row: Row) -> Row:
    """The row, or why it cannot be sent: a file that is gone is this row's failure, not the part's."""
    gone = [path for path in _paths(row) if not os.access(path, os.R_OK)]
    return BadRow(line=row.line, reason=f"{gone[0].name!r} is gone or cannot be read.") if gone else row


def file_bytes(row: Row) -> int:
    """The bytes of the row's files."""
    return sum(path.stat().st_size for path in _paths(row))


def _paths(row: Row) -> list[Path]:
    if not isinstance(row, LabelledPair):
        return []
    contents = (row.pair.context, row.pair.first.content, row.pair.second.content)
    return [content.path for content in contents if content is not None and content.path is not None]
