"""Where a model stands, and batches that fit its memory: halved where it runs out. Importing this imports torch."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import torch

from core.errors import JobCancelled, JudgeFailed, MissingExtra
from core.models.value_head.inputs import MEDIA, Tensors
from core.models.value_head.spec import ModelSpec
from core.nouns import Failure, FailureKind

log = logging.getLogger(__name__)

Key = TypeVar("Key")
Found = TypeVar("Found")

_NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


def device_of(spec: ModelSpec) -> str:
    """The device that the spec asks for. Raises JudgeFailed where it is not there, MissingExtra without accelerate."""
    gpu = torch.cuda.is_available()
    if spec.device in ("auto", "spread"):
        if spec.device == "spread" and importlib.util.find_spec("accelerate") is None:
            raise MissingExtra("Spreading a model over several GPUs needs accelerate: pip install accelerate")
        return "cuda" if gpu else "cpu"
    kind, _, number = spec.device.partition(":")
    there = {"cuda": gpu, "mps": torch.backends.mps.is_available()}.get(kind, True)
    if not there or (number and int(number) >= torch.cuda.device_count()):
        raise JudgeFailed(f"There is no device {spec.device!r} here; set {spec.setting('DEVICE')} to auto or cpu.")
    return spec.device


def dtype_of(spec: ModelSpec) -> torch.dtype:
    """The precision that the spec asks for; auto and nf4 compute in bfloat16 on a GPU, float32 elsewhere."""
    if spec.dtype not in ("auto", "nf4"):
        return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[spec.dtype]
    return torch.bfloat16 if device_of(spec).startswith("cuda") else torch.float32


def placed(batch: Tensors, device: torch.device, dtype: torch.dtype) -> Tensors:
    """The batch where the model stands, its media in the model's precision."""
    return {name: value.to(device, dtype) if name in MEDIA else value.to(device) for name, value in batch.items()}


def in_batches(
    encoded: Mapping[Key, Tensors],
    size: int,
    attempt: Callable[[list[Key]], Sequence[Found | Failure]],
    too_large: Failure,
    alike: Callable[[Key], Hashable] | None = None,
) -> dict[Key, Found | Failure]:
    """What `attempt` finds for each key, asked for `size` of like length at a time; nothing is raised for a single one.

    Keys that are `alike` are asked for together, as far as `size` allows: what they begin with may be equal.

    A batch that raises is tried again in halves, down to the one input that it is about; that one's failure is
    `too_large` where memory ran out. The keys decide the order among inputs of one length, so the batches are the same
    in whichever order the keys come.
    """
    order = sorted(encoded, key=lambda key: (encoded[key]["input_ids"].shape[1], str(key)))
    groups: dict[Hashable, list[Key]] = {}
    for key in order:
        groups.setdefault(key if alike is None else alike(key), []).append(key)
    found: dict[Key, Found | Failure] = {}
    longest = sorted(groups.values(), key=lambda keys: encoded[keys[-1]]["input_ids"].shape[1])
    for keys in _filled(longest, size):
        found |= zip(keys, _halved(keys, attempt, too_large), strict=True)
    return found


def _filled(groups: Iterable[list[Key]], size: int) -> Iterator[list[Key]]:
    """Batches of at most `size` keys; a group is divided only where it is larger than that."""
    batch: list[Key] = []
    for group in groups:
        for start in range(0, len(group), size):
            part = group[start : start + size]
            if len(batch) + len(part) > size:
                yield batch
                batch = []
            batch = batch + part
    if batch:
        yield batch


def _halved(
    keys: list[Key], attempt: Callable[[list[Key]], Sequence[Found | Failure]], too_large: Failure
) -> list[Found | Failure]:
    done = _tried(keys, attempt, too_large)
    if not isinstance(done, Failure):
        return [*done]
    if len(keys) == 1:
        return [done]
    # here, outside the handler, the failed attempt's tensors are free
    middle = len(keys) // 2
    return [*_halved(keys[:middle], attempt, too_large), *_halved(keys[middle:], attempt, too_large)]


def _tried(
    keys: list[Key], attempt: Callable[[list[Key]], Sequence[Found | Failure]], too_large: Failure
) -> Sequence[Found | Failure] | Failure:
    """One attempt: what was found in order, or one failure for all of them."""
    try:
        return attempt(keys)
    except JobCancelled:
        raise
    except Exception as error:
        if isinstance(error, torch.OutOfMemoryError) or any(word in str(error).lower() for word in _NO_MEMORY):
            failure = too_large
        else:
            log.exception("the model failed on %d inputs", len(keys))
            failure = Failure(kind=FailureKind.ERROR, message="The model stopped; the log has the error.")
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return failure
