"""Composition, clutter and size of an image."""

from __future__ import annotations

import numpy as np

from core.modalities._image_file import Picture
from core.modalities._image_planes import Planes, block_means, halved
from core.nouns import Measure

_SALIENCE = "salience after Achanta et al. 2009: CIELAB distance from the mean colour, 8 px blocks at 256 px"

MEASURES = (
    Measure(
        name="resolution",
        label="Resolution",
        unit="log₂ px",
        more="higher in resolution",
        less="lower in resolution",
        source="log₂ of width × height of the stored picture",
    ),
    Measure(
        name="aspect",
        label="Aspect",
        unit="log₂ w/h",
        more="wider in format",
        less="taller in format",
        source="log₂(width / height)",
    ),
    Measure(
        name="transparency",
        label="Transparent share",
        unit="share",
        more="more transparent",
        less="more opaque",
        source="mean of 1 − alpha",
    ),
    Measure(
        name="edge_density",
        label="Detail",
        unit="√share",
        more="more detailed",
        less="simpler in detail",
        source="share of pixels with a gradient above 16 levels at 512 px",
    ),
    Measure(
        name="clutter",
        label="Clutter",
        unit="√share",
        more="busier",
        less="calmer",
        source="share of pixels with a gradient above 24 levels at 128 px (edge density, Rosenholtz et al. 2007)",
    ),
    Measure(
        name="plain_share",
        label="Plain area",
        unit="share",
        more="plainer, with more empty space",
        less="fuller, with less empty space",
        source="16 × 16 blocks of the 512 px view with a deviation below 4 levels",
    ),
    Measure(
        name="plain_border",
        label="Evenness of the border",
        unit="log₂ ΔE",
        more="more uneven in its background",
        less="more even in its background",
        source="CIELAB deviation of the outer tenth at 256 px",
    ),
    Measure(
        name="letterbox",
        label="Bars at the border",
        unit="share",
        more="more framed by plain bars",
        less="freer of plain bars",
        source="rows and columns from outside with a deviation below 2 levels at 512 px",
    ),
    Measure(
        name="subject_offset",
        label="Subject off centre",
        unit="share",
        more="more off centre",
        less="better centred",
        source=f"distance of the centre of {_SALIENCE} from the middle, in half diagonals",
    ),
    Measure(
        name="subject_x",
        label="Subject left to right",
        unit="−1 to 1",
        more="placed further right",
        less="placed further left",
        source=f"centre of {_SALIENCE}",
    ),
    Measure(
        name="subject_y",
        label="Subject top to bottom",
        unit="−1 to 1",
        more="placed lower",
        less="placed higher",
        source=f"centre of {_SALIENCE}",
    ),
    Measure(
        name="subject_spread",
        label="Spread of the subject",
        unit="share",
        more="more spread over the frame",
        less="tighter on one place",
        source=f"deviation of {_SALIENCE} around its centre, in half diagonals",
    ),
    Measure(
        name="subject_at_border",
        label="Subject at the border",
        unit="log₂ ratio",
        more="more cut off at the border",
        less="kept clearer of the border",
        source=f"mean of {_SALIENCE} in the outermost blocks against all",
    ),
    Measure(
        name="centre_detail",
        label="Detail in the centre",
        unit="log₂ ratio",
        more="more detailed in the centre than around it",
        less="more detailed around the centre",
        source="mean gradient of the middle third against the rest at 128 px",
    ),
    Measure(
        name="symmetry",
        label="Left-right symmetry",
        unit="correlation",
        more="more symmetrical",
        less="less symmetrical",
        source="correlation of the luma with its mirror image, about 32 blocks a side",
    ),
    Measure(
        name="tilt",
        label="Tilt",
        unit="°",
        more="more tilted",
        less="straighter",
        source="mean of gradient directions folded to 90°, at 256 px",
        digits=1,
    ),
    Measure(
        name="straight_lines",
        label="Lines along two directions",
        unit="share",
        more="more built of lines along two directions",
        less="more organic in its lines",
        source="strength of the fourfold moment of gradient directions, at 256 px",
    ),
)


def measure(picture: Picture, planes: Planes) -> dict[str, float]:
    width, height = picture.size
    values = {
        "resolution": float(np.log2(width * height)),
        "aspect": float(np.log2(width / height)),
        "transparency": _transparency(picture),
    }
    values |= _detail(planes.view) | _bars(planes.view) | _subject(planes.lab) | _symmetry(planes.view)
    return values


def _transparency(picture: Picture) -> float:
    if not picture.has_alpha:
        return 0.0
    alpha = np.asarray(picture.reduced(512).getchannel("A"), np.float32)
    return 1.0 - float(alpha.mean()) / 255.0


