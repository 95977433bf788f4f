"""Controlled changes of pictures: uint8 arrays H×W×3 in sRGB."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from core.models.starter.changes import Attribute, FunctionChange, Table
from core.nouns import Modality

Picture = np.ndarray
Rng = np.random.Generator

LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601

ATTRIBUTES = (
    Attribute(name="sharpness", more="sharper, in focus", less="blurry, soft", quality="more"),
    Attribute(name="grain", more="grainy, noisy", less="clean, free of noise", quality="less"),
    Attribute(name="brightness", more="brighter", less="darker", quality="neither"),
    Attribute(name="contrast", more="punchy, contrasty", less="flat, low in contrast", quality="more"),
    Attribute(name="saturation", more="vivid colours", less="muted colours", quality="neither"),
    Attribute(name="warmth", more="warmer, orange", less="cooler, blue", quality="neither"),
    Attribute(name="magenta", more="pinkish, magenta tint", less="greenish tint", quality="neither"),
    Attribute(name="blockiness", more="compressed, blocky JPEG", less="free of compression blocks", quality="less"),
    Attribute(name="pixelation", more="pixelated, large square pixels", less="no visible pixels", quality="less"),
    Attribute(name="posterisation", more="few flat tones, banded", less="smooth gradations", quality="less"),
    Attribute(name="haze", more="hazy, misty, veiled", less="clear air, no veil", quality="less"),
    Attribute(name="vignette", more="dark corners", less="evenly lit up to the corners", quality="neither"),
    Attribute(name="symmetry", more="left mirrors right", less="lopsided, unlike halves", quality="neither"),
    Attribute(name="tilt", more="crooked, tilted", less="level, straight", quality="less"),
    Attribute(name="sepia", more="sepia, brown antique toning", less="modern natural colour", quality="less"),
    Attribute(name="motion_blur", more="smeared by motion", less="frozen, free of motion blur", quality="less"),
    Attribute(name="border", more="framed by a plain border", less="runs to the edge, no frame", quality="neither"),
    Attribute(name="clutter", more="busy, crowded with things", less="plain, uncluttered", quality="less"),
    Attribute(name="shadows", more="shadows crushed to black", less="detail in the shadows", quality="less"),
    Attribute(name="highlights", more="blown-out whites", less="detail in the brightest parts", quality="less"),
    Attribute(name="resolution", more="more pixels, larger file size", less="few pixels, small", quality="more"),
    Attribute(name="width", more="wide, panoramic format", less="tall, upright format", quality="neither"),
    Attribute(name="monochrome", more="black and white", less="in colour", quality="neither", held_out=True),
    Attribute(
        name="glow", more="glowing, blooming lights", less="crisp lights, no bloom", quality="less", held_out=True
    ),
    Attribute(name="letterbox", more="black bars above and below", less="no bars", quality="less", held_out=True),
    Attribute(name="fringing", more="colour fringes at edges", less="no colour fringes", quality="less", held_out=True),
)


def _unit(picture: Picture) -> np.ndarray:
    return picture.astype(np.float32) / 255.0


def _picture(unit: np.ndarray) -> Picture:
    return (np.clip(unit, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)


def _luma(unit: np.ndarray) -> np.ndarray:
    return (unit @ LUMA)[..., None]


def _scale(picture: Picture) -> float:
    """Short side over 512, so that a strength looks alike at every size."""
    return min(picture.shape[:2]) / 512.0


def _blurred(picture: Picture, radius: float) -> Picture:
    return np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(radius)))


def _resized(picture: Picture, width: int, height: int, how: Image.Resampling = Image.Resampling.LANCZOS) -> Picture:
    return np.asarray(Image.fromarray(picture).resize((max(1, width), max(1, height)), how))


def _box(values: np.ndarray, radius: int) -> np.ndarray:
    from scipy.ndimage import uniform_filter

    return uniform_filter(values, size=(2 * radius + 1, 2 * radius + 1, 1), mode="nearest")


def sharpen(picture: Picture, strength: float, rng: Rng) -> Picture:
    """Unsharp mask at a small radius."""
    unit, soft = _unit(picture), _unit(_blurred(picture, max(0.8, 1.4 * _scale(picture))))
    return _picture(unit + (0.3 + 1.7 * strength) * (unit - soft))


def defocus(picture: Picture, strength: float, rng: Rng) -> Picture:
    return _blurred(picture, (0.5 + 5.5 * strength) * max(0.4, _scale(picture)))


def add_grain(picture: Picture, strength: float, rng: Rng) -> Picture:
    """Gaussian noise, mostly of luminance, with a deviation up to 34 of 255."""
    height, width = picture.shape[:2]
    deviation = (4 + 30 * strength) / 255.0
    grey = rng.standard_normal((height, width, 1), dtype=np.float32)
    colour = rng.standard_normal((height, width, 3), dtype=np.float32)
    return _picture(_unit(picture) + deviation * (0.85 * grey + 0.5 * colour))


def remove_grain(picture: Picture, strength: float, rng: Rng) -> Picture:
    """Guided filter (He, Sun, Tang 2013): flattens fine noise, keeps edges."""
    unit, radius, epsilon = _unit(picture), 2, (0.01 + 0.04 * strength) ** 2
    mean = _box(unit, radius)
    variance = np.maximum(_box(unit * unit, radius) - mean * mean, 0.0)
    gain = variance / (variance + epsilon)
    return _picture(_box(gain, radius) * unit + _box(mean - gain * mean, radius))


def brighten(picture: Picture, strength: float, rng: Rng) -> Picture:
    return _picture(_unit(picture) ** (1.0 / (1.0 + 1.4 * strength)))


def darken(picture: Picture, strength: float, rng: Rng) -> Picture:
    return _picture(_unit(picture) ** (1.0 + 1.4 * strength))


def raise_contrast(picture: Picture, strength: float, rng: Rng) -> Picture:
    unit = _unit(picture)
    middle = float(_luma(unit).mean())
    return _picture(middle + (unit - middle) * (1.0 + 0.9 * strength))


def lower_contrast(picture: Picture, strength: float, rng: Rng) -> Picture:
    unit = _unit(picture)
    middle = float(_luma(unit).mean())
    return _picture(middle + (unit - middle) * (1.0 - 0.7 * strength))


def saturate(picture: Picture, strength: float, rng: Rng) -> Picture:
    unit = _unit(picture)
    return _picture(_luma(unit) + (unit - _luma(unit)) * (1.0 + 1.6 * strength))


def mute(picture: Picture, strength: float, rng: Rng) -> Picture:
    unit = _unit(picture)
    return _picture(_luma(unit) + (unit - _luma(unit)) * (1.0 - 0.85 * strength))


def _toned(picture: Picture, gains: tuple[float, float, float]) -> Picture:
    """Channel gains, then the old mean luminance again, so that only the hue moves."""
    unit = _unit(picture)
    toned = unit * np.array(gains, dtype=np.float32)
    return _picture(toned * (float(_luma(unit).mean()) / max(float(_luma(toned).mean()), 1e-6)))


def warm(picture: Picture, strength: float, rng: Rng) -> Picture:
    return _toned(picture, (1.0 + 0.28 * strength, 1.0, 1.0 - 0.45 * strength))


def cool(picture: Picture, strength: float, rng: Rng) -> Picture:
    return _toned(picture, (1.0 - 0.35 * strength, 1.0, 1.0 + 0.4 * strength))


def tint_magenta(picture: Picture, strength: float, rng: Rng) -> Picture:
    return _toned(picture, (1.0 + 0.1 * strength, 1.0 - 0.25 * strength, 1.0 + 0.1 * strength))


def tint_green(picture: Picture, strength: float, rng: Rng) -> Picture:
    return _toned(picture, (1.0 - 0.14 * strength, 1.0 + 0.2 * strength, 1.0 - 0.14 * strength))


def compress(picture: Picture, strength: float, rng: Rng) -> Picture:
    """JPEG at quality 45 down to 4."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=round(45 - 41 * strength**0.6))
    return np.asarray(Image.open(file).convert("RGB"))


