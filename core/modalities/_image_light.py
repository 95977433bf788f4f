"""Exposure, contrast and colour of an image."""

from __future__ import annotations

import numpy as np

from core.modalities._image_planes import Planes, block_means
from core.nouns import Measure

_LUMA = "Rec. 601 luma at 512 px"
_LAB = "CIELAB under D65 at 256 px"

# CIELAB hue angles in degrees; from one name to the next the angle rises. Pale and grey pixels have no hue.
HUES = (
    ("red", -20.0, 50.0),
    ("yellow", 50.0, 105.0),
    ("green", 105.0, 185.0),
    ("blue", 185.0, 305.0),
    ("purple", 305.0, 340.0),
)
HUED = 10.0  # chroma from which a pixel counts as coloured

MEASURES = (
    Measure(
        name="brightness",
        label="Brightness",
        unit="%",
        more="brighter",
        less="darker",
        source=f"mean {_LUMA}",
        digits=1,
    ),
    Measure(
        name="shadows_clipped",
        label="Lost shadows",
        unit="√share",
        more="more sunk into black",
        less="more open in its shadows",
        source=f"share of pixels at {_LUMA} ≤ 4",
    ),
    Measure(
        name="highlights_clipped",
        label="Lost highlights",
        unit="√share",
        more="more blown out",
        less="better kept in its highlights",
        source="share of pixels with a channel ≥ 252 at 512 px",
    ),
    Measure(
        name="black_point",
        label="Darkest tone",
        unit="%",
        more="more lifted in its blacks",
        less="deeper in its blacks",
        source=f"1st percentile, {_LUMA}",
        digits=1,
    ),
    Measure(
        name="white_point",
        label="Brightest tone",
        unit="%",
        more="brighter in its lights",
        less="duller in its lights",
        source=f"99th percentile, {_LUMA}",
        digits=1,
    ),
    Measure(
        name="contrast",
        label="Contrast",
        unit="%",
        more="more contrasty",
        less="flatter in contrast",
        source=f"95th minus 5th percentile, {_LUMA}",
        digits=1,
    ),
    Measure(
        name="rms_contrast",
        label="Contrast, overall spread",
        unit="%",
        more="wider in its tones",
        less="narrower in its tones",
        source=f"standard deviation (Peli 1990), {_LUMA}",
        digits=1,
    ),
    Measure(
        name="local_contrast",
        label="Local contrast",
        unit="log₂ levels",
        more="punchier in local contrast",
        less="flatter in local contrast",
        source=f"median deviation in 16 × 16 blocks, {_LUMA}",
    ),
    Measure(
        name="tone_balance",
        label="Balance of tones",
        unit="share",
        more="weighted towards light tones",
        less="weighted towards dark tones",
        source=f"place of the median between the 5th and 95th percentile, {_LUMA}",
    ),
    Measure(
        name="tonal_entropy",
        label="Variety of tones",
        unit="bits",
        more="richer in tones",
        less="poorer in tones",
        source=f"Shannon entropy of 64 bins, {_LUMA}",
    ),
    Measure(
        name="haze",
        label="Haze",
        unit="%",
        more="hazier",
        less="clearer",
        source="dark channel (He, Sun and Tang 2009), mean over 8 × 8 blocks at 512 px",
        digits=1,
    ),
    Measure(
        name="vignette",
        label="Vignette",
        unit="stops",
        more="more darkened towards the corners",
        less="brighter towards the corners",
        source="linear light of the centre against the corners at 512 px",
    ),
    Measure(
        name="glow",
        label="Glow around lights",
        unit="%",
        more="more glowing around its lights",
        less="freer of glow around its lights",
        source=f"luma beside the brightest spots against the rest, {_LUMA}",
        digits=1,
    ),
    Measure(
        name="saturation",
        label="Saturation",
        unit="C*",
        more="more saturated",
        less="more muted in colour",
        source=f"mean chroma, {_LAB}",
        digits=1,
    ),
    Measure(
        name="saturation_peak",
        label="Strongest colours",
        unit="C*",
        more="more vivid in its strongest colours",
        less="paler in its strongest colours",
        source=f"95th percentile of chroma, {_LAB}",
        digits=1,
    ),
    Measure(
        name="colourfulness",
        label="Colourfulness",
        unit="log₂ M3",
        more="more colourful",
        less="less colourful",
        source="Hasler and Süsstrunk 2003, log₂(1 + M3), at 512 px",
    ),
    Measure(
        name="greyness",
        label="Share without colour",
        unit="share",
        more="closer to black and white",
        less="further from black and white",
        source=f"share of pixels with chroma below 5, {_LAB}",
    ),
    Measure(
        name="warmth", label="Warmth", unit="b*", more="warmer", less="cooler", source=f"mean b*, {_LAB}", digits=1
    ),
    Measure(
        name="tint",
        label="Tint",
        unit="a*",
        more="pinker in tint",
        less="greener in tint",
        source=f"mean a*, {_LAB}",
        digits=1,
    ),
    Measure(
        name="cast",
        label="Colour cast",
        unit="C*",
        more="stronger in its colour cast",
        less="more neutral in colour",
        source=f"length of the mean of a* and b*, {_LAB}",
        digits=1,
    ),
    Measure(
        name="highlight_warmth",
        label="Warmth of the lights",
        unit="b*",
        more="warmer in its lights",
        less="cooler in its lights",
        source=f"mean b* of the lightest tenth, {_LAB}",
        digits=1,
    ),
    Measure(
        name="shadow_warmth",
        label="Warmth of the shadows",
        unit="b*",
        more="warmer in its shadows",
        less="cooler in its shadows",
        source=f"mean b* of the darkest tenth, {_LAB}",
        digits=1,
    ),
    Measure(
        name="hue_variety",
        label="Variety of hues",
        unit="bits",
        more="more varied in hue",
        less="closer to one hue",
        source=f"entropy of 24 hue bins weighted by chroma, {_LAB}",
    ),
    Measure(
        name="colour_variety",
        label="Variety of colours",
        unit="bits",
        more="made of more different colours",
        less="made of fewer colours",
        source="Shannon entropy of 4,096 RGB bins at 512 px",
    ),
    *(
        Measure(
            name=f"hue_{name}",
            label=f"{name.capitalize()} share",
            unit="share",
            more=f"fuller of {name}",
            less=f"freer of {name}",
            source=f"pixels of chroma above {HUED:g} with hue angle {low:g}–{high:g}°, {_LAB}",
        )
        for name, low, high in HUES
    ),
)


