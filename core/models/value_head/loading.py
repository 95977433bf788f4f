"""The one way to load what a spec names: a model, and the writer of its chats. Importing this file imports torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from core.models.value_head.backbones import Found, find_backbone, read_config
from core.models.value_head.fitting import device_of, dtype_of
from core.models.value_head.hub import model_folder
from core.models.value_head.inputs import ChatWriter
from core.models.value_head.processors import read_processor
from core.models.value_head.spec import ModelSpec

Model = TypeVar("Model", bound=nn.Module)


def load(spec: ModelSpec, read: Callable[[Path, Found, torch.dtype, bool], Model]) -> tuple[Model, ChatWriter]:
    """What `read` makes of the spec's folder, on the spec's device, and what writes for it.

    `read` is given the folder, the backbone found in it, the precision, and whether the model is to be spread over
    all GPUs, which it does itself. Raises JudgeFailed or MissingExtra with what to do.
    """
    folder = model_folder(spec)
    found = find_backbone(read_config(folder))
    device, spread = device_of(spec), spec.device == "spread"
    processor = read_processor(folder, found.backbone)
    model = read(folder, found, dtype_of(spec), spread)
    return (model if spread else model.to(device)).eval(), ChatWriter(found, processor, spec.media, spec.setting)