def _gradient(y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Differences along x and y over two pixels, halved: (h − 2, w − 2) each."""
    return (y[1:-1, 2:] - y[1:-1, :-2]) * 0.5, (y[2:, 1:-1] - y[:-2, 1:-1]) * 0.5


def _detail(view: np.ndarray) -> dict[str, float]:
    values: dict[str, float] = {}
    if min(view.shape) >= 3:
        gx, gy = _gradient(view)
        values["edge_density"] = float(np.sqrt(np.mean(gx * gx + gy * gy > 16.0**2)))
    if min(view.shape) >= 16:
        mean, square = block_means(view, 16), block_means(view * view, 16)
        values["plain_share"] = float(np.mean(square - mean * mean < 4.0**2))
    half = halved(view)
    if min(half.shape) >= 16:
        values |= _directions(half)
    quarter = halved(half)
    if min(quarter.shape) >= 12:
        gx, gy = _gradient(quarter)
        strength = np.hypot(gx, gy)
        values["clutter"] = float(np.sqrt(np.mean(strength > 24.0)))
        rows, columns = strength.shape
        centre = strength[rows // 3 : rows - rows // 3, columns // 3 : columns - columns // 3]
        around = (float(strength.sum()) - float(centre.sum())) / (strength.size - centre.size)
        values["centre_detail"] = float(np.log2((float(centre.mean()) + 0.5) / (around + 0.5)))
    return values


def _directions(y: np.ndarray) -> dict[str, float]:
    """Fourfold moment Σ|g|² e^(4iθ) of the gradient g: its angle is the tilt, its strength the share of lines."""
    gx, gy = _gradient(y)
    g = gx + 1j * gy
    square = g * g
    energy = np.abs(square)
    # without weak gradients, which hold noise and texture
    total = float(energy[energy > 64].sum())
    if total < 64 * 0.002 * energy.size:
        return {}
    keep = energy > 64
    moment = complex(np.sum(square[keep] ** 2 / energy[keep]))
    strength = abs(moment) / total
    values = {"straight_lines": strength}
    if strength > 0.08:
        values["tilt"] = abs(float(np.degrees(np.angle(moment)))) / 4
    return values


def _bars(view: np.ndarray) -> dict[str, float]:
    """Share of the area in even rows and columns at the four sides; left out for an even image."""
    if min(view.shape) < 16 or float(view.std()) < 2.0:
        return {}
    share = 1.0
    for deviation in (view.std(axis=1), view.std(axis=0)):
        busy = np.flatnonzero(deviation >= 2.0)
        if busy.size == 0:
            return {}
        share *= (busy[-1] - busy[0] + 1) / deviation.size
    return {"letterbox": 1.0 - float(share)}


def _subject(lab: np.ndarray) -> dict[str, float]:
    side = 8 if min(lab.shape[:2]) >= 64 else 1
    if min(lab.shape[:2]) < 8 or max(lab.shape[:2]) < 16:
        return {}
    blocks = block_means(lab, side)
    height, width = blocks.shape[:2]
    values: dict[str, float] = {}
    band = max(1, min(height, width) // 10)
    inner = np.zeros((height, width), bool)
    inner[band : height - band, band : width - band] = True
    outside = blocks[~inner]
    values["plain_border"] = float(np.log2(1.0 + np.sqrt(np.mean(outside.var(axis=0)) * 3)))
    # the border's colour and the mean colour: a large subject would otherwise become the background
    salience = np.minimum(
        np.linalg.norm(blocks - blocks.mean(axis=(0, 1)), axis=2),
        np.linalg.norm(blocks - np.median(outside, axis=0), axis=2),
    )
    salience = salience**2
    total = float(salience.sum())
    if total < 1.0 * salience.size:
        return values
    v, u = np.mgrid[0:height, 0:width]
    y, x = (v + 0.5) / height * 2 - 1, (u + 0.5) / width * 2 - 1
    at_x, at_y = float((salience * x).sum()) / total, float((salience * y).sum()) / total
    variance = float((salience * ((x - at_x) ** 2 + (y - at_y) ** 2)).sum()) / total
    border = np.concatenate([salience[0], salience[-1], salience[1:-1, 0], salience[1:-1, -1]])
    values |= {
        "subject_x": at_x,
        "subject_y": at_y,
        "subject_offset": float(np.hypot(at_x, at_y) / np.sqrt(2)),
        "subject_spread": float(np.sqrt(variance / 2)),
        "subject_at_border": float(np.log2((border.mean() + 1.0) / (salience.mean() + 1.0))),
    }
    return values


def _symmetry(view: np.ndarray) -> dict[str, float]:
    small = block_means(view, max(1, max(view.shape) // 32))
    if min(small.shape) < 1 or small.shape[1] < 4 or float(small.std()) < 1.0:
        return {}
    centred = small - small.mean()
    return {"symmetry": float((centred * centred[:, ::-1]).sum() / (centred * centred).sum())}
