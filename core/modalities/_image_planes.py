"""What the image measures look at: a small upright view, a smaller one in CIELAB, and full-resolution tiles.

Measuring every pixel of a 12-megapixel photo would cost more than decoding it, so form and colour are read from a
view of at most 512 px and only noise, grid and finest detail from tiles of the stored pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image

from core.modalities._image_file import Picture, composite

VIEW_SIDE = 512
LAB_SIDE = 256
TILE_SIDE = 160  # px, a multiple of 8, so that tiles keep the phase of the JPEG grid
WHOLE_SIDE = 576  # px; images up to this size are their own single tile

LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # Rec. ITU-R BT.601, as JPEG has it


@dataclass
class Planes:
    """`view` luma (h, w) and `rgb` (h, w, 3) in 0–255, upright; `lab` (h, w, 3) CIELAB D65; `tiles` of RGB 0–255."""

    view: np.ndarray
    rgb: np.ndarray
    lab: np.ndarray
    tiles: list[np.ndarray]


def planes(picture: Picture) -> Planes:
    view = picture.upright(composite(picture.reduced(VIEW_SIDE), picture.icc))
    rgb = np.asarray(view)
    small = view
    if max(view.size) > LAB_SIDE:
        scale = LAB_SIDE / max(view.size)
        small = view.resize([max(1, round(n * scale)) for n in view.size], Image.Resampling.BOX)
    return Planes(view=luma(rgb), rgb=rgb, lab=lab(np.asarray(small)), tiles=_tiles(picture))


def luma(rgb: np.ndarray) -> np.ndarray:
    """(h, w) float32 luma in 0–255 of (h, w, 3) uint8."""
    # channel by channel: several times faster than a product over the short last axis
    return rgb[..., 0] * LUMA[0] + rgb[..., 1] * LUMA[1] + rgb[..., 2] * LUMA[2]


@lru_cache(maxsize=1)
def _linear_table() -> np.ndarray:
    """sRGB code value 0–255 to linear light 0–1 (IEC 61966-2-1)."""
    code = np.arange(256) / 255.0
    return np.where(code <= 0.04045, code / 12.92, ((code + 0.055) / 1.055) ** 2.4).astype(np.float32)


_XYZ_OF_LINEAR = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]],
    np.float32,
) / np.array([[0.95047], [1.0], [1.08883]], np.float32)


def lab(rgb: np.ndarray) -> np.ndarray:
    """(h, w, 3) uint8 sRGB to CIELAB under D65 (CIE 15): L* 0–100, a* and b* about ±100."""
    xyz = _linear_table()[rgb] @ _XYZ_OF_LINEAR.T
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)


def _tiles(picture: Picture) -> list[np.ndarray]:
    """Stored pixels (h, w, 3) uint8: the whole of a small image, else up to nine tiles spread over it."""
    image = picture.image
    width, height = image.size
    if max(width, height) <= WHOLE_SIDE:
        boxes = [(0, 0, width, height)]
    else:
        boxes = [(x, y, x + w, y + h) for y, h in _spans(height) for x, w in _spans(width)]
    return [np.asarray(composite(image.crop(box), None)) for box in boxes]


def _spans(length: int) -> list[tuple[int, int]]:
    """Start and length of up to three spans along a side, starts on multiples of 8."""
    if length <= TILE_SIDE * 2:
        return [(0, min(length, TILE_SIDE))] if length <= TILE_SIDE else [((length - TILE_SIDE) // 16 * 8, TILE_SIDE)]
    return [(int((length - TILE_SIDE) * part) // 8 * 8, TILE_SIDE) for part in (0.1, 0.5, 0.9)]


def block_means(values: np.ndarray, side: int) -> np.ndarray:
    """Means over side × side blocks, an incomplete last row and column dropped; (h // side, w // side, …)."""
    height, width = values.shape[0] // side, values.shape[1] // side
    cut = values[: height * side, : width * side]
    return cut.reshape(height, side, width, side, *values.shape[2:]).mean(axis=(1, 3))


def halved(values: np.ndarray) -> np.ndarray:
    """Half the resolution by 2 × 2 means."""
    height, width = values.shape[0] // 2 * 2, values.shape[1] // 2 * 2
    cut = values[:height, :width]
    return (cut[::2, ::2] + cut[1::2, ::2] + cut[::2, 1::2] + cut[1::2, 1::2]) * 0.25


def level_of(value: float) -> float:
    """8-bit levels on a log scale that is 0 for none and resolves a quarter of a level."""
    return float(np.log2(1.0 + 4.0 * value))
