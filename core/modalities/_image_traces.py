"""Noise, stray pixels and the traces of compression, pixelation and posterisation in an image."""

from __future__ import annotations

import numpy as np

from core.modalities._image_planes import Planes, level_of, luma
from core.nouns import Measure

_NOISE = "Immerkær 1996 (CVIU 64), by 16 × 16 blocks of stored pixels"

MEASURES = (
    Measure(
        name="noise",
        label="Noise",
        unit="log₂ levels",
        more="noisier",
        less="cleaner",
        source=f"{_NOISE}, 20th percentile",
    ),
    Measure(
        name="noise_floor",
        label="Noise in the smoothest parts",
        unit="log₂ levels",
        more="grainier in its smooth parts",
        less="smoother in its smooth parts",
        source=f"{_NOISE}, 5th percentile",
    ),
    Measure(
        name="noise_busy",
        label="Roughness in the busy parts",
        unit="log₂ levels",
        more="rougher in its busy parts",
        less="calmer in its busy parts",
        source=f"{_NOISE}, 80th percentile",
    ),
    Measure(
        name="colour_noise",
        label="Colour noise",
        unit="log₂ levels",
        more="blotchier with colour noise",
        less="cleaner in colour",
        source=f"{_NOISE} of Cb and Cr, 20th percentile",
    ),
    Measure(
        name="speckle",
        label="Specks",
        unit="log₁₀ per 10,000 px",
        more="more specked with stray pixels",
        less="freer of stray pixels",
        source="stored pixels more than 30 levels outside the range of all their eight neighbours",
    ),
    Measure(
        name="blockiness",
        label="Compression blocks",
        unit="log₂ ratio",
        more="blockier",
        less="freer of compression blocks",
        source="steps across 8-pixel borders against steps inside, after Wang, Bovik and Evan 2000",
    ),
    Measure(
        name="pixelation",
        label="Pixelation",
        unit="share",
        more="more pixelated",
        less="less pixelated",
        source="how far steps lie on one regular grid of 2 to 32 px, at full size and at 512 px",
    ),
    Measure(
        name="banding",
        label="Banding",
        unit="log₁₀ per 1,000 px",
        more="more banded in its smooth parts",
        less="smoother in its gradients",
        source="steps between flat runs of at least three equal pixels on both sides",
    ),
    Measure(
        name="tone_gaps",
        label="Missing tones",
        unit="share",
        more="more posterised",
        less="fuller in its tones",
        source="code values unused between the 1st and 99th percentile, mean of R, G and B",
    ),
)


def measure(planes: Planes) -> dict[str, float]:
    tiles = [tile.astype(np.float32) for tile in planes.tiles]
    lumas = [luma(tile) for tile in tiles]
    return _noise(tiles, lumas) | _grid(lumas, planes.view) | _tones(planes.tiles)


def _immerkaer(y: np.ndarray) -> np.ndarray:
    """Noise deviation of each 16 × 16 block, in levels; (rows, columns), empty for tiny images."""
    rows, columns = (y.shape[0] - 2) // 16, (y.shape[1] - 2) // 16
    if rows < 1 or columns < 1:
        return np.empty((0, 0), np.float32)
    y = y[: rows * 16 + 2, : columns * 16 + 2]
    across = y[:, :-2] - 2 * y[:, 1:-1] + y[:, 2:]
    both = np.abs(across[:-2] - 2 * across[1:-1] + across[2:])
    return both.reshape(rows, 16, columns, 16).mean(axis=(1, 3)) * (np.sqrt(np.pi / 2) / 6)


def _noise(tiles: list[np.ndarray], lumas: list[np.ndarray]) -> dict[str, float]:
    sigmas, colours = [], []
    specks, seen = 0, 0
    for tile, y in zip(tiles, lumas, strict=True):
        sigma = _immerkaer(y)
        if sigma.size:
            rows, columns = sigma.shape
            level = y[1 : rows * 16 + 1, 1 : columns * 16 + 1].reshape(rows, 16, columns, 16).mean(axis=(1, 3))
            # clipped blocks have lost their noise and say nothing about it
            open_ = (level > 4) & (level < 251)
            sigmas.append(sigma[open_])
            chroma = _immerkaer(0.5 * (tile[..., 2] - y)) + _immerkaer(0.7 * (tile[..., 0] - y))
            colours.append(chroma[open_])
        if min(y.shape) >= 3:
            specks, seen = specks + _specks(y), seen + (y.shape[0] - 2) * (y.shape[1] - 2)
    values: dict[str, float] = {}
    blocks = np.concatenate(sigmas) if sigmas else np.empty(0)
    if blocks.size:
        floor, low, high = np.percentile(blocks, [5, 20, 80])
        values |= {"noise_floor": level_of(floor), "noise": level_of(low), "noise_busy": level_of(high)}
        values["colour_noise"] = level_of(float(np.percentile(np.concatenate(colours), 20)))
    if seen:
        values["speckle"] = float(np.log10(1.0 + 1e4 * specks / seen))
    return values