def pixelate(picture: Picture, strength: float, rng: Rng) -> Picture:
    height, width = picture.shape[:2]
    size = max(2.0, (2.0 + 12.0 * strength) * _scale(picture))
    small = _resized(picture, round(width / size), round(height / size), Image.Resampling.BOX)
    return _resized(small, width, height, Image.Resampling.NEAREST)


def posterise(picture: Picture, strength: float, rng: Rng) -> Picture:
    levels = round(3 + 15 * (1.0 - strength) ** 1.5)
    return _picture(np.round(_unit(picture) * (levels - 1)) / (levels - 1))


def add_haze(picture: Picture, strength: float, rng: Rng) -> Picture:
    """Atmospheric veil, thicker towards the top where distance usually is (Koschmieder)."""
    depth = np.linspace(1.0, 0.55, picture.shape[0], dtype=np.float32)[:, None, None]
    veil = 0.75 * strength * depth
    return _picture(_unit(picture) * (1.0 - veil) + np.array([0.83, 0.85, 0.88], dtype=np.float32) * veil)


def remove_haze(picture: Picture, strength: float, rng: Rng) -> Picture:
    """Takes away part of the darkest veil (a global dark channel; He, Sun, Tang 2009)."""
    unit = _unit(picture)
    veil = strength * (float(np.percentile(unit.min(axis=2), 5)) * 0.85 + 0.06)
    return _picture((unit - veil) / (1.0 - veil))


