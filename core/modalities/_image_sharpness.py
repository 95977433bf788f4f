"""Sharpness, edges, spectrum and blur of an image."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from core.modalities._image_planes import Planes, halved, level_of, luma
from core.nouns import Measure

_LAPLACE = "Laplacian energy, after Pertuz et al. 2013 (Pattern Recognition 46)"
_SPECTRUM = "Hann-windowed power spectrum of the luma at 512 px"

MEASURES = (
    Measure(
        name="fine_sharpness",
        label="Sharpness, finest",
        unit="log₂ levels",
        more="crisper in the finest detail",
        less="softer in the finest detail",
        source=f"{_LAPLACE}, stored pixels",
    ),
    Measure(
        name="sharpness",
        label="Sharpness",
        unit="log₂ levels",
        more="sharper",
        less="blurrier",
        source=f"{_LAPLACE}, 512 px",
    ),
    Measure(
        name="sharpness_mid",
        label="Sharpness, middle",
        unit="log₂ levels",
        more="crisper at middle scale",
        less="softer at middle scale",
        source=f"{_LAPLACE}, 256 px",
    ),
    Measure(
        name="sharpness_coarse",
        label="Sharpness, coarse",
        unit="log₂ levels",
        more="more defined in its large shapes",
        less="less defined in its large shapes",
        source=f"{_LAPLACE}, 128 px",
    ),
    Measure(
        name="acutance",
        label="Edge strength",
        unit="log₂ levels",
        more="stronger in its edges",
        less="weaker in its edges",
        source="Tenengrad: mean squared gradient at 512 px (Krotkov 1987)",
    ),
    Measure(
        name="edge_width",
        label="Edge width",
        unit="log₂ px",
        more="softer at its edges",
        less="crisper at its edges",
        source="contrast over steepest slope at edges, after Marziliano et al. 2002, at 512 px",
    ),
    Measure(
        name="halo",
        label="Sharpening halos",
        unit="share of the edge",
        more="more haloed around edges",
        less="cleaner around edges",
        source="overshoot beside edges against the level six to eight pixels away, at 512 px",
        digits=3,
    ),
    Measure(
        name="focus_share",
        label="Share in focus",
        unit="share",
        more="in focus over a larger part",
        less="in focus over a smaller part",
        source="32 × 32 blocks of the 512 px view with Laplacian energy near the sharpest block's",
    ),
    Measure(
        name="band_coarse",
        label="Coarse structure",
        unit="log₁₀ share",
        more="more made of large shapes",
        less="less made of large shapes",
        source=f"{_SPECTRUM}, below 0.03 cycles/px",
    ),
    Measure(
        name="band_mid",
        label="Middle structure",
        unit="log₁₀ share",
        more="richer in middle-sized structure",
        less="poorer in middle-sized structure",
        source=f"{_SPECTRUM}, 0.03–0.12 cycles/px",
    ),
    Measure(
        name="band_fine",
        label="Fine structure",
        unit="log₁₀ share",
        more="richer in fine structure",
        less="poorer in fine structure",
        source=f"{_SPECTRUM}, 0.12–0.3 cycles/px",
    ),
    Measure(
        name="band_finest",
        label="Finest structure",
        unit="log₁₀ share",
        more="richer in the finest structure",
        less="poorer in the finest structure",
        source=f"{_SPECTRUM}, above 0.3 cycles/px",
    ),
    Measure(
        name="spectral_slope",
        label="Fall of the spectrum",
        unit="decades/decade",
        more="flatter in its spectrum (crisper or noisier)",
        less="steeper in its spectrum (smoother)",
        source=f"{_SPECTRUM}, least squares over 0.02–0.4 cycles/px (Field 1987)",
    ),
    Measure(
        name="blur_direction",
        label="Streaking in one direction",
        unit="share",
        more="more streaked in one direction, as by motion",
        less="more even in all directions",
        source=f"{_SPECTRUM}: second angular moment of 0.05–0.35 cycles/px",
    ),
)


def measure(planes: Planes) -> dict[str, float]:
    values = _sharpness(planes.view) | _edges(planes.view) | _spectrum(planes.view)
    fine = [np.mean(np.square(_laplacian(luma(tile)))) for tile in planes.tiles]
    values["fine_sharpness"] = level_of(float(np.sqrt(np.mean(fine))))
    return values


def _laplacian(y: np.ndarray) -> np.ndarray:
    if min(y.shape) < 3:
        return np.zeros((1, 1), np.float32)
    return 4 * y[1:-1, 1:-1] - y[:-2, 1:-1] - y[2:, 1:-1] - y[1:-1, :-2] - y[1:-1, 2:]


def _laplacian_energy(y: np.ndarray) -> float:
    return float(np.mean(np.square(_laplacian(y))))


def _sharpness(view: np.ndarray) -> dict[str, float]:
    values: dict[str, float] = {}
    laplacian = _laplacian(view)
    values["sharpness"] = level_of(float(np.sqrt(np.mean(np.square(laplacian)))))
    half = halved(view)
    for name in ("sharpness_mid", "sharpness_coarse"):
        if min(half.shape) >= 3:
            values[name] = level_of(float(np.sqrt(_laplacian_energy(half))))
        half = halved(half)
    if min(view.shape) >= 2:
        gx, gy = view[:-1, 1:] - view[:-1, :-1], view[1:, :-1] - view[:-1, :-1]
        values["acutance"] = level_of(float(np.sqrt(np.mean(gx * gx + gy * gy))))
    rows, columns = laplacian.shape[0] // 32, laplacian.shape[1] // 32
    if rows * columns >= 4:
        blocks = np.square(laplacian[: rows * 32, : columns * 32]).reshape(rows, 32, columns, 32).mean(axis=(1, 3))
        top = np.percentile(blocks, 95)
        if top > 1.0:
            # a tenth of the energy: about a third of the amplitude of the sharpest parts
            values["focus_share"] = float(np.mean(blocks > 0.1 * top))
    return values


def _edge_profiles(y: np.ndarray) -> np.ndarray:
    """Luma profiles (n, 17) across the steepest edges of the rows, dark to bright; at most 2,000 of them."""
    if y.shape[1] < 24:
        return np.empty((0, 17), np.float32)
    slope = y[:, 2:] - y[:, :-2]
    steep = np.abs(slope)
    threshold = max(8.0, 0.3 * float(np.percentile(steep[::4, ::2], 99)))
    inner = steep[:, 7:-7]
    peak = (inner >= threshold) & (inner >= steep[:, 6:-8]) & (inner > steep[:, 8:-6])
    at = np.flatnonzero(peak)
    if at.size > 2000:
        at = at[np.linspace(0, at.size - 1, 2000).astype(int)]
    rows, columns = np.divmod(at, inner.shape[1])
    columns = columns + 8  # 7 cut away, 1 of the central difference
    profiles = y[rows[:, None], columns[:, None] + np.arange(-8, 9)]
    falling = slope[rows, columns - 1] < 0
    profiles[falling] = profiles[falling, ::-1]
    return profiles


def _edges(view: np.ndarray) -> dict[str, float]:
    profiles = np.concatenate([_edge_profiles(view), _edge_profiles(view.T)])
    if len(profiles) < 16:
        return {}
    contrast = profiles.max(axis=1) - profiles.min(axis=1)
    slope = (profiles[:, 9] - profiles[:, 7]) / 2
    bright = profiles[:, 9:13].max(axis=1) - profiles[:, 14:].mean(axis=1)
    dark = profiles[:, :3].mean(axis=1) - profiles[:, 4:8].min(axis=1)
    return {
        "edge_width": float(np.mean(np.log2(contrast / np.maximum(slope, 0.5)))),
        "halo": float(np.median((bright + dark) / np.maximum(contrast, 1.0))),
    }


@dataclass(frozen=True)
class _Grid:
    """What a half-plane spectrum of one size is read with: Hann window, band and ring of each bin, its direction."""

    window: np.ndarray
    band: np.ndarray
    ring: np.ndarray
    ring_count: np.ndarray
    # radius² × doubled angle's phasor and radius² between 0.05 and 0.35 cycles/px, else 0
    direction: np.ndarray
    weight: np.ndarray


_RINGS = np.geomspace(0.02, 0.4, 13)


@lru_cache(maxsize=16)
def _grid_of(height: int, width: int) -> _Grid:
    fy, fx = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :]
    radius = np.hypot(fx, fy)
    weight = np.where((radius > 0.05) & (radius < 0.35), radius**2, 0.0)
    ring = np.searchsorted(_RINGS, radius.ravel())
    return _Grid(
        window=np.outer(np.hanning(height), np.hanning(width)).astype(np.float32),
        band=np.searchsorted([0.03, 0.12, 0.3], radius.ravel()),
        ring=ring,
        ring_count=np.bincount(ring, minlength=14)[1:13],
        direction=(weight * np.exp(2j * np.arctan2(fy, fx))).astype(np.complex64),
        weight=weight.astype(np.float32),
    )


def _spectrum(view: np.ndarray) -> dict[str, float]:
    height, width = view.shape[0] // 16 * 16, view.shape[1] // 16 * 16
    if min(height, width) < 32 or float(view.std()) < 0.5:
        return {}
    grid = _grid_of(height, width)
    cut = view[:height, :width]
    wave = np.fft.rfft2((cut - cut.mean()) * grid.window)
    power = wave.real**2 + wave.imag**2
    bands = np.bincount(grid.band, weights=power.ravel(), minlength=4)
    total = float(bands.sum())
    values = {
        name: float(np.log10(max(band / total, 1e-8)))
        for name, band in zip(("band_coarse", "band_mid", "band_fine", "band_finest"), bands, strict=True)
    }
    used = grid.ring_count > 0
    mean = np.bincount(grid.ring, weights=power.ravel(), minlength=14)[1:13][used] / grid.ring_count[used]
    middle = np.log10(np.sqrt(_RINGS[:-1] * _RINGS[1:]))[used]
    # a floor far below one code value keeps the log of a blurred picture finite
    level = np.log10(mean + 1e-4 * height * width)
    centred = middle - middle.mean()
    values["spectral_slope"] = float((centred * level).sum() / (centred * centred).sum())
    strength = float(np.sum(power * grid.weight))
    if strength > 0:
        values["blur_direction"] = float(np.abs(np.sum(power * grid.direction))) / strength
    return values
