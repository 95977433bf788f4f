"""All that is measured on an image by itself."""

from __future__ import annotations

import math

from core.modalities import _image_layout, _image_light, _image_sharpness, _image_traces
from core.modalities._image_file import Picture
from core.modalities._image_planes import planes

MEASURES = _image_sharpness.MEASURES + _image_traces.MEASURES + _image_light.MEASURES + _image_layout.MEASURES


def measure(picture: Picture) -> dict[str, float]:
    """Values by measure name, all finite; what a small or flat image does not have is left out."""
    seen = planes(picture)
    values = _image_layout.measure(picture, seen)
    for part in (_image_sharpness, _image_traces, _image_light):
        values |= part.measure(seen)
    return {name: float(value) for name, value in values.items() if math.isfinite(value)}
