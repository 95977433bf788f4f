"""Reading and writing a value-head model: a backbone checkpoint and `value_head.safetensors` beside it.

The layout is LLaMA-Factory's, with which Omni-RewardModel-BT was trained: the generation model as transformers saves
it, and the head's `v_head.summary.weight` (1, hidden) and `v_head.summary.bias` (1,) in a file of their own. Importing
this file imports torch and transformers.
"""

from __future__ import annotations

import json
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
import transformers
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from core.errors import JudgeFailed
from core.models.value_head.backbones import HEAD_FILES, Found, class_of, find_backbone, read_config
from core.models.value_head.four_bit import nf4, settle
from core.models.value_head.model import ValueHeadModel

_HEAD = "v_head.summary."
# what whole models carry besides the part that reads; no reward needs the language head
_OTHER_PARTS = ("talker.", "token2wav.", "code2wav.", "tts.", "v_head.", "lm_head.", "thinker.lm_head.")
_UNUSED = ("lm_head.",)


def read_head(folder: Path) -> dict[str, torch.Tensor]:
    """The head's `weight` (1, hidden) and `bias` (1,), float32. Raises JudgeFailed that names the wrong keys."""
    path = next((folder / name for name in HEAD_FILES if (folder / name).is_file()), None)
    if path is None:
        raise JudgeFailed(
            f"The folder {folder.name!r} has no {HEAD_FILES[0]}: it is a backbone without a value head, and gives no "
            "rewards until one is trained."
        )
    try:
        # a pickle may run code when it is read; weights_only refuses everything that is no tensor
        read = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
        tensors = dict(read)
    except (OSError, SafetensorError, RuntimeError, ValueError, TypeError, EOFError, UnpicklingError) as error:
        raise JudgeFailed(f"{path.name} cannot be read: it is damaged, or more than tensors.") from error
    wanted = {_HEAD + "weight", _HEAD + "bias"}
    missing, strange = sorted(wanted - set(tensors)), sorted(str(key) for key in set(tensors) - wanted)
    if missing or strange:
        raise JudgeFailed(
            f"{path.name} is no value head: it lacks {_listed(missing)} and has {_listed(strange)} too many. It should "
            f"hold {_HEAD}weight and {_HEAD}bias, as LLaMA-Factory writes them."
        )
    return {key.removeprefix(_HEAD): tensor.float() for key, tensor in tensors.items()}


def read_network(
    folder: Path,
    found: Found,
    dtype: torch.dtype,
    place: str | None = None,
    four_bit: bool = False,
    *,
    writes: bool = False,
) -> Any:
    """The backbone's generation model with every weight read from the folder. Raises JudgeFailed with the keys.

    The language head may be missing, and is random then, unless the model `writes`. `place` is a device, or "auto" for
    all GPUs; None is the CPU. With `four_bit` the language model's weights are quantised as they are read.

    The generation class itself is loaded, since the renames from older checkpoints are registered for it by name: a
    class of our own would find none of the language model's keys and leave it at random weights, with a warning only.
    """
    network_class = class_of(found.backbone.model)
    try:
        config = _own_config(folder, found, network_class)
        network, info = network_class.from_pretrained(
            folder,
            config=config,
            dtype=dtype,
            device_map=place,
            quantization_config=nf4(network_class, config, dtype) if four_bit else None,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # so that they are told by name, below
            trust_remote_code=False,
            local_files_only=True,
        )
    except (OSError, RuntimeError, ValueError, SafetensorError) as error:
        if isinstance(error, torch.OutOfMemoryError):
            raise JudgeFailed(
                f"The model {folder.name!r} does not fit into the device's memory; choose another device, or spread."
            ) from error
        said = " ".join(str(error).split())[:300]
        raise JudgeFailed(
            f"The weights of {folder.name!r} are not those of a {found.backbone.title}: {said}"
        ) from error
    unused = () if writes else _UNUSED
    missing = sorted(key for key in info["missing_keys"] if not key.startswith(unused))
    strange = sorted(key for key in info["unexpected_keys"] if not key.startswith(_OTHER_PARTS))
    other = sorted(str(key[0] if isinstance(key, tuple) else key) for key in info["mismatched_keys"])
    if four_bit and not missing:
        other = sorted({*other, *settle(network)})
    if missing or strange or other:
        raise JudgeFailed(
            f"The weights of {folder.name!r} do not fit {found.backbone.title}, and would be partly random: missing "
            f"{_listed(missing)}; too many {_listed(strange)}; of another shape {_listed(other)}."
        )
    return network


def _own_config(folder: Path, found: Found, network_class: Any) -> Any:
    """The configuration of the part that reads, whether the folder's is that part's or the whole model's."""
    config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    own = getattr(config, found.backbone.part) if found.whole and found.backbone.part else config
    if not isinstance(own, network_class.config_class):
        raise ValueError(f"its configuration is a {type(own).__name__}")
    return own


def read_model(
    folder: Path,
    dtype: torch.dtype,
    device: str = "cpu",
    *,
    place: str | None = None,
    four_bit: bool = False,
    rewards_only: bool = False,
) -> ValueHeadModel:
    """The reward model of a folder, in evaluation mode on `device`, or read to its `place`. Raises JudgeFailed.

    After the backbone is read in full, the head's two tensors are the only ones that it lacks, and they come from the
    head's own file. With `rewards_only` the language head, which no reward needs, takes no memory; such a model
    cannot be written again; nor can one with `four_bit`.
    """
    found, head = find_backbone(read_config(folder)), read_head(folder)
    network = read_network(folder, found, dtype, place, four_bit)
    if rewards_only:
        network.lm_head = torch.nn.Identity()
    model = ValueHeadModel(network)
    load_head(model, head, folder)
    return (model.to(device) if place is None else model).eval()


def load_head(model: ValueHeadModel, head: dict[str, torch.Tensor], folder: Path) -> None:
    """Give the model the head that `read_head` found in the folder. Raises JudgeFailed where the shapes differ."""
    shapes = {name: tuple(tensor.shape) for name, tensor in head.items()}
    wanted = {name: tuple(tensor.shape) for name, tensor in model.summary.state_dict().items()}
    if shapes != wanted:
        raise JudgeFailed(
            f"The value head of {folder.name!r} belongs to another backbone: its weight is {shapes['weight']}, and "
            f"this one wants {wanted['weight']}."
        )
    model.summary.load_state_dict(head)


def write_model(model: ValueHeadModel, processor: Any, folder: Path) -> None:
    """The model in the layout that `read_model` reads, with its processor's parts beside it."""
    write_network(model.network, processor, folder)
    head = {
        _HEAD + name: tensor.detach().float().cpu().contiguous() for name, tensor in model.summary.state_dict().items()
    }
    save_file(head, folder / HEAD_FILES[0])


def write_network(network: Any, processor: Any, folder: Path) -> None:
    """A generation model as transformers saves it, with its processor's parts beside it."""
    network.save_pretrained(folder)
    processor.tokenizer.save_pretrained(folder)
    parts = {name: getattr(processor, name, None) for name in ("image_processor", "feature_extractor")}
    told = {name: json.loads(part.to_json_string()) for name, part in parts.items() if part is not None}
    (folder / "processor_config.json").write_text(json.dumps(told, indent=1), encoding="utf-8")
    if processor.chat_template:
        (folder / "chat_template.jinja").write_text(processor.chat_template, encoding="utf-8")


def _listed(keys: list[str]) -> str:
    """At most five keys, and how many more there are."""
    if not keys:
        return "none"
    more = f" and {len(keys) - 5:,} more" if len(keys) > 5 else ""
    return ", ".join(keys[:5]) + more
