"""Rewards of many responses, halved where memory runs out; what is equal in a batch is read once.

Equal media meet their encoder once, and responses to one prompt share its reading (`sharing`), where the backbone
allows it. Neither changes a reward. Importing this file imports torch.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch

from core.models.value_head import sharing
from core.models.value_head.backbones import Found
from core.models.value_head.checkpoint import read_model
from core.models.value_head.fitting import in_batches, placed
from core.models.value_head.inputs import ChatWriter, Tensors, collate
from core.models.value_head.loading import load
from core.models.value_head.media import Album
from core.models.value_head.model import ValueHeadModel
from core.models.value_head.sharing import Row, Sequenced
from core.models.value_head.spec import RewardHeadSpec
from core.nouns import Failure, FailureKind

Key = TypeVar("Key")

_TOO_LARGE = Failure(
    kind=FailureKind.ERROR,
    message="The response does not fit into the device's memory, even alone; lower STUDIO_REWARD_HEAD__MEDIA__"
    "IMAGE_PIXELS or …__FRAMES, or use a larger device.",
)


class Scorer:
    """A loaded reward model and its writer of inputs. Threads take turns."""

    def __init__(self, model: ValueHeadModel, writer: ChatWriter, batch_size: int) -> None:
        self.model, self.writer, self.batch_size = model, writer, batch_size
        self._turn = threading.Lock()
        first = next(one for one in model.parameters() if one.is_floating_point())  # 4-bit weights are bytes
        self._device, self._dtype = first.device, first.dtype
        network: Any = model.network
        self._backbone, self._config = network.model, network.config.get_text_config()
        self._known = writer.found.backbone.shares  # whether its media can be told apart
        self._shares = self._known and sharing.shares(network)

    @classmethod
    def read(cls, spec: RewardHeadSpec) -> Scorer:
        """The model that the spec names, on its device. Raises JudgeFailed or MissingExtra with what to do."""
        model, writer = load(spec, _read)
        return cls(model, writer, spec.batch_size)

    def rewards(
        self, encoded: Mapping[Key, Tensors], alike: Callable[[Key], Hashable] | None = None
    ) -> dict[Key, float | Failure]:
        """r(c, x, y) of each encoded response, or why there is none; nothing is raised for a single one.

        Responses whose keys are `alike` are expected to have a prompt in common, and are read together.
        """

        def attempt(keys: list[Key]) -> list[float | Failure]:
            groups: dict[Hashable, list[Key]] = {}
            for key in keys:
                groups.setdefault(key if alike is None or not self._shares else alike(key), []).append(key)
            read = self._read_together if self._known else self._read_plainly
            with self._turn, torch.inference_mode():
                rewards = read([[encoded[key] for key in group] for group in groups.values()])
            found = dict(zip((key for group in groups.values() for key in group), rewards, strict=True))
            return [_checked(found[key]) for key in keys]

        return in_batches(encoded, self.batch_size, attempt, _TOO_LARGE, alike)

    def _read_plainly(self, groups: list[list[Tensors]]) -> list[float]:
        """The rewards of the chats of all groups, nothing shared."""
        batch = collate([one for group in groups for one in group], self.writer.pad_token)
        return self.model(**placed(batch, self._device, self._dtype)).float().tolist()

    def _read_together(self, groups: list[list[Tensors]]) -> list[float]:
        """The rewards of the chats of all groups, group by group."""
        album = Album(self.writer.placeholders)
        rows: list[Row] = []
        for group in groups:
            rows += sharing.rows_of([Sequenced.of(one, self._backbone, album) for one in group])
        batch, ends = sharing.batch_of(rows, self.writer.pad_token)
        batch = placed(batch | album.tensors(), self._device, self._dtype)
        types = batch.pop("mm_token_type_ids")
        if "places" in batch:
            mask = sharing.masks(self._config, batch.pop("places"), batch.pop("branches"), types)
        else:
            mask = batch.pop("attention_mask")
            if any("mm_token_type_ids" in one for group in groups for one in group):
                batch["mm_token_type_ids"] = types
        with album.repeated(self._backbone, [medium for row in rows for medium in row.media]):
            return self.model(attention_mask=mask, ends=ends, **batch).float().tolist()


def _read(folder: Path, found: Found, dtype: torch.dtype, place: str | None, four_bit: bool) -> ValueHeadModel:
    return read_model(folder, dtype, place=place, four_bit=four_bit, rewards_only=True)


def _checked(reward: float) -> float | Failure:
    if math.isfinite(reward):
        return reward
    return Failure(
        kind=FailureKind.ERROR,
        message="The reward is not a number: the backbone overflowed. Set STUDIO_REWARD_HEAD__DTYPE to bfloat16 or "
        "float32.",
    )
