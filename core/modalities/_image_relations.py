"""An image against its prompt: the prompt's image (TI2I) and the colours that the prompt's words name."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
from PIL import Image

from core.modalities._image_file import Picture, composite
from core.modalities._image_planes import lab, luma
from core.nouns import Measure

SIDE = 128  # px; both images are brought to this square, so that a crop or a change of format counts as a change

_SAME = "both at 128 × 128 px"

MEASURES = (
    Measure(
        name="likeness",
        label="Likeness to the prompt's image",
        unit="SSIM",
        more="closer to the prompt's image",
        less="further from the prompt's image",
        source=f"structural similarity (Wang et al. 2004) of the luma, 7 × 7 windows, {_SAME}",
        relative=True,
    ),
    Measure(
        name="edges_kept",
        label="Outlines kept",
        unit="correlation",
        more="truer to the prompt image's outlines",
        less="freer with the prompt image's outlines",
        source=f"correlation of gradient strength, {_SAME}",
        relative=True,
    ),
    Measure(
        name="colour_shift",
        label="Change of colours",
        unit="log₂ ΔE",
        more="more changed in colour",
        less="truer in colour",
        source=f"distance of the sorted L*, a* and b* (Wasserstein-1), {_SAME}",
        relative=True,
    ),
    Measure(
        name="unchanged_share",
        label="Untouched area",
        unit="share",
        more="left untouched over a larger part",
        less="changed over a larger part",
        source=f"pixels with ΔE*ab below 6 after 3 × 3 means, {_SAME}",
        relative=True,
    ),
    Measure(
        name="change_size",
        label="Size of the change",
        unit="log₂ ΔE",
        more="more strongly edited",
        less="more lightly edited",
        source=f"mean ΔE*ab, {_SAME}",
        relative=True,
    ),
    Measure(
        name="change_focus",
        label="Focus of the change",
        unit="share",
        more="changed in one place",
        less="changed all over",
        source=f"share of the squared ΔE*ab in the most changed tenth, {_SAME}",
        relative=True,
    ),
    Measure(
        name="reframing",
        label="Change of format",
        unit="log₂ ratio",
        more="more changed in format",
        less="truer in format",
        source="|log₂| of the ratio of both aspects",
        relative=True,
    ),
    Measure(
        name="named_colours",
        label="Colours the prompt names",
        unit="share",
        more="fuller of the colours that the prompt names",
        less="poorer in the colours that the prompt names",
        source="mean over the named colours of their area, full at a fifth of the picture; CIELAB regions",
        relative=True,
    ),
)

Region = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def _hue(low: float, high: float, chroma: float = 20.0, light: float = 0.0, top: float = 100.0) -> Region:
    """Pixels with a hue angle in [low, high) degrees, enough chroma and a lightness in the range."""
    return lambda lightness, c, angle: (
        (np.mod(angle - low, 360.0) < high - low) & (c > chroma) & (lightness >= light) & (lightness <= top)
    )


_COLOURS: dict[str, Region] = {
    "red": _hue(10, 50, 30),
    "crimson": _hue(0, 45, 30, 0, 55),
    "scarlet": _hue(15, 50, 40),
    "orange": _hue(45, 78, 30, 45),
    "yellow": _hue(78, 112, 25, 55),
    "gold": _hue(65, 100, 25, 40),
    "golden": _hue(65, 100, 25, 40),
    "brown": _hue(30, 95, 10, 10, 58),
    "beige": _hue(50, 105, 5, 65),
    "green": _hue(105, 185, 12),
    "turquoise": _hue(170, 225, 12),
    "teal": _hue(170, 230, 10, 0, 65),
    "cyan": _hue(185, 235, 12),
    "blue": _hue(225, 310, 12),
    "purple": _hue(300, 340, 12),
    "violet": _hue(295, 335, 12),
    "pink": _hue(-40, 30, 12, 55),
    "white": lambda lightness, c, angle: (lightness > 85) & (c < 10),
    "black": lambda lightness, c, angle: lightness < 18,
    "gray": lambda lightness, c, angle: (lightness > 18) & (lightness < 85) & (c < 8),
    "grey": lambda lightness, c, angle: (lightness > 18) & (lightness < 85) & (c < 8),
    "silver": lambda lightness, c, angle: (lightness > 50) & (lightness < 90) & (c < 8),
}
_NAMED = re.compile(rf"\b({'|'.join(_COLOURS)})\b")


def relate(picture: Picture, prompt: str, before: Picture | None) -> dict[str, float]:
    """Values of the relative measures; those of the prompt's image only where there is one."""
    names = set(_NAMED.findall(prompt.lower()))
    if not names and before is None:
        return {}
    after = _square(picture)
    values: dict[str, float] = {}
    if names:
        values["named_colours"] = _named_colours(lab(after), names)
    if before is not None:
        values |= _against(_square(before), after)
        (width, height), (width_0, height_0) = picture.size, before.size
        values["reframing"] = abs(float(np.log2((width / height) / (width_0 / height_0))))
    return values


