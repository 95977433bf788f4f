"""The omni backbones that judge in words or under a value head: one row each, found by the checkpoint's `model_type`.

Classes are named here as text, so that reading the table loads nothing: those of transformers, and with their file
those of MiniCPM-o, which transformers does not have. Media reach a backbone as `core.modalities.Part`s: text, image,
video (frames and their rate) and audio (16 kHz); a 3D response is its rendered views, hence images.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from core.errors import JudgeFailed
from core.nouns import Modality, Task

HEAD_FILES = ("value_head.safetensors", "value_head.bin")

PART_KINDS: dict[Modality, str] = {
    Modality.TEXT: "text",
    Modality.IMAGE: "image",
    Modality.VIDEO: "video",
    Modality.AUDIO: "audio",
    Modality.MESH: "image",
}
"""The kind of part that carries each modality."""


@dataclass(frozen=True)
class Backbone:
    """One family. `patches` says how an image becomes tokens: Qwen's grids of patches, Gemma's soft tokens, MiniCPM's
    slices."""

    title: str
    model: str
    processor: str
    image_processor: str
    feature_extractor: str | None
    kinds: frozenset[str]
    patches: Literal["grid", "soft", "slices"]
    tokenizer: str = "AutoTokenizer"
    shares: bool = False  # whether equal media and beginnings may be read once; tests show that it is exact
    segment: float | None = None  # s; the feature extractor silently cuts a longer sound, so it comes in pieces
    wrapper: str | None = None  # model_type of the whole model, where the checkpoint holds more than this part
    part: str | None = None  # the key of this part's own configuration in the whole one

    def tasks(self, kinds: frozenset[str] | None = None) -> frozenset[Task]:
        """The tasks of which it can read prompt, context and responses."""
        able = self.kinds if kinds is None else kinds
        return frozenset(
            task
            for task in Task
            if {PART_KINDS[m] for m in (task.response, task.context) if m is not None} | {"text"} <= able
        )


def class_of(name: str) -> Any:
    """The class that the table names: of transformers, or of the file that stands before it. Loads the library."""
    file, _, own = name.rpartition(".")
    return getattr(importlib.import_module(file or "transformers"), own)


_OMNI = frozenset({"text", "image", "video", "audio"})
_QWEN = {"image_processor": "Qwen2VLImageProcessorPil", "patches": "grid", "shares": True}

BACKBONES: dict[str, Backbone] = {
    "qwen2_5_omni_thinker": Backbone(
        title="Qwen2.5-Omni",
        model="Qwen2_5OmniThinkerForConditionalGeneration",
        processor="Qwen2_5OmniProcessor",
        feature_extractor="WhisperFeatureExtractor",
        kinds=_OMNI,
        segment=300.0,
        wrapper="qwen2_5_omni",
        part="thinker_config",
        **_QWEN,  # type: ignore[arg-type]
    ),
    "qwen3_omni_moe_thinker": Backbone(
        title="Qwen3-Omni",
        model="Qwen3OmniMoeThinkerForConditionalGeneration",
        processor="Qwen3OmniMoeProcessor",
        feature_extractor="WhisperFeatureExtractor",
        kinds=_OMNI,
        wrapper="qwen3_omni_moe",
        part="thinker_config",
        **_QWEN,  # type: ignore[arg-type]
    ),
    "gemma4": Backbone(
        title="Gemma 4",
        model="Gemma4ForConditionalGeneration",
        processor="Gemma4Processor",
        image_processor="Gemma4ImageProcessorPil",
        feature_extractor="Gemma4AudioFeatureExtractor",
        kinds=_OMNI,
        patches="soft",
        shares=True,
        segment=30.0,
    ),
    "qwen2_5_vl": Backbone(
        title="Qwen2.5-VL",
        model="Qwen2_5_VLForConditionalGeneration",
        processor="Qwen2_5_VLProcessor",
        feature_extractor=None,
        kinds=frozenset({"text", "image", "video"}),
        **_QWEN,  # type: ignore[arg-type]
    ),
    "minicpmo": Backbone(
        title="MiniCPM-o 2.6",
        model="core.models.minicpm_o.model.MiniCPMOForConditionalGeneration",
        processor="core.models.minicpm_o.processing.MiniCPMOProcessor",
        image_processor="core.models.minicpm_o.processing.SliceProcessor",
        feature_extractor="WhisperFeatureExtractor",
        tokenizer="PreTrainedTokenizerFast",  # its own class is code that lies beside the checkpoint
        kinds=_OMNI,
        patches="slices",
        segment=30.0,
    ),
}
"""Backbones by the `model_type` of the part that reads: the thinker, where there is also a talker."""


@dataclass(frozen=True)
class Found:
    """The backbone of a checkpoint: its row, its `model_type`, the kinds that this very checkpoint reads."""

    backbone: Backbone
    model_type: str
    kinds: frozenset[str]
    whole: bool  # whether the configuration is that of the whole model


def find_backbone(config: Mapping[str, Any]) -> Found:
    """The backbone that a checkpoint's config.json names. Raises JudgeFailed where it is none of the table."""
    named = str(config.get("model_type", ""))
    for model_type, backbone in BACKBONES.items():
        if named in (model_type, backbone.wrapper):
            whole = named != model_type
            own = config.get(backbone.part, {}) if whole and backbone.part else config
            # small members of a family come without a tower: Gemma 4 without audio, for one
            absent = {
                kind
                for tower, kinds in (("audio_config", {"audio"}), ("vision_config", {"image", "video"}))
                if tower in own and own[tower] is None
                for kind in kinds
            }
            return Found(backbone, model_type, backbone.kinds - absent, whole)
    known = ", ".join(row.title for row in BACKBONES.values())
    code = ", since its own code is never run here" if "auto_map" in config else ""
    raise JudgeFailed(f"A checkpoint of type {named or 'unknown'!r} cannot be run here{code}; use one of {known}.")


def read_config(folder: Path) -> dict[str, Any]:
    """The folder's config.json. Raises JudgeFailed where there is none that can be read."""
    if (folder / "adapter_config.json").is_file() and not (folder / "config.json").is_file():
        raise JudgeFailed(
            f"The folder {folder.name!r} holds only an adapter; merge it into its backbone, keep {HEAD_FILES[0]} "
            "beside the result where there is one, and choose that folder."
        )
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise JudgeFailed(
            f"There is no model in {folder.name!r}: choose a folder with config.json and the backbone's weights (and "
            f"{HEAD_FILES[0]} for a reward model)."
        ) from error
    if not isinstance(config, dict):
        raise JudgeFailed(f"The config.json of {folder.name!r} is not that of a model.")
    return config
