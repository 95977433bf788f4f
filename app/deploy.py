"""Put the studio on a Hugging Face Space, as the Spacefile says."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from app.spacefile import ROOT, read_spacefile, space_header, with_header
from core.errors import BadInput, StudioError
from core.hub import hub_errors
from core.nouns import Noun


class Deployed(Noun):
    """Where the Space is, how many files went up, and the secrets that its owner still has to set by hand."""

    url: str
    files: int
    secrets: tuple[str, ...]


def files_of(root: Path) -> list[Path]:
    """The files that git tracks: what is not committed does not go up. Raises BadInput outside a checkout."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True)  # noqa: S607 - git of the person
    if done.returncode != 0:
        raise BadInput(f"{root} is not a git checkout; deploy from a clone of the repository.")
    return [root / name for name in done.stdout.decode().split("\0") if name]


def deploy(
    space: str,
    *,
    private: bool = True,
    root: Path = ROOT,
    endpoint: str | None = None,
    token: str | None = None,
    report: Callable[[str], None] = lambda text: None,
) -> Deployed:
    """Create the Space where it is missing, set its variables, and upload the program in one commit.

    `space` is "owner/name". The token is the one that `hf auth login` or HF_TOKEN gives, where none is passed. Raises
    BadInput for a wrong name and StudioError with the Hub's own words where the Hub refuses.
    """
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.errors import LocalTokenNotFoundError

    if space.count("/") != 1 or not all(space.split("/")):
        raise BadInput(f"{space!r} is not the name of a Space; write it as owner/name.")
    spacefile = read_spacefile(root / "Spacefile")
    readme = with_header((root / "README.md").read_text(encoding="utf-8"), space_header(spacefile))
    operations = [
        CommitOperationAdd(
            path_in_repo=path.relative_to(root).as_posix(),
            path_or_fileobj=readme.encode() if path == root / "README.md" else path,
        )
        for path in files_of(root)
    ]
    api = HfApi(endpoint=endpoint, token=token)
    try:
        report(f"Creating {space} where it is missing")
        url = api.create_repo(space, repo_type="space", space_sdk=spacefile["sdk"], private=private, exist_ok=True)
        for name, value in (spacefile.get("variables") or {}).items():
            api.add_space_variable(space, name, str(value))
        report(f"Uploading {len(operations)} files")
        api.create_commit(space, operations, commit_message="Deploy the studio", repo_type="space")
    except (*hub_errors(), LocalTokenNotFoundError, ValueError) as error:
        raise StudioError(f"The Hub refused: {error}. Is the token one that may write to {space}?") from error
    return Deployed(url=str(url), files=len(operations), secrets=tuple(spacefile.get("secrets") or ()))
