"""Images made by procedure, controlled changes to them, and files that are no good images."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

Change = Callable[[Image.Image, float], Image.Image]


def scene(seed: int, side: int = 320) -> Image.Image:
    """Natural-looking ground (1/f noise) under coloured discs and boxes, without pure black and white."""
    random = np.random.default_rng(seed)
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side)))
    frequency[0, 0] = 1
    waves = [np.fft.ifft2(np.fft.fft2(random.normal(size=(side, side))) / frequency**1.1).real for _ in range(3)]
    ground = np.stack([0.8 * waves[0] + 0.35 * wave for wave in waves], axis=-1)
    ground = (ground - ground.mean()) / ground.std() * 26 + [132, 122, 112]
    image = of(ground)
    draw = ImageDraw.Draw(image)
    for number in range(9):
        x, y = (int(v) for v in random.integers(0, side, 2))
        size = int(random.integers(20, 70))
        colour = tuple(int(v) for v in random.integers(30, 226, 3))
        (draw.ellipse if number % 2 else draw.rectangle)((x, y, x + size, y + size), fill=colour)
    return image


def of(values: np.ndarray) -> Image.Image:
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def numbers(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(np.float32)


def _noise(image: Image.Image, sigma: float) -> Image.Image:
    return of(numbers(image) + np.random.default_rng(0).normal(0, sigma, numbers(image).shape))


def _specks(image: Image.Image, share: float) -> Image.Image:
    values, chance = numbers(image), np.random.default_rng(0).random(image.size[::-1])
    values[chance < share / 2], values[chance > 1 - share / 2] = 0, 255
    return of(values)


def _jpeg(image: Image.Image, quality: float) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=int(quality))
    return Image.open(file).convert("RGB")


def _pixels(image: Image.Image, side: float) -> Image.Image:
    small = image.resize([max(1, int(n // side)) for n in image.size], Image.Resampling.BOX)
    return small.resize(image.size, Image.Resampling.NEAREST)


def _levels(image: Image.Image, count: float) -> Image.Image:
    return of(np.round(numbers(image) / 255 * (count - 1)) / (count - 1) * 255)


def _streak(image: Image.Image, length: float) -> Image.Image:
    return of(sum(np.roll(numbers(image), shift, axis=1) for shift in range(int(length))) / length)


def _vignette(image: Image.Image, strength: float) -> Image.Image:
    width, height = image.size
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    return of(numbers(image) * (1 - strength * (x * x + y * y) / 2)[..., None])


def _glow(image: Image.Image, strength: float) -> Image.Image:
    # a lamp, and its light around it
    lamp = Image.new("RGB", image.size)
    ImageDraw.Draw(lamp).ellipse((100, 100, 130, 130), fill=(255, 250, 240))
    around = lamp.filter(ImageFilter.GaussianBlur(14))
    return of(numbers(image) * 0.6 + numbers(lamp) + strength * numbers(around))


def _bars(image: Image.Image, share: float) -> Image.Image:
    values = numbers(image)
    rows = int(share * len(values))
    values[:rows], values[len(values) - rows :] = 0, 0
    return of(values)


def _stripes(image: Image.Image, degrees: float) -> Image.Image:
    """A city of boxes, turned; the frame is cut from inside, so that no corner shows."""
    city = Image.new("L", (600, 600), 90)
    draw = ImageDraw.Draw(city)
    for at in range(0, 600, 40):
        draw.rectangle((at, 0, at + 14, 600), fill=180)
        draw.rectangle((0, at, 600, at + 9), fill=150)
    return city.rotate(degrees, Image.Resampling.BICUBIC).crop((150, 150, 450, 450)).convert("RGB")


def _disc_at(image: Image.Image, place: float) -> Image.Image:
    empty = Image.new("RGB", (300, 200), (200, 205, 210))
    centre = 150 + place * 110
    ImageDraw.Draw(empty).ellipse((centre - 30, 70, centre + 30, 130), fill=(180, 40, 30))
    return empty


def _mirrored(image: Image.Image, share: float) -> Image.Image:
    return Image.blend(image, image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), share / 2)


def _things(image: Image.Image, count: float) -> Image.Image:
    random = np.random.default_rng(5)
    picture = Image.new("RGB", (320, 320), (150, 160, 170))
    draw = ImageDraw.Draw(picture)
    for _ in range(int(count)):
        x, y, size = (int(v) for v in random.integers((0, 0, 15), (300, 300, 45)))
        draw.rectangle((x, y, x + size, y + size), fill=tuple(int(v) for v in random.integers(0, 255, 3)))
    return picture


def _painted(image: Image.Image, share: float) -> Image.Image:
    return Image.blend(image, Image.new("RGB", image.size, (220, 90, 30)), share)


def _contrast(image: Image.Image, factor: float) -> Image.Image:
    return of((numbers(image) - 128) * factor + 128)


def _toned(image: Image.Image, red: float, green: float, blue: float) -> Image.Image:
    return of(numbers(image) * np.array([red, green, blue], np.float32))


def _blur(image: Image.Image, radius: float) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(radius))


def _sharpen(image: Image.Image, strength: float) -> Image.Image:
    return image.filter(ImageFilter.UnsharpMask(2, int(strength * 100), 0))


# measure -> a change, its strengths, and whether the measure rises (+1) or falls (−1) with it
CHANGES: dict[str, tuple[Change, tuple[float, ...], int]] = {
    "sharpness": (_blur, (0, 0.6, 1, 2, 4), -1),
    "fine_sharpness": (_blur, (0, 0.6, 1, 2, 4), -1),
    "sharpness_mid": (_blur, (0, 1, 2, 4), -1),
    "sharpness_coarse": (_blur, (0, 2, 4, 8), -1),
    "acutance": (_blur, (0, 0.6, 1, 2, 4), -1),
    "edge_width": (_blur, (0, 0.6, 1, 2, 4), 1),
    "band_fine": (_blur, (0, 1, 2), -1),
    "band_finest": (_blur, (0, 0.6, 1), -1),
    "band_coarse": (_blur, (0, 2, 4), 1),
    "spectral_slope": (_blur, (0, 0.6, 1, 2), -1),
    "edge_density": (_blur, (0, 1, 2, 4), -1),
    "plain_share": (_blur, (0, 3, 8), 1),
    "halo": (_sharpen, (0, 1, 2, 4), 1),
    "blur_direction": (_streak, (1, 3, 7, 13), 1),
    "noise": (_noise, (0, 3, 6, 12, 24), 1),
    "noise_floor": (_noise, (0, 3, 6, 12, 24), 1),
    "noise_busy": (_noise, (0, 6, 12, 24), 1),
    "colour_noise": (_noise, (0, 3, 6, 12, 24), 1),
    "speckle": (_specks, (0, 0.003, 0.01, 0.03), 1),
    "blockiness": (_jpeg, (95, 40, 15, 6), 1),
    "pixelation": (_pixels, (1, 3, 8), 1),
    "tone_gaps": (_levels, (256, 64, 24, 8), 1),
    "colour_variety": (_levels, (256, 8, 4, 2), -1),
    "tonal_entropy": (_levels, (256, 16, 8, 4), -1),
    "brightness": (lambda image, s: of(numbers(image) * s), (0.4, 0.7, 1, 1.3), 1),
    "white_point": (lambda image, s: of(numbers(image) * s), (0.4, 0.7, 1), 1),
    "black_point": (lambda image, s: of(numbers(image) + s), (0, 20, 50), 1),
    "highlights_clipped": (lambda image, s: of(numbers(image) * s), (1, 1.4, 2), 1),
    "shadows_clipped": (lambda image, s: of(numbers(image) - s), (0, 50, 90), 1),
    "contrast": (_contrast, (0.3, 0.6, 1, 1.4), 1),
    "rms_contrast": (_contrast, (0.3, 0.6, 1, 1.4), 1),
    "local_contrast": (_contrast, (0.3, 0.6, 1, 1.4), 1),
    "tone_balance": (lambda image, s: of(255 * (numbers(image) / 255) ** s), (2.5, 1.5, 1, 0.6), 1),
    "haze": (lambda image, s: of(numbers(image) * (1 - s) + 225 * s), (0, 0.2, 0.4, 0.6), 1),
    "vignette": (_vignette, (0, 0.3, 0.6, 0.9), 1),
    "glow": (_glow, (0, 0.5, 1), 1),
    "saturation": (lambda image, s: ImageEnhance.Color(image).enhance(s), (0, 0.4, 0.8, 1.2, 1.8), 1),
    "saturation_peak": (lambda image, s: ImageEnhance.Color(image).enhance(s), (0, 0.4, 0.8, 1.2), 1),
    "colourfulness": (lambda image, s: ImageEnhance.Color(image).enhance(s), (0, 0.4, 0.8, 1.2, 1.8), 1),
    "greyness": (lambda image, s: ImageEnhance.Color(image).enhance(s), (0, 0.3, 0.8, 1.6), -1),
    "warmth": (lambda image, s: _toned(image, 1 + s, 1, 1 - s), (-0.25, -0.1, 0, 0.1, 0.25), 1),
    "highlight_warmth": (lambda image, s: _toned(image, 1 + s, 1, 1 - s), (-0.25, 0, 0.25), 1),
    "shadow_warmth": (lambda image, s: _toned(image, 1 + s, 1, 1 - s), (-0.25, 0, 0.25), 1),
    "tint": (lambda image, s: _toned(image, 1 + s / 2, 1 - s, 1 + s / 2), (-0.25, -0.1, 0, 0.1, 0.25), 1),
    "cast": (lambda image, s: _toned(image, 1 + s, 1, 1 - s), (0.2, 0.35, 0.5), 1),
    "hue_blue": (lambda image, s: _toned(image, 1 - s, 1 - s / 2, 1), (0, 0.3, 0.6), 1),
    "hue_green": (lambda image, s: _toned(image, 1 - s, 1, 1 - s), (0, 0.3, 0.6), 1),
    "hue_variety": (_painted, (0, 0.5, 0.8), -1),
    "letterbox": (_bars, (0, 0.06, 0.12, 0.2), 1),
    "tilt": (_stripes, (0, 4, 9, 15), 1),
    "subject_x": (_disc_at, (-0.8, -0.3, 0.3, 0.8), 1),
    "subject_offset": (_disc_at, (0, 0.3, 0.8), 1),
    "symmetry": (_mirrored, (0, 0.4, 0.8), 1),
    "clutter": (_things, (2, 10, 40), 1),
    "resolution": (lambda image, s: image.resize((int(s), int(s))), (16, 64, 256, 700), 1),
    "aspect": (lambda image, s: image.resize((int(200 * s), 200)), (0.5, 1, 2), 1),
}  # fmt: skip


def png_header(width: int, height: int) -> bytes:
    """A PNG that says how large it is and holds next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def archive() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as zipped:
        zipped.writestr("cat.png", encoded(scene(0, 32), "PNG"))
    return file.getvalue()