def _square(picture: Picture) -> np.ndarray:
    small = picture.upright(composite(picture.reduced(512), picture.icc))
    return np.asarray(small.resize((SIDE, SIDE), Image.Resampling.BOX))


def _named_colours(colours: np.ndarray, names: set[str]) -> float:
    lightness, a, b = colours[..., 0], colours[..., 1], colours[..., 2]
    chroma, angle = np.hypot(a, b), np.degrees(np.arctan2(b, a))
    return float(np.mean([min(1.0, 5.0 * np.mean(_COLOURS[name](lightness, chroma, angle))) for name in names]))


def _box(values: np.ndarray, side: int) -> np.ndarray:
    """Means over all side × side windows that lie inside."""
    total = np.zeros((values.shape[0] + 1, values.shape[1] + 1), np.float64)
    np.cumsum(np.cumsum(values, axis=0, dtype=np.float64), axis=1, out=total[1:, 1:])
    return (total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side]) / side**2


def ssim(first: np.ndarray, second: np.ndarray) -> float:
    """Mean structural similarity of two lumas in 0–255 (Wang et al. 2004, eq. 13), uniform 7 × 7 windows."""
    # the variances are small differences of large squares
    first, second = first.astype(np.float64), second.astype(np.float64)
    mean_1, mean_2 = _box(first, 7), _box(second, 7)
    var_1 = np.maximum(_box(first * first, 7) - mean_1**2, 0)
    var_2 = np.maximum(_box(second * second, 7) - mean_2**2, 0)
    both = _box(first * second, 7) - mean_1 * mean_2
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return float(
        np.mean(((2 * mean_1 * mean_2 + c1) * (2 * both + c2)) / ((mean_1**2 + mean_2**2 + c1) * (var_1 + var_2 + c2)))
    )


def _against(before: np.ndarray, after: np.ndarray) -> dict[str, float]:
    luma_0, luma_1 = luma(before), luma(after)
    lab_0, lab_1 = lab(before), lab(after)
    values = {"likeness": ssim(luma_0, luma_1)}
    edges = [np.hypot(*np.gradient(y)) for y in (luma_0, luma_1)]
    if all(float(edge.std()) > 0.5 for edge in edges):
        values["edges_kept"] = float(np.corrcoef(edges[0].ravel(), edges[1].ravel())[0, 1])
    shift = [np.abs(np.sort(lab_0[..., c].ravel()) - np.sort(lab_1[..., c].ravel())).mean() for c in range(3)]
    values["colour_shift"] = float(np.log2(1.0 + np.linalg.norm(shift)))
    smooth = np.stack([_box(lab_1[..., c] - lab_0[..., c], 3) for c in range(3)], axis=-1)
    difference = np.linalg.norm(smooth, axis=-1)
    values["unchanged_share"] = float(np.mean(difference < 6))
    values["change_size"] = float(np.log2(1.0 + difference.mean()))
    energy = np.sort((difference**2).ravel())
    if float(energy.sum()) > 1.0 * energy.size:
        values["change_focus"] = float(energy[-energy.size // 10 :].sum() / energy.sum())
    return values
