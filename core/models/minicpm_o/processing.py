"""Images in slices, sounds in seconds, and a chat in which their places are marked.

Slices after LLaVA-UHD (arXiv 2403.11703), as OpenBMB's image_processing_minicpmv.py makes them; a frame is an image of
at most two. Importing this file imports torch.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers.image_processing_base import ImageProcessingMixin

from core.models.minicpm_o.audio import token_count
from core.models.minicpm_o.config import AUDIO_POOL, MEDIA_TYPES

FRAME_SLICES = 2
SOUND_RATE = 16_000  # Hz
FRAMES_A_SECOND = 100

_UNKNOWN = "<unk>"
_OPENERS = (
    "<image>",
    "</image>",
    "<image_id>",
    "</image_id>",
    "<slice>",
    "</slice>",
    "<|audio_start|>",
    "<|audio_end|>",
)

# of control tokens, which no text may hold, so that a text cannot name a medium that is not there
_MARKS = {
    "image": "(<image>./</image>)",
    "video": "(<image>../</image>)",
    "audio": "(<|audio_start|>./<|audio_end|>)",
}
_MARK = re.compile("(" + "|".join(map(re.escape, _MARKS.values())) + ")")
_KINDS = {mark: kind for kind, mark in _MARKS.items()}

SYSTEM = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."
TEMPLATE = (
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\n" + SYSTEM + "<|im_end|>\n{% endif %}"
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% for c in m['content'] %}"
    + "".join(f"{{% if c['type'] == '{kind}' %}}{mark}{{% endif %}}" for kind, mark in _MARKS.items())
    + "{% if c['type'] == 'text' %}{{ c['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""LLaMA-Factory's `minicpm_o`, under which the published reward model was trained."""


@dataclass(frozen=True)
class Sliced:
    """An image as a whole, and where it is large, in slices of `columns` × `rows` as well."""

    patches: tuple[np.ndarray, ...]  # (patches, 3 × size × size) each
    grids: tuple[tuple[int, int], ...]  # rows and columns of patches
    columns: int = 0
    rows: int = 0