def _specks(y: np.ndarray) -> int:
    across_high = np.maximum(np.maximum(y[:, :-2], y[:, 1:-1]), y[:, 2:])
    across_low = np.minimum(np.minimum(y[:, :-2], y[:, 1:-1]), y[:, 2:])
    sides_high, sides_low = np.maximum(y[:, :-2], y[:, 2:]), np.minimum(y[:, :-2], y[:, 2:])
    high = np.maximum(np.maximum(across_high[:-2], across_high[2:]), sides_high[1:-1])
    low = np.minimum(np.minimum(across_low[:-2], across_low[2:]), sides_low[1:-1])
    centre = y[1:-1, 1:-1]
    return int(np.count_nonzero((centre > high + 30) | (centre < low - 30)))


def _step_profile(y: np.ndarray) -> np.ndarray:
    """Mean absolute step between neighbouring columns, (w − 1,)."""
    return np.abs(y[:, 1:] - y[:, :-1]).mean(axis=0)


def _grid(lumas: list[np.ndarray], view: np.ndarray) -> dict[str, float]:
    values: dict[str, float] = {}
    profiles = [profile for y in lumas for profile in (_step_profile(y), _step_profile(y.T)) if profile.size >= 32]
    if profiles:
        border, inside = [], []
        for profile in profiles:
            phase = np.arange(profile.size) % 8
            border.append(profile[phase == 7].mean())
            inside.append(profile[phase != 7].mean())
        # half a level keeps the ratio quiet where there is next to nothing to compare
        values["blockiness"] = float(np.log2((np.mean(border) + 0.5) / (np.mean(inside) + 0.5)))
    found = [
        _pixelation(profiles),
        _pixelation([p for p in (_step_profile(view), _step_profile(view.T)) if p.size >= 32]),
    ]
    known = [value for value in found if value is not None]
    if known:
        values["pixelation"] = max(known)
    return values


def _pixelation(profiles: list[np.ndarray]) -> float | None:
    """1 where every step lies on one regular grid, about 0 where steps lie anywhere; None without steps."""
    by_length: dict[int, list[np.ndarray]] = {}
    for profile in profiles:
        by_length.setdefault(profile.size, []).append(profile)
    stacks = [np.stack(same) for same in by_length.values()]
    best = None
    for period in (2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 20, 24, 32):
        on, off = 0.0, 0.0
        for stack in stacks:
            count, length = stack.shape
            if length < 3 * period:
                continue
            cut = stack[:, : length // period * period].reshape(count, -1, period).mean(axis=1)
            # tiles start on multiples of 8, not of the period, so each profile finds its own phase
            peaks = cut.max(axis=1)
            on += float(peaks.sum())
            off += float((cut.sum(axis=1) - peaks).sum()) / (period - 1)
        if on > 0.25 * max(len(profiles), 1):
            score = (on - off) / on
            best = score if best is None else max(best, score)
    return best


def _tones(tiles: list[np.ndarray]) -> dict[str, float]:
    values: dict[str, float] = {}
    gaps = []
    for channel in range(3):
        counts = np.zeros(256, np.int64)
        for tile in tiles:
            counts += np.bincount(tile[..., channel].ravel(), minlength=256)
        share = np.cumsum(counts) / np.sum(counts)
        low, high = int(np.searchsorted(share, 0.01)), int(np.searchsorted(share, 0.99))
        if high - low >= 16:
            gaps.append(float(np.mean(counts[low : high + 1] == 0)))
    if gaps:
        values["tone_gaps"] = float(np.mean(gaps))
    steps, seen = 0, 0
    for tile in tiles:
        for green in (tile[..., 1].astype(np.int16), tile[..., 1].astype(np.int16).T):
            if green.shape[1] < 6:
                continue
            step = np.abs(green[:, 1:] - green[:, :-1])
            flat = step == 0
            run = flat[:, :-4] & flat[:, 1:-3] & flat[:, 3:-1] & flat[:, 4:]
            middle = step[:, 2:-2]
            # larger steps are edges of things, single levels are the ordinary gradient of eight bits
            steps += int(np.count_nonzero(run & (middle >= 2) & (middle <= 24)))
            seen += middle.size
    if seen:
        values["banding"] = float(np.log10(1.0 + 1000.0 * steps / seen))
    return values
