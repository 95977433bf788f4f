"""The files of pairs for those who judge on another machine: seen there, or sent along."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from core.engines import Row
from core.errors import BadInput
from core.formats import LabelledPair
from core.nouns import Content

MOST_SENT = 256_000_000  # bytes of files that go along with one batch


def files_are_here(rows: Sequence[Row]) -> bool:
    """Whether every file of the rows can be read at its path on this machine."""
    return all(_is_here(content) for row in rows for content in _contents(row))


def read_files(rows: Sequence[Row]) -> dict[str, bytes]:
    """The bytes of the rows' files by sha256. Raises BadInput where they are too large to be sent."""
    paths = {one.sha256: one.path for row in rows for one in _contents(row) if one.path is not None}
    size = sum(path.stat().st_size for path in paths.values() if path.is_file())
    if size > MOST_SENT:
        raise BadInput(
            f"The Ray workers do not see the files of the pairs, and those of one batch have {size / 1e6:.0f} MB, more "
            f"than the {MOST_SENT / 1e6:.0f} MB that are sent along. Put them into a folder that all machines share, "
            "at the same path, or choose a smaller batch."
        )
    return {name: path.read_bytes() for name, path in paths.items() if path.is_file()}


def unpacked(row: Row, files: Mapping[str, bytes], folder: Path) -> Row:
    """The row with its files in `folder`."""
    if not isinstance(row, LabelledPair):
        return row

    def content(one: Content) -> Content:
        if one.path is None or one.sha256 not in files:
            return one
        path = folder / f"{one.sha256}{one.path.suffix}"
        path.write_bytes(files[one.sha256])
        return one.model_copy(update={"path": path})

    pair = row.pair
    there: dict[str, Any] = {
        "context": content(pair.context) if pair.context else None,
        "first": pair.first.model_copy(update={"content": content(pair.first.content)}),
        "second": pair.second.model_copy(update={"content": content(pair.second.content)}),
    }
    return row.model_copy(update={"pair": pair.model_copy(update=there)})


def _contents(row: Row) -> list[Content]:
    if not isinstance(row, LabelledPair):
        return []
    pair = row.pair
    return [one for one in (pair.context, pair.first.content, pair.second.content) if one is not None and one.path]


def _is_here(content: Content) -> bool:
    """Whether the very file lies at its path; on another machine another one may."""
    path = content.path
    return path is not None and path.is_file() and Content.of_file(path, content.modality).sha256 == content.sha256