def measure(planes: Planes) -> dict[str, float]:
    return _light(planes.view, planes.rgb) | _shape_of_light(planes.view) | _colour(planes.lab, planes.rgb)


def _light(y: np.ndarray, rgb: np.ndarray) -> dict[str, float]:
    # percentiles from a histogram of half levels: sorting every pixel would cost more than all else here
    counts = np.bincount((y * 2.0 + 0.5).astype(np.int64).ravel(), minlength=512)
    place = np.searchsorted(np.cumsum(counts), np.array([0.01, 0.05, 0.5, 0.95, 0.99]) * y.size)
    low, dark, middle, light, high = (float(at) / 2.0 for at in place)
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    values = {
        "brightness": float(y.mean()) / 2.55,
        "shadows_clipped": float(np.sqrt(np.mean(y <= 4))),
        "highlights_clipped": float(np.sqrt(np.mean((red >= 252) | (green >= 252) | (blue >= 252)))),
        "black_point": low / 2.55,
        "white_point": high / 2.55,
        "contrast": (light - dark) / 2.55,
        "rms_contrast": float(y.std()) / 2.55,
        "tonal_entropy": _entropy(counts[:512].reshape(64, 8).sum(axis=1)),
    }
    if light - dark >= 4:
        values["tone_balance"] = (middle - dark) / (light - dark)
    if min(y.shape) >= 16:
        mean, square = block_means(y, 16), block_means(y * y, 16)
        deviation = np.sqrt(np.maximum(square - mean * mean, 0))
        values["local_contrast"] = float(np.log2(1 + 4 * np.median(deviation)))
    if min(y.shape) >= 8:
        darkest = np.minimum(np.minimum(red, green), blue)
        rows, columns = y.shape[0] // 8, y.shape[1] // 8
        blocks = darkest[: rows * 8, : columns * 8].reshape(rows, 8, columns, 8).min(axis=(1, 3))
        values["haze"] = float(blocks.mean()) / 2.55
    return values