# what is in the file -> its bytes, and a part of what the message must say
BROKEN: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "empty (0 bytes)"),
    "one zero byte": (b"\0", "not an image"),
    "zeros": (bytes(5000), "not an image"),
    "plain text": (b"just some words, not a picture", "plain text"),
    "archive": (archive(), "ZIP archive"),
    "pdf": (b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer\n%%EOF", "PDF document"),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "SVG drawing"),
    "svg with a declaration": (b"<?xml version='1.0'?>\n<svg onload='alert(1)'/>", "SVG drawing"),
    "web page": (b"<!DOCTYPE html><html><script>alert(1)</script></html>", "web page"),
    "script": (b"#!/bin/sh\nrm -rf /\n", "script"),
    "program": (b"MZ\x90\0" + bytes(400), "Windows program"),
    "bmp, a format that is not taken": (encoded(scene(0, 16), "BMP"), "BMP image"),
    "mp4 header": (b"\0\0\0\x20ftypisom" + bytes(100), "video"),
    "heic header": (b"\0\0\0\x20ftypheic" + bytes(100), "HEIC photo"),
    "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n(ls) system\n", "not an image"),
    "jpeg cut in half": (encoded(scene(1, 96), "JPEG")[:1500], "cut short or damaged"),
    "png cut in half": (encoded(scene(1, 96), "PNG")[:9000], "cut short or damaged"),
    "webp cut in half": (encoded(scene(1, 96), "WEBP")[:900], "damaged"),
    "gif cut in half": (encoded(scene(1, 96).convert("P"), "GIF")[:2500], "cut short or damaged"),
    "tiff cut in half": (encoded(scene(1, 96), "TIFF")[:9000], "damaged"),
    "png signature only": (b"\x89PNG\r\n\x1a\n", "damaged PNG"),
    "jpeg signature only": (b"\xff\xd8\xff\xe0", "damaged JPEG"),
    "png with broken pixels": (
        encoded(scene(1, 96), "PNG")[:200] + bytes(5000) + encoded(scene(1, 96), "PNG")[5200:],
        "damaged",
    ),
    "hundred megapixels in a small file": (png_header(10_000, 10_000), "100 megapixels"),
    "four gigapixels in a small file": (png_header(65_000, 65_000), "megapixels"),
    "bomb of one long row": (png_header(2_000_000_000, 1), "megapixels"),
    "no width": (png_header(0, 10), "image"),
}
