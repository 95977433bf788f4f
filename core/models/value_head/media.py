"""The images, videos and sounds of encoded chats, each one apart, so that equal ones meet their encoder once.

A processor lays the media of a chat behind one another in a few tensors, and marks their places among the tokens with
placeholders. Importing this file imports torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from core.models.value_head.inputs import Tensors, collate

KINDS = ("image", "video", "audio")

_SEVERAL = {  # rows a medium, as its grid or its number of frames says: patches (Qwen) or frames (Gemma)
    "image": ("pixel_values", "image_position_ids"),
    "video": ("pixel_values_videos", "video_position_ids"),
    "audio": (),
}
_ONE = {  # one row a medium
    "image": ("image_grid_thw",),
    "video": ("video_grid_thw", "num_frames_per_video"),
    "audio": ("input_features", "feature_attention_mask", "input_features_mask"),
}


@dataclass(frozen=True)
class Medium:
    """One medium of one chat. `number` is that of its content in the album; `start` and `stop` bound its tokens."""

    kind: str
    number: int
    start: int
    stop: int


class Album:
    """The different media of a batch, each once. `placeholders` are the tokens that stand for each kind."""

    def __init__(self, placeholders: Mapping[str, int]) -> None:
        self.placeholders = placeholders
        self._pages: list[tuple[str, Tensors, int]] = []  # kind, tensors, number of tokens

    def media(self, encoded: Tensors) -> tuple[Medium, ...]:
        """The media of a chat in the order of its tokens; those that are not in the album yet enter it.

        Raises ValueError where tokens and media do not fit each other.
        """
        found: list[Medium] = []
        for kind in KINDS:
            pages = _apart(kind, encoded)
            runs = _runs(encoded["input_ids"][0], self.placeholders.get(kind))
            # a video of Gemma has a run of tokens for each of its frames
            lengths = [int(page.get("num_frames_per_video", torch.ones(1))[0]) for page in pages]
            if sum(lengths) != len(runs):
                raise ValueError(f"{len(runs)} places for {kind} among the tokens, and {sum(lengths)} to fill them")
            for page, length in zip(pages, lengths, strict=True):
                own, runs = runs[:length], runs[length:]
                number = self._number(kind, page, sum(stop - start for start, stop in own))
                found.append(Medium(kind, number, own[0][0], own[-1][1]))
        return tuple(sorted(found, key=lambda medium: medium.start))

    def _number(self, kind: str, page: Tensors, tokens: int) -> int:
        for number, (other_kind, other, _) in enumerate(self._pages):
            if other_kind == kind and all(torch.equal(page[name], other[name]) for name in page):
                return number
        self._pages.append((kind, page, tokens))
        return len(self._pages) - 1

    def tensors(self) -> Tensors:
        """The backbone's inputs: every medium once, kind by kind."""
        batch: Tensors = {}
        for kind in KINDS:
            if pages := [page for other, page, _ in self._pages if other == kind]:
                batch |= collate(pages, 0)
        return batch

    @contextmanager
    def repeated(self, backbone: Any, media: Sequence[Medium]) -> Iterator[None]:
        """Meanwhile, the features that the backbone gets of `tensors()` are those of `media`, in their order.

        Every backbone of transformers asks its own get_image_features, … for them. One thread at a time.
        """
        changed = []
        for kind in KINDS:
            numbers = [number for number, (other, _, _) in enumerate(self._pages) if other == kind]
            order = [numbers.index(medium.number) for medium in media if medium.kind == kind]
            if order != list(range(len(numbers))):
                name = f"get_{kind}_features"
                tokens = [self._pages[number][2] for number in numbers]
                setattr(backbone, name, _repeating(getattr(backbone, name), order, tokens))
                changed.append(name)
        try:
            yield
        finally:
            for name in changed:
                delattr(backbone, name)


def _repeating(features: Any, order: Sequence[int], tokens: Sequence[int]) -> Any:
    """`features` with what it returns for each medium taken in `order`."""

    def repeated(*args: Any, **kwargs: Any) -> Any:
        found = features(*args, **kwargs)
        if isinstance(found.pooler_output, (tuple, list)):  # pictures: one tensor each
            found.pooler_output = tuple(found.pooler_output[index] for index in order)
            if getattr(found, "deepstack_features", None) is not None:  # Qwen3: of several layers
                levels = found.deepstack_features
                found.deepstack_features = [tuple(level[index] for index in order) for level in levels]
        elif getattr(found, "attention_mask", None) is not None:  # sounds of Gemma: (sounds, tokens, size)
            found.pooler_output = found.pooler_output[list(order)]
            found.attention_mask = found.attention_mask[list(order)]
        else:  # sounds of Qwen: one after the other
            pieces = found.last_hidden_state.split(list(tokens))
            found.last_hidden_state = torch.cat([pieces[index] for index in order])
        return found

    return repeated


def _apart(kind: str, encoded: Tensors) -> list[Tensors]:
    """The tensors of each medium of a kind."""
    several = [name for name in _SEVERAL[kind] if name in encoded]
    one = [name for name in _ONE[kind] if name in encoded]
    if not several and not one:
        return []
    grid = encoded.get(f"{kind}_grid_thw")
    if grid is not None:
        rows = grid.prod(dim=1).tolist()
    elif "num_frames_per_video" in one:
        rows = encoded["num_frames_per_video"].tolist()
    else:
        rows = [1] * len(encoded[(several + one)[0]])
    split = {name: encoded[name].split(rows) for name in several} | {name: encoded[name].split(1) for name in one}
    return [{name: pieces[place] for name, pieces in split.items()} for place in range(len(rows))]


def _runs(ids: torch.Tensor, token: int | None) -> list[tuple[int, int]]:
    """Start and stop of each unbroken run of one token."""
    here = torch.nn.functional.pad((ids == (-1 if token is None else token)).int(), (1, 1)).diff()
    starts, stops = (here == 1).nonzero()[:, 0].tolist(), (here == -1).nonzero()[:, 0].tolist()
    return list(zip(starts, stops, strict=True))