def _shape_of_light(y: np.ndarray) -> dict[str, float]:
    """Vignette and glow, on block means of about 64 px a side."""
    side = max(1, max(y.shape) // 64)
    small = block_means(y, side)
    height, width = small.shape
    if min(height, width) < 8:
        return {}
    v, u = np.mgrid[0:height, 0:width]
    radius = np.hypot((v + 0.5) / height * 2 - 1, (u + 0.5) / width * 2 - 1) / np.sqrt(2)
    linear = (small / 255) ** 2.2
    centre, corner = float(linear[radius < 0.35].mean()), float(linear[radius > 0.8].mean())
    values = {"vignette": float(np.log2((centre + 0.005) / (corner + 0.005)))}
    middle = float(np.median(small))
    # near the peak, so that the glow itself is not taken for the light
    bright = small >= middle + 0.85 * (float(small.max()) - middle)
    near = np.zeros_like(bright)
    for dv in range(-3, 4):
        for du in range(-3, 4):
            near |= np.roll(bright, (dv, du), axis=(0, 1))
    beside, far = near & ~bright, ~near
    if beside.any() and far.any() and float(small.std()) > 1.0:
        values["glow"] = float(small[beside].mean() - small[far].mean()) / 2.55
    return values


def _entropy(counts: np.ndarray) -> float:
    share = counts[counts > 0] / counts.sum()
    return float(max(0.0, -np.sum(share * np.log2(share))))


def hue_masks(a: np.ndarray, b: np.ndarray) -> dict[str, np.ndarray]:
    """Which pixels have which of the named hues; a, b of CIELAB."""
    first = HUES[0][1]
    turned = np.mod(np.degrees(np.arctan2(b, a)) - first, 360.0)
    turned[np.hypot(a, b) <= HUED] = -1.0
    return {name: (turned >= low - first) & (turned < high - first) for name, low, high in HUES}


def _colour(lab: np.ndarray, rgb: np.ndarray) -> dict[str, float]:
    lightness, a, b = lab[..., 0], lab[..., 1], lab[..., 2]
    chroma = np.hypot(a, b)
    mean_a, mean_b = float(a.mean()), float(b.mean())
    dark, light = np.percentile(lightness, [10, 90])
    values = {
        "saturation": float(chroma.mean()),
        "saturation_peak": float(np.percentile(chroma, 95)),
        "colourfulness": _colourfulness(rgb),
        "greyness": float(np.mean(chroma < 5)),
        "warmth": mean_b,
        "tint": mean_a,
        "cast": float(np.hypot(mean_a, mean_b)),
        "highlight_warmth": float(b[lightness >= light].mean()),
        "shadow_warmth": float(b[lightness <= dark].mean()),
    }
    angle = np.arctan2(b, a)
    bins = np.floor((angle + np.pi) * (24 / (2 * np.pi))).astype(np.int64).ravel() % 24
    weights = np.bincount(bins, weights=np.maximum(chroma - 3, 0).ravel(), minlength=24)
    if float(weights.sum()) > 0.1 * chroma.size:
        values["hue_variety"] = _entropy(weights)
    for name, mask in hue_masks(a, b).items():
        values[f"hue_{name}"] = float(np.mean(mask))
    coarse = (rgb[::2, ::2] >> 4).astype(np.int64)
    values["colour_variety"] = _entropy(
        np.bincount(((coarse[..., 0] * 16 + coarse[..., 1]) * 16 + coarse[..., 2]).ravel(), minlength=4096)
    )
    return values


def _colourfulness(rgb: np.ndarray) -> float:
    thin = rgb[::2, ::2].astype(np.float32)
    red_green = thin[..., 0] - thin[..., 1]
    yellow_blue = 0.5 * (thin[..., 0] + thin[..., 1]) - thin[..., 2]
    spread = np.hypot(red_green.std(), yellow_blue.std())
    return float(np.log2(1 + spread + 0.3 * np.hypot(red_green.mean(), yellow_blue.mean())))
