"""Several responses to one prompt as one row: what is equal before them is read once.

A row is the shared beginning, then the rest of each response, one behind the other. A token sees the beginning and its
own response, at the places and positions that it has in its own chat; so its state is the one that it has there
(the tree attention of SpecInfer, arXiv 2305.09781, here for reading). The beginning takes in
the criterion, the prompt and its media, whatever the tokenizer made of them: it is found by comparing tokens,
positions and media. Importing this file imports torch.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

import torch
from torch import Tensor

from core.models.value_head.inputs import Tensors
from core.models.value_head.media import Album, Medium

_LAYERS = {"full_attention", "sliding_attention"}
_EVEN = 8  # rows are padded to a multiple of this, as attention kernels with a mask want it
_TOKEN_COST = 16_384
"""What the other layers do to a token costs as much as its attention to about so many (Qwen2.5 7B: about 30,000)."""


def shares(network: Any) -> bool:
    """Whether a network can read rows of several responses, by its configuration: causal layers, masks as it is told.

    Bidirectional images (Gemma 4) are within; layers that keep a running state, or that see what comes later, are not.
    """
    config = network.config.get_text_config()
    return (
        config._attn_implementation == "sdpa"
        and set(getattr(config, "layer_types", None) or _LAYERS) <= _LAYERS
        and getattr(config, "use_bidirectional_attention", None) in (None, "vision")
    )


@dataclass(frozen=True)
class Sequenced:
    """One encoded chat, token by token: `ids` and `types` (length,), `positions` (axes, length), and its media."""

    ids: Tensor
    types: Tensor  # 0 text, 1 image, 2 video, 3 audio; zeros where the backbone does not ask
    positions: Tensor
    media: tuple[Medium, ...]

    @classmethod
    def of(cls, encoded: Tensors, backbone: Any, album: Album) -> Sequenced:
        """The chat as the backbone would read it alone."""
        ids = encoded["input_ids"][0]
        types = encoded["mm_token_type_ids"][0] if "mm_token_type_ids" in encoded else torch.zeros_like(ids)
        return cls(ids, types, _positions(encoded, backbone), album.media(encoded))


def _positions(encoded: Tensors, backbone: Any) -> Tensor:
    """The positions (axes, length) that the backbone gives a chat: three for multimodal rotary ones, else one."""
    length = encoded["input_ids"].shape[1]
    places = torch.arange(length)[None]
    compute = getattr(backbone, "compute_3d_position_ids", None)
    if compute is None:
        return places
    known = dict(encoded)
    if "feature_attention_mask" in encoded:
        known["audio_feature_lengths"] = encoded["feature_attention_mask"].sum(dim=1)
    found = compute(**{name: known.get(name) for name in inspect.signature(compute).parameters})
    return places.expand(3, length) if found is None else found[:, 0]


def shared_length(chats: Sequence[Sequenced]) -> int:
    """How many tokens all chats have in common at their beginning; at least one of each is left. No medium is cut."""
    least = min(len(chat.ids) for chat in chats) - 1
    first = chats[0]
    same = torch.ones(least, dtype=torch.bool)
    for chat in chats[1:]:
        same &= chat.ids[:least] == first.ids[:least]
        same &= (chat.positions[:, :least] == first.positions[:, :least]).all(dim=0)
    shared = least if bool(same.all()) else int(same.int().argmin())
    for media in zip_longest(*(chat.media for chat in chats)):
        there = [medium for medium in media if medium is not None]
        # equal placeholders may stand for different media
        if len(set(media)) > 1 or there[0].stop > shared:
            return min(shared, *(medium.start for medium in there))
    return shared


@dataclass(frozen=True)
class Row:
    """Chats behind one shared beginning, all (length,) but `positions` (axes, length).

    `places` are a token's in its own chat; `branches` 0 for the beginning, then 1, 2, …; `ends` the last of each chat.
    """

    ids: Tensor
    types: Tensor
    positions: Tensor
    places: Tensor
    branches: Tensor
    ends: tuple[int, ...]
    media: tuple[Medium, ...]

    @classmethod
    def of(cls, chats: Sequence[Sequenced], shared: int) -> Row:
        """All chats in one row, which have their first `shared` tokens in common."""
        first = chats[0]
        pieces = [(first, 0, shared, 0)] if shared else []
        pieces += [(chat, shared, len(chat.ids), branch) for branch, chat in enumerate(chats, 1)]
        ends = torch.tensor([stop - start for _, start, stop, _ in pieces]).cumsum(0) - 1
        return cls(
            ids=torch.cat([chat.ids[start:stop] for chat, start, stop, _ in pieces]),
            types=torch.cat([chat.types[start:stop] for chat, start, stop, _ in pieces]),
            positions=torch.cat([chat.positions[:, start:stop] for chat, start, stop, _ in pieces], dim=1),
            places=torch.cat([torch.arange(start, stop) for _, start, stop, _ in pieces]),
            branches=torch.cat([torch.full((stop - start,), branch) for _, start, stop, branch in pieces]),
            ends=tuple(ends.tolist()[-len(chats) :]),
            media=tuple(m for chat, start, stop, _ in pieces for m in chat.media if start <= m.start < stop),
        )


def rows_of(chats: Sequence[Sequenced]) -> list[Row]:
    """Chats to one prompt in one row, or each in its own where one row would cost more."""
    shared = shared_length(chats) if len(chats) > 1 else 0
    lengths = [len(chat.ids) for chat in chats]
    if shared and _cost(sum(lengths) - (len(chats) - 1) * shared) < sum(map(_cost, lengths)):
        return [Row.of(chats, shared)]
    return [Row.of([chat], 0) for chat in chats]


def _cost(length: int) -> int:
    """Of a row: what is done to each token, and attention, which is computed for pairs that are masked too."""
    return length * (_TOKEN_COST + length)


def batch_of(rows: Sequence[Row], pad_token: int) -> tuple[Tensors, Tensor]:
    """Rows as the backbone's inputs without media, and the places (chats, 2) in rows and columns where chats end.

    Where every row is one chat, as the backbone masks it itself; else with `places`, `branches` and `types`, of which
    `masks` makes what a token sees.
    """
    shared = any(len(row.ends) > 1 for row in rows)
    longest = max(len(row.ids) for row in rows)
    longest += -longest % _EVEN if shared else 0

    def even(name: str, fill: int) -> Tensor:
        values = [getattr(row, name) for row in rows]
        return torch.stack([torch.nn.functional.pad(v, (0, longest - v.shape[-1]), value=fill) for v in values], -2)

    batch = {"input_ids": even("ids", pad_token), "position_ids": even("positions", 0)}
    batch["mm_token_type_ids"], branches = even("types", 0), even("branches", -1)
    if len(rows[0].positions) == 1:
        batch["position_ids"] = batch["position_ids"][0]
    batch |= (
        {"places": even("places", 0), "branches": branches} if shared else {"attention_mask": (branches > 0).long()}
    )
    ends = torch.tensor([(number, end) for number, row in enumerate(rows) for end in row.ends])
    return batch, ends


def masks(config: Any, places: Tensor, branches: Tensor, types: Tensor) -> Tensor | dict[str, Tensor]:
    """What each token sees, (rows, 1, length, length), for every sort of layer that a text model has.

    `places`, `branches` and `types` are (rows, length); padding, of branch −1 and place 0, sees a row's first token.
    """

    def towards(values: Tensor) -> tuple[Tensor, Tensor]:
        return values[:, None, :, None], values[:, None, None, :]

    (place, other_place), (branch, other_branch) = towards(places), towards(branches)
    own = (other_branch == 0) | (other_branch == branch)
    before = other_place <= place
    full = own & before
    layers = set(getattr(config, "layer_types", None) or ())
    if "sliding_attention" not in layers:
        return full
    if getattr(config, "use_bidirectional_attention", None) == "vision":
        block, other_block = towards(_blocks(places, types))
        before = before | ((block == other_block) & (block >= 0))
    sliding = own & before & (other_place > place - config.sliding_window)
    return {"full_attention": full, "sliding_attention": sliding}


def _blocks(places: Tensor, types: Tensor) -> Tensor:
    """The place where each unbroken run of picture tokens begins, for its tokens; −1 for all others."""
    picture = (types == 1) | (types == 2)
    # the next branch may begin as the last one ended, with a picture
    goes_on = torch.zeros_like(picture)
    goes_on[:, 1:] = picture[:, 1:] & picture[:, :-1] & (places[:, 1:] == places[:, :-1] + 1)
    starts = torch.where(picture & ~goes_on, torch.arange(places.shape[1], device=places.device), 0)
    return torch.where(picture, places.gather(1, starts.cummax(dim=1).values), -1)