class SliceProcessor(ImageProcessingMixin):
    """Cuts an image into slices of about `scale_resolution`² pixels and those into patches.

    Reads OpenBMB's preprocessor_config.json; what it says besides (of sound, of code) is left alone.
    """

    model_input_names = ["pixel_values"]  # noqa: RUF012

    def __init__(
        self,
        max_slice_nums: int = 9,
        scale_resolution: int = 448,
        patch_size: int = 14,
        image_feature_size: int = 64,
        use_image_id: bool = True,
        norm_mean: Sequence[float] = (0.5, 0.5, 0.5),
        norm_std: Sequence[float] = (0.5, 0.5, 0.5),
        **_: Any,
    ) -> None:
        super().__init__()
        self.max_slice_nums, self.scale_resolution, self.patch_size = max_slice_nums, scale_resolution, patch_size
        self.image_feature_size, self.use_image_id = image_feature_size, use_image_id
        self.norm_mean, self.norm_std = list(norm_mean), list(norm_std)

    def sliced(self, image: Image.Image, *, max_pixels: int, most: int | None = None) -> Sliced:
        """The image, reduced to `max_pixels` where it is larger, in at most `most` slices."""
        image = _reduced(image.convert("RGB"), max_pixels)
        grid = self.grid(*image.size, self.max_slice_nums if most is None else most)
        if grid is None:
            return self._cut([image.resize(self._fitted(*image.size, grow=True), Image.Resampling.BICUBIC)])
        columns, rows = grid
        whole = image.resize(self._fitted(*image.size), Image.Resampling.BICUBIC)
        cell = (_multiple(image.width, columns) / columns, _multiple(image.height, rows) / rows)
        wide, high = self._fitted(*cell, grow=True)
        large = image.resize((wide * columns, high * rows), Image.Resampling.BICUBIC)
        corners = [(wide * x, high * y) for y in range(rows) for x in range(columns)]
        return self._cut([whole, *(large.crop((x, y, x + wide, y + high)) for x, y in corners)], columns, rows)

    def grid(self, width: int, height: int, most: int) -> tuple[int, int] | None:
        """Columns and rows of slices whose shape is nearest to the image's; None where it is small enough as it is."""
        wanted = min(math.ceil(width * height / self.scale_resolution**2), most)
        if wanted <= 1:
            return None
        counts = (count for count in (wanted - 1, wanted, wanted + 1) if 1 < count <= most)
        grids = [
            (columns, count // columns) for count in counts for columns in range(1, count + 1) if count % columns == 0
        ]
        shape = math.log(width / height)
        return min(grids, key=lambda grid: abs(shape - math.log(grid[0] / grid[1])))

    def _fitted(self, width: float, height: float, *, grow: bool = False) -> tuple[int, int]:
        """The size nearest to whole patches, of the same shape and of at most (`grow`: about) one slice's pixels."""
        if grow or width * height > self.scale_resolution**2:
            shape = width / height
            height = int(self.scale_resolution / math.sqrt(shape))
            width = int(height * shape)
        return _multiple(width, self.patch_size), _multiple(height, self.patch_size)

    def _cut(self, images: Sequence[Image.Image], columns: int = 0, rows: int = 0) -> Sliced:
        patches, grids = [], []
        mean, deviation = (np.array(values, dtype=np.float32) for values in (self.norm_mean, self.norm_std))
        for image in images:
            colours = (np.asarray(image, dtype=np.float32) / 255 - mean) / deviation
            high, wide = (side // self.patch_size for side in colours.shape[:2])
            tiles = colours.reshape(high, self.patch_size, wide, self.patch_size, 3).transpose(0, 2, 4, 1, 3)
            patches.append(tiles.reshape(high * wide, -1))
            grids.append((high, wide))
        return Sliced(tuple(patches), tuple(grids), columns, rows)


def _reduced(image: Image.Image, pixels: int) -> Image.Image:
    """Without filter, as LLaMA-Factory reduced what the published reward model was trained on."""
    if image.width * image.height <= pixels:
        return image
    factor = math.sqrt(pixels / (image.width * image.height))
    size = (max(1, int(image.width * factor)), max(1, int(image.height * factor)))
    return image.resize(size, Image.Resampling.NEAREST)


def _multiple(length: float, unit: int) -> int:
    """The multiple of `unit` nearest to a length, at least one."""
    return max(round(length / unit) * unit, unit)


class MiniCPMOProcessor:
    """Writes chats and encodes them with their media, one chat at a time."""

    image_token, video_token, audio_token = "<image>", "<image>", "<|audio_start|>"
    media_tokens = _OPENERS

    def __init__(
        self, image_processor: SliceProcessor, tokenizer: Any, feature_extractor: Any, chat_template: str | None = None
    ) -> None:
        self.image_processor, self.tokenizer, self.feature_extractor = image_processor, tokenizer, feature_extractor
        # a published tokenizer has a template for text alone, and the reward model was trained under this one
        self.chat_template = TEMPLATE
        vocabulary = tokenizer.get_vocab()
        if lost := [token for token in (*_OPENERS, _UNKNOWN) if token not in vocabulary]:
            raise ValueError(f"the tokenizer lacks {', '.join(lost)}")
        self._unknown = vocabulary[_UNKNOWN]

    def apply_chat_template(self, messages: Sequence[Mapping[str, Any]], **options: Any) -> str:
        """Messages of typed parts as text, a mark in the place of each medium."""
        return self.tokenizer.apply_chat_template(list(messages), chat_template=self.chat_template, **options)

    def __call__(
        self,
        text: Sequence[str],
        images: Sequence[Image.Image] = (),
        videos: Sequence[Sequence[Image.Image]] = (),
        audio: Sequence[np.ndarray] = (),
        images_kwargs: Mapping[str, Any] | None = None,
        videos_kwargs: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> dict[str, torch.Tensor]:
        """The model's inputs for one chat. `max_pixels` of an image or a frame come in its kwargs; sounds at 16 kHz.
        ValueError where the marks are not those of the media."""
        limits = {"max_pixels": (images_kwargs or {}).get("max_pixels", 10**9)}
        frame_limits = {"max_pixels": (videos_kwargs or {}).get("max_pixels", 10**9), "most": FRAME_SLICES}
        pictures = [self.image_processor.sliced(image, **limits) for image in images]
        films = [[self.image_processor.sliced(frame, **frame_limits) for frame in film] for film in videos]
        heard, lengths = self._heard(audio)
        told = {
            "image": [self._picture(one, number) for number, one in enumerate(pictures)],
            "video": ["".join(self._picture(frame) for frame in film) for film in films],
            "audio": [_seconds(token_count(length, AUDIO_POOL)) for length in lengths],
        }
        (chat,) = text
        frames = [frame for film in films for frame in film]
        return (
            self._tokens(chat, told)
            | _pixels(pictures, "pixel_values", "image_grids")
            | _pixels(frames, "pixel_values_videos", "video_grids")
            | heard
        )

    def _picture(self, image: Sliced, number: int | None = None) -> str:
        """The tokens of an image: its number, the whole, and its slices row by row."""
        tokens = _UNKNOWN * self.image_processor.image_feature_size
        shown = number is not None and self.image_processor.use_image_id
        told = f"<image_id>{number}</image_id>" if shown else ""
        row = f"<slice>{tokens}</slice>" * image.columns
        return f"{told}<image>{tokens}</image>" + "\n".join([row] * image.rows)

    def _heard(self, sounds: Sequence[np.ndarray]) -> tuple[dict[str, torch.Tensor], list[int]]:
        """Mel features (sounds, mels, most frames) with their mask, and how many frames are each sound's own."""
        if not len(sounds):
            return {}, []
        longest = self.feature_extractor.n_samples
        if any(len(sound) > longest for sound in sounds):
            raise ValueError(f"a sound is longer than the {longest / SOUND_RATE:g} s that the encoder takes")
        made = self.feature_extractor(
            list(sounds),
            sampling_rate=SOUND_RATE,
            padding="max_length",
            return_attention_mask=True,
            return_tensors="pt",
        )
        lengths = made["attention_mask"].sum(1).tolist()
        most = max(lengths)
        mask = made["attention_mask"][:, :most]
        return {"input_features": made["input_features"][:, :, :most], "feature_attention_mask": mask}, lengths

    def _tokens(self, chat: str, told: Mapping[str, Sequence[str]]) -> dict[str, torch.Tensor]:
        waiting = {kind: iter(texts) for kind, texts in told.items()}
        ids: list[int] = []
        types: list[int] = []
        for piece in _MARK.split(chat):
            kind = _KINDS.get(piece)
            found = self.tokenizer.encode(_next(waiting[kind], kind) if kind else piece, add_special_tokens=False)
            ids += found
            types += [MEDIA_TYPES[kind] if kind and token == self._unknown else 0 for token in found]
        if left := [kind for kind, texts in waiting.items() if next(texts, None) is not None]:
            raise ValueError(f"the chat does not name every {left[0]} that it was given")
        return {
            "input_ids": torch.tensor([ids]),
            "attention_mask": torch.ones(1, len(ids), dtype=torch.long),
            "mm_token_type_ids": torch.tensor([types]),
        }


def _next(texts: Iterator[str], kind: str) -> str:
    told = next(texts, None)
    if told is None:
        raise ValueError(f"the chat names more of {kind} than it was given")
    return told


def _seconds(tokens: int) -> str:
    """So many tokens of a sound, each second in marks of its own."""
    whole = token_count(FRAMES_A_SECOND, AUDIO_POOL)
    parts = [min(whole, tokens - start) for start in range(0, tokens, whole)]
    return "".join(f"<|audio_start|>{_UNKNOWN * part}<|audio_end|>" for part in parts)


def _pixels(images: Sequence[Sliced], pixels: str, grids: str) -> dict[str, torch.Tensor]:
    if not images:
        return {}
    patches = np.concatenate([patch for image in images for patch in image.patches])
    return {
        pixels: torch.from_numpy(patches),
        grids: torch.tensor([grid for image in images for grid in image.grids]),
    }
