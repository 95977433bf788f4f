"""A pair's files, laid beside the list that names them."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path

from core.nouns import Content, PreferencePair, Response


def laid_beside(pair: PreferencePair, folder: Path, media: Path) -> PreferencePair:
    """The pair with its files below `folder`, where the list will lie: what is elsewhere is linked or copied into
    `media`, a folder below it, under its hash. Raises OSError."""

    def laid(content: Content) -> Content:
        if content.path is None or content.path.resolve().is_relative_to(folder.absolute().resolve()):
            return content
        place = media / f"{content.sha256}{content.path.suffix or Path(content.name).suffix}"
        if not place.exists():
            media.mkdir(exist_ok=True)
            _link_or_copy(content.path, place)
        return content.model_copy(update={"path": place})

    def moved(response: Response) -> Response:
        return response.model_copy(update={"content": laid(response.content)})

    context = None if pair.context is None else laid(pair.context)
    return pair.model_copy(update={"context": context, "first": moved(pair.first), "second": moved(pair.second)})


def _link_or_copy(source: Path, place: Path) -> None:
    try:
        os.link(source, place)
    except OSError:
        part = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
        shutil.copyfile(source, part)
        os.replace(part, place)
