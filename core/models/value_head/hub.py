"""Where a model's files are: a folder here, or one fetched from the Hugging Face Hub without code or pickles."""

from __future__ import annotations

import json
import re
from pathlib import Path

from core.errors import JudgeFailed
from core.hub import hub_errors
from core.models.value_head.spec import ModelSpec

_FETCHED = ("*.json", "*.safetensors", "*.jinja", "*.txt", "*.model")


def is_hub_id(model: str) -> bool:
    """Whether the text may be an id on the Hub: owner/name."""
    return re.fullmatch(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", model) is not None


def model_folder(spec: ModelSpec) -> Path:
    """The folder with the model's files, fetched at the spec's revision where it is not here. Raises JudgeFailed."""
    folder = Path(spec.model).expanduser()
    if folder.is_dir():
        return folder
    if not is_hub_id(spec.model):
        raise JudgeFailed(f"There is no folder {spec.model!r}; give a folder, or a Hub id such as owner/name.")
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(spec.model, revision=spec.revision, allow_patterns=list(_FETCHED)))
    except hub_errors() as error:
        at = f" at revision {spec.revision!r}" if spec.revision else ""
        raise JudgeFailed(
            f"{spec.model!r}{at} is neither a folder here nor could it be fetched from the Hub "
            f"({type(error).__name__}). Check the name, the connection and your rights, or give a folder."
        ) from error


def complete_folder(spec: ModelSpec) -> Path | None:
    """The folder with all of the model's weights, where this machine has them already; else None. Asks nobody."""
    folder = Path(spec.model).expanduser()
    if not folder.is_dir():
        if not is_hub_id(spec.model):
            return None
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

        try:
            folder = Path(snapshot_download(spec.model, revision=spec.revision, local_files_only=True))
        except (HFValidationError, LocalEntryNotFoundError, OSError):
            return None
    try:
        weights = _weights(folder)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # an index that is damaged names no weights
    return folder if all((folder / name).is_file() for name in ("config.json", *weights)) else None


def _weights(folder: Path) -> set[str]:
    """The files that hold the weights, as the folder's own index says."""
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return {"model.safetensors"}
    return {str(name) for name in json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()}
