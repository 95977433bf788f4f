"""A backbone's own processor, put together from a folder without torchvision.

transformers has no video processor without torchvision. A frame is an image, so frames go through the family's own PIL
image processor, and two of them make a temporal patch as the family's video processor would. That is also the one way
on every machine: a reward does not depend on which libraries happen to be installed. Importing this file imports torch.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers.video_utils import VideoMetadata

from core.errors import JudgeFailed
from core.models.value_head.backbones import Backbone, class_of

SOFT_TOKENS = (70, 140, 280, 560, 1120)  # per image; what Gemma 4 is trained for
Frames = Sequence[Image.Image]


class Film(list):
    """The frames of one video, with its own rate in frames a second; several videos of one chat may differ in it."""

    def __init__(self, frames: Frames, rate: float) -> None:
        super().__init__(frames)
        self.rate = rate


class GridVideos:
    """Qwen: patches of (channel, time, height, width); the frames 2k and 2k + 1 share theirs, an odd last repeats."""

    model_input_names = ("pixel_values_videos", "video_grid_thw")

    def __init__(self, images: Any) -> None:
        self.images = images
        self.merge_size, self.temporal_patch_size = images.merge_size, images.temporal_patch_size

    def __call__(self, videos: Sequence[Frames], *, fps: float, size: dict[str, int], **_: Any) -> dict[str, Any]:
        made = [self._one(list(frames), size) for frames in videos]
        return {
            "pixel_values_videos": torch.cat([patches for patches, _ in made]),
            "video_grid_thw": torch.tensor([grid for _, grid in made]),
            "video_metadata": [_metadata(frames, fps) for frames in videos],
        }

    def _one(self, frames: list[Image.Image], size: dict[str, int]) -> tuple[torch.Tensor, list[int]]:
        depth = self.temporal_patch_size
        frames += [frames[-1]] * (-len(frames) % depth)
        made = self.images(frames, size=size, return_tensors="np")
        _, high, wide = (int(side) for side in made["image_grid_thw"][0])
        # an image repeats itself over the depth of a patch, so any one layer is the frame
        layers = made["pixel_values"].reshape(len(frames) // depth, depth, high * wide, 3, depth, -1)[:, :, :, :, 0]
        patches = np.moveaxis(layers, 1, 3).reshape(len(frames) // depth * high * wide, -1)
        return torch.from_numpy(np.ascontiguousarray(patches)), [len(frames) // depth, high, wide]


class SoftVideos:
    """Gemma 4: each frame is an image of a few soft tokens, told with its time."""

    model_input_names = ("pixel_values_videos", "video_position_ids", "num_frames_per_video")

    def __init__(self, images: Any) -> None:
        self.images = images

    def __call__(self, videos: Sequence[Frames], *, fps: float, max_soft_tokens: int, **_: Any) -> dict[str, Any]:
        made = [self.images(list(v), max_soft_tokens=max_soft_tokens, return_tensors="pt") for v in videos]
        return {
            "pixel_values_videos": torch.cat([one["pixel_values"] for one in made]),
            "video_position_ids": torch.cat([one["image_position_ids"] for one in made]),
            "num_frames_per_video": torch.tensor([len(frames) for frames in videos]),
            "num_soft_tokens_per_video": [int(one["num_soft_tokens_per_image"][0]) for one in made],
            "video_metadata": [_metadata(frames, fps) for frames in videos],
        }


def _metadata(frames: Frames, fps: float) -> VideoMetadata:
    count, rate = len(frames), getattr(frames, "rate", fps)
    return VideoMetadata(total_num_frames=count, fps=rate, frames_indices=list(range(count)), duration=count / rate)


_VIDEOS = {"grid": GridVideos, "soft": SoftVideos}  # MiniCPM-o's processor takes frames as they are


def assemble(backbone: Backbone, images: Any, tokenizer: Any, sounds: Any | None, template: str | None) -> Any:
    """The processor of `backbone` from its parts, its videos read frame by frame. Needs no torchvision."""
    family = class_of(backbone.processor)

    def check(self: Any, name: str, given: Any) -> Any:
        # every other part is still checked to be of the class that the family wants
        return type(given) if name == "video_processor" else family.check_argument_for_proper_class(self, name, given)

    built = type(family.__name__, (family,), {"check_argument_for_proper_class": check})
    parts = {"image_processor": images, "tokenizer": tokenizer}
    if backbone.patches in _VIDEOS:
        parts["video_processor"] = _VIDEOS[backbone.patches](images)
    if sounds is not None:
        parts["feature_extractor"] = sounds
    return built(**parts, chat_template=template or tokenizer.chat_template)


def read_processor(folder: Path, backbone: Backbone) -> Any:
    """The processor that a checkpoint's folder describes. Raises JudgeFailed where a part of it is missing."""
    try:
        images = class_of(backbone.image_processor).from_pretrained(folder)
        tokenizer = class_of(backbone.tokenizer).from_pretrained(folder, trust_remote_code=False)
        sounds = None
        if backbone.feature_extractor is not None:
            sounds = class_of(backbone.feature_extractor).from_pretrained(folder)
        return assemble(backbone, images, tokenizer, sounds, _template(folder))
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise JudgeFailed(
            f"The folder {folder.name!r} does not hold {backbone.title}'s processor "
            f"({' '.join(str(error).split())[:200]}). Copy the backbone's tokenizer, preprocessor's files and chat "
            "template into it."
        ) from error


def _template(folder: Path) -> str | None:
    """The chat template of the folder, in its newer or its older form; else the tokenizer's own."""
    if (folder / "chat_template.jinja").is_file():
        return (folder / "chat_template.jinja").read_text(encoding="utf-8")
    if (folder / "chat_template.json").is_file():
        return json.loads((folder / "chat_template.json").read_text(encoding="utf-8"))["chat_template"]
    return None


def image_limit(backbone: Backbone, images: Any, pixels: int) -> dict[str, Any]:
    """The argument that keeps an image, or a frame, within `pixels` as far as the family allows (its least image)."""
    if backbone.patches == "slices":
        return {"max_pixels": pixels}
    if backbone.patches == "soft":
        area = (images.patch_size * images.pooling_kernel_size) ** 2
        return {"max_soft_tokens": max((n for n in SOFT_TOKENS if n * area <= pixels), default=SOFT_TOKENS[0])}
    least = (images.patch_size * images.merge_size) ** 2
    largest = max(pixels, least)
    return {"size": {"shortest_edge": min(largest, 4 * least), "longest_edge": largest}}
