"""From pixels to tokens: SigLIP over any grid of patches, then a resampler to a fixed number of tokens a slice.

SigLIP: arXiv 2303.15343; images in their own shape: arXiv 2307.06304; the resampler: Flamingo's, arXiv 2204.14198, with
places in two dimensions. Importing this file imports torch.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from transformers import SiglipVisionConfig
from transformers.models.siglip.modeling_siglip import SiglipEncoder

HEAD_WIDTH = 128  # of the resampler's attention


class PatchEmbeddings(nn.Module):
    """Patches with the learned places of a square table, on which every grid is spread out."""

    def __init__(self, config: SiglipVisionConfig) -> None:
        super().__init__()
        self.patch_size = int(config.patch_size)  # type: ignore[arg-type]
        self.side = int(config.image_size) // self.patch_size  # type: ignore[arg-type]
        self.patch_embedding = nn.Conv2d(3, config.hidden_size, self.patch_size, stride=self.patch_size)
        self.position_embedding = nn.Embedding(self.side**2, config.hidden_size)

    def forward(self, pixel_values: Tensor, grids: Tensor) -> Tensor:
        """(patches, hidden) of (patches, 3 × size × size), the grids (rows, columns) one after the other."""
        patches = self.patch_embedding(pixel_values.view(-1, 3, self.patch_size, self.patch_size)).flatten(1)
        places = torch.cat([self._places(rows, columns) for rows, columns in grids.tolist()])
        return patches + self.position_embedding(places.to(patches.device))

    def _places(self, rows: int, columns: int) -> Tensor:
        """Row i of n takes the table's last row that does not begin after i / n; columns alike."""
        begins = torch.arange(1 / self.side, 1.0, 1 / self.side)
        # in float32, step by step, as it was trained: rounding decides where i / n meets a beginning (25 rows, for one)
        down, across = (
            torch.bucketize(torch.arange(0, 1 - 1e-6, (1 / torch.tensor(count)).item()), begins, right=True)
            for count in (rows, columns)
        )
        return (down[:, None] * self.side + across).flatten()


class VisionTower(nn.Module):
    """SigLIP without its pooling. Slices of different grids share a batch; what pads the smaller ones is masked."""

    def __init__(self, config: SiglipVisionConfig, *, drop_last: bool = False) -> None:
        super().__init__()
        self.embeddings = PatchEmbeddings(config)
        self.encoder = SiglipEncoder(config)  # type: ignore[arg-type]
        if drop_last:
            self.encoder.layers = self.encoder.layers[:-1]
        self.post_layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, pixel_values: Tensor, grids: Tensor) -> tuple[Tensor, Tensor]:
        """States (slices, most patches, hidden), and which of them are real (slices, most patches)."""
        sizes = grids.prod(1)
        states = pad_sequence(list(self.embeddings(pixel_values, grids).split(sizes.tolist())), batch_first=True)
        real = torch.arange(states.shape[1], device=states.device) < sizes.to(states.device)[:, None]
        mask = None
        if not bool(real.all()):
            mask = torch.zeros(real.shape, dtype=states.dtype, device=states.device)
            mask = mask.masked_fill(~real, torch.finfo(states.dtype).min)[:, None, None].expand(
                -1, 1, real.shape[1], -1
            )
        states = self.encoder(inputs_embeds=states, attention_mask=mask).last_hidden_state
        return self.post_layernorm(states), real


class Resampler(nn.Module):
    """Learned queries look once at a slice: A(ln(q), ln(x W) + places, ln(x W)), then a layer norm and a projection."""

    def __init__(self, queries: int, hidden: int, seen: int) -> None:
        super().__init__()
        self.query = nn.Parameter(torch.zeros(queries, hidden))
        self.kv_proj = nn.Linear(seen, hidden, bias=False) if seen != hidden else nn.Identity()
        self.attn = nn.MultiheadAttention(hidden, max(1, hidden // HEAD_WIDTH), batch_first=True)
        self.ln_q = nn.LayerNorm(hidden, eps=1e-6)
        self.ln_kv = nn.LayerNorm(hidden, eps=1e-6)
        self.ln_post = nn.LayerNorm(hidden, eps=1e-6)
        self.proj = nn.Parameter(torch.eye(hidden) * hidden**-0.5)

    def forward(self, states: Tensor, real: Tensor, grids: Tensor) -> Tensor:
        """(slices, queries, hidden) of states (slices, most patches, seen), of which the `real` ones are looked at."""
        values = self.ln_kv(self.kv_proj(states))
        places = [grid_places(rows, columns, values.shape[-1]) for rows, columns in grids.tolist()]
        keys = values + pad_sequence(places, batch_first=True).to(values)
        queries = self.ln_q(self.query).expand(len(states), -1, -1)
        found, _ = self.attn(queries, keys, values, key_padding_mask=~real, need_weights=False)
        return self.ln_post(found) @ self.proj


def grid_places(rows: int, columns: int, width: int) -> Tensor:
    """Sines and cosines of where each patch stands, (rows × columns, width): half of its column, half of its row.

    Each half is [sin(p ω), cos(p ω)] with ω = 10000^(−4k / width), k = 0 … width / 4 − 1 (Vaswani et al. 2017).
    """
    quarter = width // 4
    pace = 10000.0 ** -(torch.arange(quarter, dtype=torch.float32) / quarter)
    down, across = (
        torch.cat([angle.sin(), angle.cos()], dim=1)
        for angle in (torch.outer(torch.arange(count, dtype=torch.float32), pace) for count in (rows, columns))
    )
    both = [across[None].expand(rows, -1, -1), down[:, None].expand(-1, columns, -1)]
    return torch.cat(both, dim=-1).reshape(rows * columns, -1)
