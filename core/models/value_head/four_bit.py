"""The language model's weights in 4-bit NormalFloat: NF4 with double quantisation, by bitsandbytes.

QLoRA (Dettmers et al. 2023, arXiv 2305.14314), section 3, as transformers' BitsAndBytesConfig asks for it: blocks of 64
weights share a scale, and the scales are quantised in turn, which makes 4.127 bits of each weight. Only the linear
layers inside the language model are quantised: encoders, embeddings, norms, language head and value head stay as they
are. What is computed is computed in the backbone's precision, with weights that are dequantised layer by layer.
torch, transformers and bitsandbytes are imported only where they are used.
"""

from __future__ import annotations

import importlib.util
from typing import Any

from core.errors import JudgeFailed

SHARE = 0.75
"""Bytes of a model under NF4 for each byte of its estimate in bfloat16: an estimate, not measured. Linear weights
shrink to 4.127/16, the rest and the room for a pair do not; with 3 billion parameters that leaves about three quarters,
with more less."""


def missing(dtype: str) -> str | None:
    """What has to be installed for a spec's `dtype`, or None. Imports none of it."""
    if dtype != "nf4":
        return None
    lacking = [name for name in ("bitsandbytes", "accelerate") if importlib.util.find_spec(name) is None]
    if not lacking:
        return None
    return f"Weights in 4 bits (nf4) need {' and '.join(lacking)}: pip install -r requirements-4bit.txt"


def estimated(size: int, dtype: str) -> int:
    """The estimate, in bytes, of a model that takes `size` in bfloat16."""
    return int(size * SHARE) if dtype == "nf4" else size


def nf4(network_class: Any, config: Any, dtype: Any) -> Any:
    """transformers' BitsAndBytesConfig for a generation model of this class, computing in the torch dtype `dtype`.

    Raises JudgeFailed for a mixture of experts: its experts are no linear layers, so that almost all would stay.
    """
    import torch
    from transformers import BitsAndBytesConfig

    with torch.device("meta"):
        network = network_class(config)
    decoder = network.get_decoder()
    if any(".experts." in name and parameter.dim() == 3 for name, parameter in decoder.named_parameters()):
        raise JudgeFailed("The experts of this model cannot be kept in 4 bits; choose another precision than nf4.")
    inside = {id(module) for module in decoder.modules()}
    others = [
        name
        for name, module in network.named_modules()
        if isinstance(module, torch.nn.Linear) and id(module) not in inside
    ]
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
        llm_int8_skip_modules=others,
    )


def settle(network: Any) -> list[str]:
    """Make a network ready whose every weight was read in 4 bits; names of those of another shape in the checkpoint.

    A quantised weight is a column of bytes, whatever its shape was, so its shape is asked of the quantiser's record.
    """
    from bitsandbytes.nn import Linear4bit

    layers: dict[str, Any] = {name: layer for name, layer in network.named_modules() if isinstance(layer, Linear4bit)}
    for layer in layers.values():
        # CPUs with AVX512-BF16 would compute in bfloat16 whatever was asked for, and stop at rows of no whole blocks
        layer.support_avx512bf16_for_cpu = False
    return sorted(
        f"{name}.weight"
        for name, layer in layers.items()
        if tuple(layer.weight.quant_state.shape) != (layer.out_features, layer.in_features)
    )
