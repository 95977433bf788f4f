"""What is installed, what can run here, and whether the data folder is sound; every line says what to do."""

from __future__ import annotations

import ctypes
import importlib.metadata
import importlib.util
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from app.backends import judge_backend, judge_names
from app.settings import Settings
from app.zero_gpu import HARDWARE
from core.errors import BadInput, StudioError
from core.judges import JUDGES
from core.nouns import Noun
from storage.health import examine
from storage.media import MediaStore

_LEAST_FREE = 1_000_000_000
_REQUIREMENTS = Path(__file__).resolve().parent.parent / "requirements.txt"


class Check(Noun):
    """One thing looked at: "ok", a "note" that can stay as it is, or something to "mend"."""

    name: str
    state: Literal["ok", "note", "mend"]
    says: str


def check_all(settings: Settings) -> list[Check]:
    """Every check, in the order in which a person would look. Nothing is changed by looking."""
    return [*_program(), *_judges(settings), *_data(settings), *_system()]


def _program() -> Iterator[Check]:
    version = ".".join(map(str, sys.version_info[:3]))
    good = sys.version_info >= (3, 11)
    yield Check(
        name="python", state="ok" if good else "mend", says=version if good else f"{version}; 3.11 or newer is needed"
    )
    if not _REQUIREMENTS.is_file():
        yield Check(name="packages", state="note", says="requirements.txt is not beside the program; versions unknown")
        return
    for line in _REQUIREMENTS.read_text(encoding="utf-8").splitlines():
        name, _, wanted = line.partition("#")[0].strip().partition("==")
        if not name:
            continue
        try:
            have = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            yield Check(name=name, state="mend", says=f"not installed; pip install {name}=={wanted}")
            continue
        # a CPU build calls itself 2.13.0+cpu
        same = have.partition("+")[0] == wanted
        yield Check(name=name, state="ok" if same else "note", says=have if same else f"{have}; tested with {wanted}")


def _judges(settings: Settings) -> Iterator[Check]:
    if settings.zero_gpu:
        yield Check(name="hardware", state="mend", says=HARDWARE)
    try:
        names = judge_names(settings)
    except BadInput as error:
        yield Check(name="presets", state="mend", says=str(error))
        names = list(JUDGES)
    if ":" in settings.judge:
        # looking opens no database, since that would bring it up to date
        says = "chosen by STUDIO_JUDGE and made by a job; the page says whether it can run here"
        yield Check(name=f"judge {settings.judge}", state="note", says=says)
    elif settings.judge not in names:
        yield Check(
            name=f"judge {settings.judge}",
            state="mend",
            says=f"chosen by STUDIO_JUDGE, but there is no such judge; there are: {', '.join(names)}",
        )
    for name in names:
        try:
            reason = judge_backend(name, settings).unavailable()
        except Exception as error:
            reason = f"its file cannot be loaded: {type(error).__name__}: {error}"
        bad = "mend" if name == settings.judge else "note"
        yield Check(
            name=f"judge {name}",
            state="ok" if reason is None else bad,
            says="can run here" if reason is None else reason,
        )


def _data(settings: Settings) -> Iterator[Check]:
    folder = settings.data_dir.absolute()
    there = next(path for path in (folder, *folder.parents) if path.exists())
    yield _writable("data folder", folder, there)
    free = shutil.disk_usage(there).free
    enough = free >= _LEAST_FREE
    yield Check(
        name="free disk",
        state="ok" if enough else "mend",
        says=f"{free / 1e9:.1f} GB"
        if enough
        else f"{free / 1e9:.1f} GB; make room for at least {_LEAST_FREE / 1e9:.0f} GB",
    )
    if settings.media_dir.exists():
        yield _writable("media folder", settings.media_dir, settings.media_dir)
    health = examine(settings.database, MediaStore(settings.media_dir))
    if health.problem is not None:
        yield Check(name="database", state="mend", says=health.problem)
        return
    if not health.made:
        yield Check(name="database", state="ok", says="not made yet; the first start makes it")
        return
    yield from _promoted(settings)
    journal = f", journal {health.journal}" if health.journal else ""
    yield Check(
        name="database",
        state="ok",
        says=f"sound; {health.pairs} pairs, {health.verdicts} verdicts, {health.annotations} answers{journal}",
    )
    yield Check(
        name="media",
        state="mend" if health.lost else "ok",
        says=f"{health.lost} of {health.media} files are gone; bring back a copy of {settings.media_dir}"
        if health.lost
        else f"{health.media} files, all there",
    )
    yield Check(
        name="orphans",
        state="note" if health.orphans else "ok",
        says=f"{health.orphans} uploads that no pair shows; removed {settings.orphan_hours:g} h after they came in",
    )


def _promoted(settings: Settings) -> Iterator[Check]:
    """Whether the promoted judge can judge; one that needs no GPU is loaded."""
    from app.jobs import Jobs
    from app.promotions import Promotions
    from storage.db import connect

    engine = connect(settings.database, journal=None)

    def load_failure(name: str) -> str:
        try:
            backend = judge_backend(name, settings, engine)
            if not getattr(backend, "gpu", False):
                backend.load()
        except StudioError as error:
            return str(error)
        return ""

    try:
        first = Promotions(Jobs(settings, engine), load_failure).default()
    finally:
        engine.dispose()
    if first.promotion is not None:
        made = f"{first.judge}, promoted by {first.promotion.owner} on {first.promotion.made:%Y-%m-%d}"
        yield Check(name="default judge", state="mend" if first.problem else "ok", says=first.problem or made)


def _writable(name: str, folder: Path, there: Path) -> Check:
    """Whether files can be made in `there`, the nearest folder above `folder` that is there."""
    try:
        if not os.access(there, os.W_OK | os.X_OK):
            raise PermissionError("no permission")
        if folder == there:
            with tempfile.TemporaryFile(dir=folder):
                pass  # access rights do not show a read-only or full disk; making a file does
    except OSError as error:
        says = (
            f"{folder} cannot be written ({error.strerror or error}); mend its rights or choose another STUDIO_DATA_DIR"
        )
        return Check(name=name, state="mend", says=says)
    return Check(name=name, state="ok", says=str(folder) if folder == there else f"{folder}, made at the first start")


def _system() -> Iterator[Check]:
    if importlib.util.find_spec("open3d") is None or not sys.platform.startswith("linux"):
        return
    try:
        ctypes.CDLL("libusb-1.0.so.0")
    except OSError:
        yield Check(
            name="libusb", state="mend", says="missing, and open3d needs it for 3D; apt-get install libusb-1.0-0"
        )
    else:
        yield Check(name="libusb", state="ok", says="there, for open3d")
