"""Movement, read from small grey pictures of every frame as they come; only numbers are kept.

A thumbnail is at most 144 px long. From one to the next: how much changed, how far the whole picture moved (phase
correlation, Kuglin and Hines 1975), what is left once that is taken out, and how bright it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]
Series = NDArray[np.float64]

_CHUNK = 16
_ZOOM_SECONDS = 0.4
SAME = 0.12
"""Mean difference in levels up to which two thumbnails count as the same picture (an encoder's idle noise)."""


@dataclass
class Motion:
    """One value a frame step (t − 1 of them), but `brightness` (t) and `times` (t, seconds).

    difference: mean |b − a| in levels. blocks: the same of block means, which noise does not reach. residual:
    difference after the global shift is undone. shift: (t − 1, 2) right and down, in widths. certainty: height of the
    correlation peak. zoom: growth in log₂ a second, one value each 0.4 s. calm: (b,) mean second difference of each
    block's brightness. noise: 20th percentile over blocks of what changed within them.
    """

    times: Series
    brightness: Series
    difference: Series
    blocks: Series
    residual: Series
    shift: Series
    certainty: Series
    noise: Series
    zoom: Series
    calm: Series
    first: Grey
    last: Grey
    spread: float


@dataclass
class MotionReader:
    """Takes thumbnails (h, w) one by one; `done` gives the series. h and w are the same for all, at least 16."""

    times: list[float] = field(default_factory=list)
    pending: list[Grey] = field(default_factory=list)
    columns: list[Series] = field(default_factory=list)
    zooms: list[float] = field(default_factory=list)
    means: list[Series] = field(default_factory=list)
    kept: list[Grey] = field(default_factory=list)
    first: Grey | None = None
    tail: Grey | None = None
    spectrum: NDArray[np.complex64] | None = None
    anchor: tuple[float, NDArray[np.complex64]] | None = None

    def add(self, grey: Grey, seconds: float) -> None:
        if self.first is None:
            self.first = grey
        self.times.append(seconds)
        self.pending.append(grey)
        if len(self.pending) == _CHUNK:
            self._read()

    def done(self) -> Motion:
        if self.pending:
            self._read()
        first, last = self.first, self.tail
        if first is None or last is None:
            raise ValueError("no thumbnail was added")
        table = np.concatenate(self.columns) if self.columns else np.zeros((0, 7))
        means = np.concatenate(self.means)
        calm = np.abs(means[2:] - 2 * means[1:-1] + means[:-2]).mean(0) if len(means) >= 3 else np.zeros(0)
        chosen = np.stack(self.kept[:: max(1, len(self.kept) // 12)]).astype(np.float32)
        apart = [np.abs(chosen[i] - chosen[j]).mean() for i in range(len(chosen)) for j in range(i)]
        return Motion(
            times=np.asarray(self.times),
            brightness=means.mean(1),
            difference=table[:, 0],
            blocks=table[:, 1],
            residual=table[:, 2],
            shift=table[:, 3:5],
            certainty=table[:, 5],
            noise=table[:, 6],
            zoom=np.asarray(self.zooms),
            calm=calm,
            first=first,
            last=last,
            spread=float(np.mean(apart)) if apart else 0.0,
        )

    def _read(self) -> None:
        """Turn the pending thumbnails into numbers."""
        # twice as fast as numpy's on stacks; imported here because that takes a third of a second
        from scipy import fft

        new = np.stack(self.pending)
        start = len(self.times) - len(self.pending)
        self.pending.clear()
        flat = new.astype(np.float32)
        height, width = new.shape[1:]
        self.means.append(_block_means(flat).reshape(len(flat), -1).astype(np.float64))
        tapered = (flat - flat.mean((1, 2), keepdims=True)) * _taper(height, width)
        spectra = fft.rfft2(tapered)
        self._zoom(flat, start)
        if self.tail is not None and self.spectrum is not None:
            flat = np.concatenate([self.tail[None].astype(np.float32), flat])
            spectra = np.concatenate([self.spectrum[None], spectra])
        if len(self.kept) < 400:
            self.kept.append(new[0])
        self.tail, self.spectrum = new[-1], spectra[-1]
        if len(flat) < 2:
            return
        delta = flat[1:] - flat[:-1]
        means = _block_means(delta)
        rows, columns = means.shape[1:]
        fine = delta[:, : rows * 8, : columns * 8].reshape(-1, rows, 8, columns, 8) - means[:, :, None, :, None]
        inside = np.abs(fine).mean((2, 4)).reshape(len(delta), -1)
        difference = np.abs(delta).mean((1, 2))
        shift, certainty = _shifts(spectra[:-1], spectra[1:], (height, width))
        # what does not move at all is not asked where it went
        still = difference < SAME
        shift[still] = 0.0
        residual = difference.copy()
        for index in np.flatnonzero(~still & (np.abs(shift).max(1) >= 0.5)):
            down, right = (round(float(value)) for value in shift[index])
            residual[index] = min(residual[index], _moved_difference(flat[index], flat[index + 1], down, right))
        self.columns.append(
            np.column_stack(
                [
                    difference,
                    np.abs(means).mean((1, 2)),
                    residual,
                    shift[:, 1] / width,
                    shift[:, 0] / width,
                    certainty,
                    np.percentile(inside, 20, axis=1),
                ]
            ).astype(np.float64)
        )

    def _zoom(self, flat: NDArray[np.float32], start: int) -> None:
        """How fast the four quarters move apart, each by its own phase correlation, every 0.4 s."""
        from scipy import fft

        for index, picture in enumerate(flat):
            seconds = self.times[start + index]
            if self.anchor is not None and seconds - self.anchor[0] < _ZOOM_SECONDS:
                continue
            height, width = picture.shape[0] // 2, picture.shape[1] // 2
            quarters = np.stack([picture[y : y + height, x : x + width] for y in (0, height) for x in (0, width)])
            spectra = fft.rfft2((quarters - quarters.mean((1, 2), keepdims=True)) * _taper(height, width))
            if self.anchor is not None:
                shift, certainty = _shifts(self.anchor[1], spectra, (height, width))
                if certainty.min() > 0.06:
                    outward = np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]])
                    # a quarter's centre lies a quarter of the picture away from the middle
                    growth = float(np.mean(shift * outward / (np.array([height, width]) / 2)))
                    self.zooms.append(np.log2(1 + np.clip(growth, -0.5, 1.0)) / max(seconds - self.anchor[0], 1e-3))
            self.anchor = (seconds, spectra)


@lru_cache(maxsize=8)
def _taper(height: int, width: int) -> NDArray[np.float32]:
    """Hann window, so that the borders, which leave and enter, have no say."""
    return np.outer(np.hanning(height), np.hanning(width)).astype(np.float32)


def _block_means(stack: NDArray[np.float32]) -> NDArray[np.float32]:
    """(t, h, w) to means of 8 × 8 blocks, (t, h // 8, w // 8)."""
    rows, columns = stack.shape[1] // 8, stack.shape[2] // 8
    return stack[:, : rows * 8, : columns * 8].reshape(-1, rows, 8, columns, 8).mean((2, 4))


def _shifts(
    before: NDArray[np.complex64], after: NDArray[np.complex64], shape: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(n, 2) pixels down and right by which `after` lies off `before`, to a tenth of a pixel, and the peak's height."""
    from scipy import fft

    cross = after * before.conj()
    magnitude = np.abs(cross)
    # a floor, so that empty frequencies do not vote
    cross /= magnitude + 0.02 * magnitude.mean((1, 2), keepdims=True) + 1e-6
    surface = fft.irfft2(cross, shape)
    height, width = shape
    # nothing crosses more than a quarter of the picture in one step; beyond is chance
    surface[:, height // 4 + 1 : height - height // 4] = -1.0
    surface[:, :, width // 4 + 1 : width - width // 4] = -1.0
    flat = surface.reshape(len(surface), -1)
    best = flat.argmax(1)
    y, x = np.divmod(best, width)
    rows = np.arange(len(flat))
    peak = flat[rows, best]

    def bend(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float64]:
        # for phase correlation the peak's two highest samples share in proportion (Foroosh et al. 2002)
        left, right = np.maximum(left, 0.0), np.maximum(right, 0.0)
        return np.where(right > left, right / (peak + right + 1e-9), -left / (peak + left + 1e-9))

    down = y + bend(surface[rows, (y - 1) % height, x], surface[rows, (y + 1) % height, x])
    right = x + bend(surface[rows, y, (x - 1) % width], surface[rows, y, (x + 1) % width])
    down = np.where(down > height / 2, down - height, down)
    right = np.where(right > width / 2, right - width, right)
    shift = np.column_stack([down, right]).astype(np.float64)
    shift[peak < 0.04] = 0.0
    return shift, peak.astype(np.float64)


def _moved_difference(before: NDArray[np.float32], after: NDArray[np.float32], down: int, right: int) -> float:
    """Mean |after − before moved| where both are there."""
    height, width = before.shape
    a = before[max(0, -down) : height - max(0, down), max(0, -right) : width - max(0, right)]
    b = after[max(0, down) : height - max(0, -down), max(0, right) : width - max(0, -right)]
    return float(np.abs(b - a).mean())


def _running_median(values: Series, half: int) -> Series:
    """Median of each value and its `half` neighbours on either side, fewer at the ends."""
    if values.size == 0:
        return values
    padded = np.pad(values, half, constant_values=np.nan)
    return np.nanmedian(np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1), axis=1)


def cuts(motion: Motion) -> NDArray[np.bool_]:
    """Steps where one shot ends and another begins: a leap of the block means that no movement explains."""
    leap = motion.blocks
    if leap.size < 3:
        return np.zeros(leap.size, bool)
    around = _running_median(leap, 6)
    return (leap > 10.0) & (leap > 4.0 * around + 2.0) & (motion.certainty < 0.35)


def motion_values(motion: Motion) -> dict[str, float]:
    """Every measure of movement and of change in time; what one frame alone cannot say is left out."""
    values: dict[str, float] = {}
    steps = motion.difference.size
    if steps < 1:
        return values
    pace = np.maximum(np.diff(motion.times), 1e-4)
    seconds = float(max(motion.times[-1] - motion.times[0], 1e-3))
    cut = cuts(motion)
    going = ~cut
    values["cuts"] = float(np.log2(1 + 60.0 * np.count_nonzero(cut) / max(seconds, 2.0)))
    around = _running_median(motion.difference, 5)
    # an encoder touches up a repeated frame a little, the more the livelier its neighbours are
    same = ((motion.difference < SAME) | (motion.difference < 0.15 * around)) & going
    values["frozen_share"] = 100.0 * float(same.mean())
    values["loop_gap"] = float(
        np.log2((np.abs(motion.first.astype(np.float32) - motion.last).mean() + 0.5) / (motion.spread + 0.5))
    )
    values["variety"] = float(np.log2(motion.spread + 0.5))
    edge = max(1, min(len(motion.times) // 6, int(np.searchsorted(motion.times, motion.times[0] + 0.25))))
    middle = float(np.median(motion.brightness)) + 2.0
    values["fade_in"] = float(np.log2(middle / (motion.brightness[:edge].mean() + 2.0)))
    values["fade_out"] = float(np.log2(middle / (motion.brightness[-edge:].mean() + 2.0)))
    if not np.any(going):
        return values
    moving = going & ~same
    values["motion"] = float(np.log2(0.02 + np.median(motion.residual[going] / np.maximum(pace[going] * 25, 0.2))))
    values["change"] = float(np.log2(0.02 + motion.blocks[going].mean() / max(float(pace[going].mean()) * 25, 0.2)))
    speed = np.hypot(*motion.shift.T)
    trusted = going & (motion.certainty > 0.08)
    if np.count_nonzero(trusted) >= 3:
        values["camera_speed"] = float(np.log2(0.05 + 100 * np.mean(speed[trusted] / pace[trusted])))
        path = np.cumsum(np.where(trusted[:, None], motion.shift, 0.0), axis=0)
        values["pan"] = float(np.log2(0.05 + 100 * np.hypot(*(path[-1] / seconds))))
        if steps >= 8:
            values |= _steadiness(path, motion, trusted)
    if motion.zoom.size:
        growth = float(np.median(motion.zoom))
        values["zoom"] = 100 * float(np.clip(growth, -1, 1))
    if steps >= 4:
        second = np.abs(motion.brightness[2:] - 2 * motion.brightness[1:-1] + motion.brightness[:-2])
        clear = going[1:] & going[:-1]
        if np.any(clear):
            values["flicker"] = float(np.log2(0.02 + second[clear].mean()))
            values["local_flicker"] = float(np.log2(0.02 + np.percentile(motion.calm, 30)))
        values["temporal_noise"] = float(np.log2(0.02 + np.median(motion.noise[going])))
        values["brightness_drift"] = float(np.log2(0.1 + np.std(motion.brightness)))
    if steps >= 10 and np.count_nonzero(moving) >= 5:
        values["stutter"] = 100.0 * float(np.mean(same & (around > 5 * SAME)) if np.any(same) else 0.0)
        change = motion.difference[going]
        jump = np.abs(change[2:] - 2 * change[1:-1] + change[:-2])
        values["judder"] = float(np.log2(0.02 + jump.mean() / max(float(change.mean()), SAME)))
    return values


def _steadiness(path: Series, motion: Motion, trusted: NDArray[np.bool_]) -> dict[str, float]:
    """Shake: what a half-second mean takes out of the camera's path. Jerk: how its speed changes, against the speed."""
    values: dict[str, float] = {}
    span = float(np.median(np.diff(motion.times)))
    half = int(np.clip(round(0.25 / max(span, 1e-3)), 2, max(2, len(path) // 3)))
    padded = np.concatenate([np.repeat(path[:1], half, 0), path, np.repeat(path[-1:], half, 0)])
    total = np.concatenate([np.zeros((1, 2)), np.cumsum(padded, axis=0)])
    smooth = (total[2 * half + 1 :] - total[: -2 * half - 1]) / (2 * half + 1)
    inner = slice(half, len(path) - half) if len(path) > 3 * half else slice(None)
    shake = np.hypot(*(path - smooth)[inner].T)
    values["shake"] = float(np.log2(0.01 + 100 * np.sqrt(np.mean(np.square(shake)))))
    velocity = motion.shift[trusted]
    if len(velocity) >= 6:
        speed = float(np.mean(np.hypot(*velocity.T)))
        if speed > 0.0005:
            acceleration = np.hypot(*(velocity[2:] - 2 * velocity[1:-1] + velocity[:-2]).T)
            values["jerk"] = float(np.log2(0.02 + acceleration.mean() / speed))
    return values
