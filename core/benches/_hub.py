"""A bench's files from the Hugging Face Hub, in a folder that a stopped job finds again."""

from __future__ import annotations

from pathlib import Path

from core.benches import BENCHES
from core.errors import BadInput, StudioError
from core.hub import hub_errors

REVISION = "revision.txt"


def asks_hub(folder: str | None) -> bool:
    """Whether a run's folder says that the files are to be fetched: hub, or hub:REVISION."""
    return folder is not None and folder.partition(":")[0] == "hub"


def fetched(name: str, asked: str, folder: Path) -> Path:
    """The files of a bench below `folder`, those that are there not fetched again.

    `asked` is hub or hub:REVISION. The commit is kept beside the files at the first call, so that a run which goes on
    stays with it though the Hub has moved on. Raises BadInput for a bench that is not on the Hub, StudioError with the
    Hub's own words where it cannot be fetched.
    """
    from huggingface_hub import HfApi, snapshot_download

    bench = BENCHES[name]
    if bench.hub is None:
        raise BadInput(f"{bench.title} is not on the Hub; download it as {bench.source} says, and name its folder.")
    pinned, files = folder / REVISION, folder / "files"
    try:
        if not pinned.is_file():
            wanted = asked.partition(":")[2] or None
            commit = HfApi().dataset_info(bench.hub, revision=wanted).sha or ""
            folder.mkdir(parents=True, exist_ok=True)
            pinned.write_text(commit, encoding="ascii")
        snapshot_download(bench.hub, repo_type="dataset", revision=pinned.read_text("ascii"), local_dir=files)
    except hub_errors() as error:
        raise StudioError(
            f"{bench.hub} could not be fetched from the Hub ({type(error).__name__}: {str(error).splitlines()[0]}). "
            "Check the connection, the revision and your rights; tried again, the job goes on with what is missing."
        ) from error
    return files