def _radius(picture: Picture) -> np.ndarray:
    """Distance from the middle, 1 in the corners."""
    height, width = picture.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    return (np.sqrt((x * x + y * y) / 2.0))[..., None].astype(np.float32)


def darken_corners(picture: Picture, strength: float, rng: Rng) -> Picture:
    return _picture(_unit(picture) * (1.0 - 0.9 * strength * _radius(picture) ** 2.5))


def lighten_corners(picture: Picture, strength: float, rng: Rng) -> Picture:
    return _picture(_unit(picture) * (1.0 + 0.7 * strength * _radius(picture) ** 2.5))


def mirror(picture: Picture, strength: float, rng: Rng) -> Picture:
    """One half continues, more and more, as the mirror image of the other."""
    width = picture.shape[1]
    flipped = picture[:, ::-1]
    left = np.arange(width) < width / 2
    keep = left if rng.random() < 0.5 else ~left
    weight = np.where(keep, 0.0, min(1.0, 0.45 + 0.55 * strength)).astype(np.float32)[None, :, None]
    return _picture(_unit(picture) * (1.0 - weight) + _unit(flipped) * weight)


def unbalance(picture: Picture, strength: float, rng: Rng) -> Picture:
    """Cuts a strip off one side, so that the axis of the picture leaves the axis of its content."""
    width = picture.shape[1]
    cut = max(1, round(width * 0.38 * strength))
    return np.ascontiguousarray(picture[:, cut:] if rng.random() < 0.5 else picture[:, : width - cut])


def rotate(picture: Picture, strength: float, rng: Rng) -> Picture:
    """Turned by 3 to 17 degrees either way and cut to what has no empty corners."""
    angle = (3.0 + 14.0 * strength) * (1 if rng.random() < 0.5 else -1)
    height, width = picture.shape[:2]
    sine, cosine = abs(np.sin(np.radians(angle))), abs(np.cos(np.radians(angle)))
    scale = min(width / (width * cosine + height * sine), height / (width * sine + height * cosine))
    turned = Image.fromarray(picture).rotate(angle, Image.Resampling.BICUBIC)
    w, h = max(1, int(width * scale)), max(1, int(height * scale))
    left, top = (width - w) // 2, (height - h) // 2
    return np.asarray(turned.crop((left, top, left + w, top + h)))


def tone_sepia(picture: Picture, strength: float, rng: Rng) -> Picture:
    unit = _unit(picture)
    brown = np.clip(_luma(unit) * np.array([1.08, 0.96, 0.75], dtype=np.float32), 0.0, 1.0)
    return _picture(unit * (1.0 - strength) + brown * strength)


def smear(picture: Picture, strength: float, rng: Rng) -> Picture:
    """Mean of copies shifted along one random direction."""
    length, angle = max(2.0, (4.0 + 30.0 * strength) * _scale(picture)), rng.uniform(0.0, np.pi)
    steps = np.linspace(-length / 2, length / 2, max(3, int(length) + 1))
    total = np.zeros(picture.shape, dtype=np.float32)
    margin = int(np.ceil(length / 2)) + 1
    padded = np.pad(picture, ((margin, margin), (margin, margin), (0, 0)), mode="edge")
    height, width = picture.shape[:2]
    for step in steps:
        top = margin + round(step * float(np.sin(angle)))
        left = margin + round(step * float(np.cos(angle)))
        total += padded[top : top + height, left : left + width]
    return (total / len(steps) + 0.5).astype(np.uint8)


def add_border(picture: Picture, strength: float, rng: Rng) -> Picture:
    """A frame of one colour around the shrunken picture; the size stays."""
    height, width = picture.shape[:2]
    edge = max(1, round(min(height, width) * (0.025 + 0.12 * strength)))
    colours = ((255, 255, 255), (0, 0, 0), (235, 226, 205), (60, 60, 60))
    framed = np.empty_like(picture)
    framed[:] = colours[int(rng.integers(len(colours)))]
    framed[edge : height - edge, edge : width - edge] = _resized(picture, width - 2 * edge, height - 2 * edge)
    return framed


