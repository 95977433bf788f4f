"""The one way to load what a spec names: a model, and the writer of its chats. Importing this file imports torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from core.errors import MissingExtra
from core.models.value_head.backbones import Found, find_backbone, read_config
from core.models.value_head.fitting import device_of, dtype_of
from core.models.value_head.four_bit import missing
from core.models.value_head.hub import model_folder
from core.models.value_head.inputs import ChatWriter
from core.models.value_head.processors import read_processor
from core.models.value_head.spec import ModelSpec

Model = TypeVar("Model", bound=nn.Module)


def load(
    spec: ModelSpec, read: Callable[[Path, Found, torch.dtype, str | None, bool], Model]
) -> tuple[Model, ChatWriter]:
    """What `read` makes of the spec's folder, on the spec's device, and what writes for it.

    `read` is given the folder, the backbone found in it, the precision, where to read it to ("auto": spread over all
    GPUs; None: to the CPU, from where it is moved), and whether its weights are to be in 4 bits. Raises JudgeFailed or
    MissingExtra with what to do.
    """
    if told := missing(spec.dtype):
        raise MissingExtra(told)
    folder = model_folder(spec)
    found = find_backbone(read_config(folder))
    device, spread, four_bit = device_of(spec), spec.device == "spread", spec.dtype == "nf4"
    processor = read_processor(folder, found.backbone)
    # weights are quantised one by one where they will stand, so that the whole is never there in full
    place = "auto" if spread else device if four_bit else None
    model = read(folder, found, dtype_of(spec), place, four_bit)
    return (model if spread else model.to(device)).eval(), ChatWriter(found, processor, spec.media, spec.setting)