def add_clutter(picture: Picture, strength: float, rng: Rng) -> Picture:
    """Scatters small shapes, strokes and scribbled lettering over the picture."""
    image = Image.fromarray(picture)
    draw, (width, height), side = ImageDraw.Draw(image), image.size, min(image.size)
    for _ in range(round(12 + 110 * strength)):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        w, h = side * rng.uniform(0.01, 0.07, 2)
        colour = tuple(int(value) for value in rng.integers(0, 256, 3))
        kind = rng.integers(4)
        if kind == 0:
            draw.ellipse((x - w, y - h, x + w, y + h), fill=colour)
        elif kind == 1:
            draw.rectangle((x - w, y - h, x + w, y + h), fill=colour)
        elif kind == 2:
            draw.line(
                (x, y, x + rng.normal(0, 2) * w, y + rng.normal(0, 2) * h), fill=colour, width=max(1, side // 150)
            )
        else:
            letters = "".join(chr(97 + int(value)) for value in rng.integers(0, 26, 5))
            draw.text((x, y), letters, fill=colour, font_size=max(8.0, side * 0.04))
    return np.asarray(image)


def declutter(picture: Picture, strength: float, rng: Rng) -> Picture:
    """Thins out texture: median over small windows, blended in, with strong edges kept as they are."""
    from scipy.ndimage import sobel

    size = 2 * max(1, round((1.0 + 3.0 * strength) * _scale(picture))) + 1
    plain = np.asarray(Image.fromarray(picture).filter(ImageFilter.MedianFilter(size)))
    grey = _luma(_unit(plain))[..., 0]
    edges = np.clip(np.hypot(sobel(grey, 0), sobel(grey, 1)) * 2.0, 0.0, 1.0)[..., None]
    return _picture(_unit(plain) * (1.0 - edges) + _unit(picture) * edges)


def crush_shadows(picture: Picture, strength: float, rng: Rng) -> Picture:
    """Everything below a threshold becomes black; bright parts hardly move."""
    threshold = 0.08 + 0.32 * strength
    unit = _unit(picture)
    crushed = np.maximum(unit - threshold, 0.0) / (1.0 - threshold)
    luma = _luma(unit)
    return _picture(crushed * (1.0 - luma) + unit * luma - np.maximum(threshold - luma, 0.0))


def lift_shadows(picture: Picture, strength: float, rng: Rng) -> Picture:
    """Opens the dark parts and leaves the bright ones."""
    unit = _unit(picture)
    weight = np.clip(1.0 - 2.0 * _luma(unit), 0.0, 1.0)
    return _picture(unit + weight * (unit ** (1.0 / (1.0 + 1.2 * strength)) - unit + 0.04 * strength))


def blow_highlights(picture: Picture, strength: float, rng: Rng) -> Picture:
    """Everything above a threshold becomes white; dark parts hardly move."""
    gain = 1.0 + (0.25 + 1.0 * strength) * np.clip(_luma(_unit(picture)) * 1.6 - 0.4, 0.0, 1.0)
    return _picture(_unit(picture) * gain)


def recover_highlights(picture: Picture, strength: float, rng: Rng) -> Picture:
    """Rolls the bright parts off below white."""
    unit = _unit(picture)
    weight = np.clip(2.0 * _luma(unit) - 1.0, 0.0, 1.0)
    return _picture(unit * (1.0 - 0.3 * strength * weight))


def shrink(picture: Picture, strength: float, rng: Rng) -> Picture:
    """Fewer pixels: 0.85 down to 0.25 of each side, at least 48."""
    factor = 1.0 - (0.15 + 0.6 * strength) * 1.0
    height, width = picture.shape[:2]
    factor = min(1.0, max(factor, 48 / min(height, width)))
    return _resized(picture, round(width * factor), round(height * factor))


def enlarge(picture: Picture, strength: float, rng: Rng) -> Picture:
    """More pixels: 1.15 up to 1.75 of each side."""
    factor = 1.0 + 0.15 + 0.6 * strength
    height, width = picture.shape[:2]
    return _resized(picture, round(width * factor), round(height * factor))


def crop_wide(picture: Picture, strength: float, rng: Rng) -> Picture:
    height = picture.shape[0]
    keep = max(1, round(height * (1.0 - 0.12 - 0.4 * strength)))
    top = int(rng.integers(0, height - keep + 1))
    return np.ascontiguousarray(picture[top : top + keep])


def crop_tall(picture: Picture, strength: float, rng: Rng) -> Picture:
    width = picture.shape[1]
    keep = max(1, round(width * (1.0 - 0.12 - 0.4 * strength)))
    left = int(rng.integers(0, width - keep + 1))
    return np.ascontiguousarray(picture[:, left : left + keep])


def drain_colour(picture: Picture, strength: float, rng: Rng) -> Picture:
    """Towards grey; a strength of 0.3 keeps a tenth of the colour, 1 keeps none."""
    unit = _unit(picture)
    return _picture(_luma(unit) + (unit - _luma(unit)) * (1.0 - strength) * 0.15)


def bloom(picture: Picture, strength: float, rng: Rng) -> Picture:
    """Bright parts, blurred, screened over the picture."""
    bright = _picture(np.clip(_unit(picture) * 1.5 - 0.5, 0.0, 1.0))
    light = _unit(_blurred(bright, 14.0 * max(0.3, _scale(picture))))
    return _picture(1.0 - (1.0 - _unit(picture)) * (1.0 - (0.3 + 0.7 * strength) * light))


def add_bars(picture: Picture, strength: float, rng: Rng) -> Picture:
    barred = picture.copy()
    bar = max(1, round(picture.shape[0] * (0.05 + 0.15 * strength)))
    barred[:bar] = 0
    barred[-bar:] = 0
    return barred


def fringe(picture: Picture, strength: float, rng: Rng) -> Picture:
    """Lateral chromatic aberration: red a little larger, blue a little smaller."""
    height, width = picture.shape[:2]
    grow = 1.0 + 0.003 + 0.017 * strength
    w, h = round(width * grow) + 2, round(height * grow) + 2
    large = _resized(picture, w, h)
    left, top = (w - width) // 2, (h - height) // 2
    larger = large[top : top + height, left : left + width]
    w, h = max(1, round(width / grow) - 2), max(1, round(height / grow) - 2)
    left, top = (width - w) // 2, (height - h) // 2
    around = ((top, height - h - top), (left, width - w - left), (0, 0))
    smaller = np.pad(_resized(picture, w, h), around, mode="edge")
    return np.stack([larger[..., 0], picture[..., 1], smaller[..., 2]], axis=2)


CHANGES = (
    FunctionChange("sharpness", "more", sharpen),
    FunctionChange("sharpness", "less", defocus),
    FunctionChange("grain", "more", add_grain),
    FunctionChange("grain", "less", remove_grain),
    FunctionChange("brightness", "more", brighten),
    FunctionChange("brightness", "less", darken),
    FunctionChange("contrast", "more", raise_contrast),
    FunctionChange("contrast", "less", lower_contrast),
    FunctionChange("saturation", "more", saturate),
    FunctionChange("saturation", "less", mute),
    FunctionChange("warmth", "more", warm),
    FunctionChange("warmth", "less", cool),
    FunctionChange("magenta", "more", tint_magenta),
    FunctionChange("magenta", "less", tint_green),
    FunctionChange("blockiness", "more", compress),
    FunctionChange("pixelation", "more", pixelate),
    FunctionChange("posterisation", "more", posterise),
    FunctionChange("haze", "more", add_haze),
    FunctionChange("haze", "less", remove_haze),
    FunctionChange("vignette", "more", darken_corners),
    FunctionChange("vignette", "less", lighten_corners),
    FunctionChange("symmetry", "more", mirror),
    FunctionChange("symmetry", "less", unbalance),
    FunctionChange("tilt", "more", rotate),
    FunctionChange("sepia", "more", tone_sepia),
    FunctionChange("motion_blur", "more", smear),
    FunctionChange("border", "more", add_border),
    FunctionChange("clutter", "more", add_clutter),
    FunctionChange("clutter", "less", declutter),
    FunctionChange("shadows", "more", crush_shadows),
    FunctionChange("shadows", "less", lift_shadows),
    FunctionChange("highlights", "more", blow_highlights),
    FunctionChange("highlights", "less", recover_highlights),
    FunctionChange("resolution", "more", enlarge),
    FunctionChange("resolution", "less", shrink),
    FunctionChange("width", "more", crop_wide),
    FunctionChange("width", "less", crop_tall),
    FunctionChange("monochrome", "more", drain_colour),
    FunctionChange("glow", "more", bloom),
    FunctionChange("letterbox", "more", add_bars),
    FunctionChange("fringing", "more", fringe),
)

PLUG = Table(Modality.IMAGE, ATTRIBUTES, CHANGES)
