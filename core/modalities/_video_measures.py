"""The measures of a video: movement in time, pictures in passing, and its sound."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from core.modalities import _image_layout, _image_light, _image_sharpness, _image_traces
from core.modalities._audio_measures import MEASURES as SOUND_MEASURES
from core.modalities._audio_measures import measure_sound
from core.modalities._image_file import Picture
from core.modalities._image_planes import Planes, lab, luma
from core.modalities._video_file import Film, Tiles
from core.modalities._video_motion import motion_values
from core.nouns import Measure

_PICTURES = 8
_VIEW_SIDE = 320
_SAMPLED = f"mean of up to {_PICTURES} frames at {_VIEW_SIDE} px"
_THUMBS = "144 px thumbnails of every frame"

_TIME = tuple(
    Measure(name=name, label=label, unit=unit, more=more, less=less, source=source, digits=digits)
    for name, label, unit, more, less, source, digits in (
        ("duration", "length", "log₂ s", "longer", "shorter",
         "time stamps", 2),
        ("frame_rate", "frame rate", "1/s", "higher in frame rate", "lower in frame rate",
         "frames over length", 1),
        ("uneven_timing", "uneven frame times", "%", "less evenly timed", "more evenly timed",
         "spread of frame intervals over their median", 1),
        ("resolution", "resolution", "log₂ px", "higher in resolution", "lower in resolution",
         "pixels of a frame", 2),
        ("aspect", "aspect ratio", "log₂", "wider in format", "taller in format",
         "width over height", 2),
        ("motion", "motion", "log₂ level", "more lively", "stiller",
         f"median change once the camera's is undone; {_THUMBS}", 2),
        ("change", "change", "log₂ level", "more changing", "more constant",
         f"change of 8 px block means; {_THUMBS}", 2),
        ("variety", "variety of pictures", "log₂ level", "more varied", "more uniform over time",
         "difference of frames far apart", 2),
        ("camera_speed", "camera speed", "log₂ %/s", "faster in camera movement", "calmer in camera movement",
         "phase correlation (Kuglin and Hines 1975)", 2),
        ("pan", "pan", "log₂ %/s", "more of a pan", "less of a pan",
         "net path of the camera", 2),
        ("zoom", "zoom", "log₂ %/s", "more zooming in", "more zooming out",
         "phase correlation of quarters every 0.4 s", 2),
        ("shake", "shake", "log₂ %", "shakier", "steadier",
         "camera path against its half-second mean", 2),
        ("jerk", "jerk", "log₂ ratio", "jerkier", "smoother in movement",
         "change of camera velocity over its speed", 2),
        ("judder", "judder", "log₂ ratio", "more uneven in movement", "more even in movement",
         "second difference of change over change", 2),
        ("stutter", "stutter", "%", "more stuttering", "less stuttering",
         "repeated frames amid movement", 1),
        ("frozen_share", "frozen frames", "%", "more frozen", "less frozen",
         f"steps without visible change; {_THUMBS}", 1),
        ("flicker", "flicker", "log₂ level", "more flickering", "steadier in brightness",
         "second difference of brightness", 2),
        ("local_flicker", "local flicker", "log₂ level", "more shimmering", "steadier in its still parts",
         "second difference of 8 px blocks, 30th percentile", 2),
        ("brightness_drift", "change of brightness", "log₂ level",
         "more changing in brightness", "more constant in brightness",
         "standard deviation of mean luma over time", 2),
        ("temporal_noise", "temporal noise", "log₂ level", "noisier over time", "cleaner over time",
         "change within still blocks of thumbnails", 2),
        ("grain", "grain", "log₂ level", "grainier", "freer of grain",
         "difference of stored luma in still blocks", 2),
        ("ghosting", "ghosting", "share", "more ghosted by mixed frames", "freer of mixed frames",
         "moving pixels halfway between both neighbours", 2),
        ("cuts", "cuts", "log₂ a minute", "more often cut", "less often cut",
         "leaps of block means without a match", 2),
        ("fade_in", "fade in", "stops", "more faded in", "less faded in",
         "first quarter second against the median", 2),
        ("fade_out", "fade out", "stops", "more faded out", "less faded out",
         "last quarter second against the median", 2),
        ("loop_gap", "gap of the loop", "log₂ ratio", "less of a seamless loop", "more of a seamless loop",
         "first against last frame, over frames apart", 2),
        ("colour_drift", "colour drift", "ΔE", "more drifting in colour", "steadier in colour",
         "mean CIELAB colour over frames", 2),
        ("sharpness_spread", "change of sharpness", "log₂ level",
         "more changing in sharpness", "more constant in sharpness",
         "deviation over sampled frames", 2),
        ("sharpness_trend", "trend of sharpness", "log₂ level", "sharpening over time", "softening over time",
         "second half over first half", 2),
        ("contrast_spread", "change of contrast", "%", "more changing in contrast", "more constant in contrast",
         "deviation over sampled frames", 2),
        ("saturation_spread", "change of saturation", "C*",
         "more changing in saturation", "more constant in saturation",
         "deviation over sampled frames", 2),
        ("detail_spread", "change of detail", "share", "more changing in detail", "more constant in detail",
         "deviation over sampled frames", 3),
    )
)  # fmt: skip

_SPREADS = {
    "sharpness": "sharpness_spread",
    "contrast": "contrast_spread",
    "saturation": "saturation_spread",
    "edge_density": "detail_spread",
}

_FROM_IMAGES = (
    "brightness", "shadows_clipped", "highlights_clipped", "black_point", "white_point", "contrast", "local_contrast",
    "tonal_entropy", "haze", "vignette", "glow", "saturation", "colourfulness", "greyness", "warmth", "tint", "cast",
    "hue_variety", "colour_variety", "sharpness", "sharpness_coarse", "acutance", "fine_sharpness", "focus_share",
    "edge_width", "halo", "band_coarse", "band_mid", "band_fine", "band_finest", "blur_direction", "noise",
    "colour_noise", "blockiness", "pixelation", "banding", "edge_density", "clutter", "plain_share", "letterbox",
    "subject_offset", "subject_spread",
)  # fmt: skip

_IMAGE = {
    m.name: m
    for m in (*_image_sharpness.MEASURES, *_image_traces.MEASURES, *_image_light.MEASURES, *_image_layout.MEASURES)
}
_SOUND = {m.name: m for m in SOUND_MEASURES}

_FROM_SOUND = (
    "loudness", "loudness_range", "crest_factor", "clipping", "noise_floor", "snr", "hiss", "hum", "silence_share",
    "dropouts", "reverberation", "echo", "bandwidth", "brightness", "bass", "flatness", "pitch", "harmonicity",
    "tempo", "beat_strength", "onset_density", "pace", "speech_likeness", "stereo_width", "growth",
)  # fmt: skip

MEASURES: tuple[Measure, ...] = (
    *_TIME,
    *(_IMAGE[name].model_copy(update={"source": f"{_IMAGE[name].source}; {_SAMPLED}"}) for name in _FROM_IMAGES),
    Measure(
        name="sound",
        label="sound",
        unit="",
        more="the one with sound",
        less="the one without sound",
        source="1 where there is a soundtrack that is not silent, else 0",
        digits=0,
    ),
    Measure(
        name="sound_mismatch",
        label="sound and picture differ in length by",
        unit="log₂ s",
        more="worse matched in length with its sound",
        less="better matched in length with its sound",
        source="log₂ of 0.05 s + |sound − pictures|",
    ),
    *(
        _SOUND[name].model_copy(
            update={
                "name": f"sound_{name}",
                "label": f"sound: {_SOUND[name].label}",
                "more": f"{_SOUND[name].more} (sound)",
                "less": f"{_SOUND[name].less} (sound)",
            }
        )
        for name in _FROM_SOUND
    ),
)


def measure_film(film: Film) -> dict[str, float]:
    """All measures of a decoded video; names that cannot be had are absent."""
    values = {
        "duration": math.log2(max(film.seconds, 1e-3)),
        "resolution": math.log2(film.width * film.height),
        "aspect": math.log2(film.width / film.height),
    }
    if film.frames > 1:
        values["frame_rate"] = min(film.rate, 240.0)
        pace = np.diff(film.motion.times)
        values["uneven_timing"] = min(200.0, 100 * float(np.std(pace) / max(float(np.median(pace)), 1e-4)))
    values |= motion_values(film.motion)
    values |= _pictures(film)
    values |= _native(film.tiles)
    heard: dict[str, float] = {}
    if film.sound is not None:
        heard = measure_sound(film.sound.channels, film.sound.rate)
        values["sound_mismatch"] = math.log2(0.05 + abs(film.sound.seconds - film.seconds))
    values["sound"] = 1.0 if len(heard) > 1 else 0.0
    if values["sound"]:
        values |= {f"sound_{name}": heard[name] for name in _FROM_SOUND if name in heard}
    return {name: float(value) for name, value in values.items() if math.isfinite(value)}


def _pictures(film: Film) -> dict[str, float]:
    """Mean of the image measures over up to eight frames, their spread, and how the colours drift."""
    chosen = {tiles.index: tiles for tiles in film.tiles}
    samples = [sample for sample in film.samples if sample.index in chosen] or film.samples[:1]
    if len(samples) > _PICTURES:
        samples = [samples[i] for i in np.linspace(0, len(samples) - 1, _PICTURES).round().astype(int)]
    rows = []
    for sample in samples:
        image = Image.fromarray(sample.picture)
        scale = _VIEW_SIDE / max(image.size)
        if scale < 1:
            image = image.resize([max(1, round(side * scale)) for side in image.size], Image.Resampling.BOX)
        rgb = np.asarray(image)
        small = image.reduce(2) if min(image.size) >= 8 else image
        tiles = chosen[sample.index].pixels if sample.index in chosen else [sample.picture[:192, :192]]
        planes = Planes(view=luma(rgb), rgb=rgb, lab=lab(np.asarray(small)), tiles=tiles)
        rows.append(
            _image_sharpness.measure(planes)
            | _image_traces.measure(planes)
            | _image_light.measure(planes)
            | _image_layout.measure(Picture(image, 1, None, False), planes)
        )
    values: dict[str, float] = {}
    for name in _FROM_IMAGES:
        found = [row[name] for row in rows if name in row and math.isfinite(row[name])]
        if found:
            values[name] = float(np.mean(found))
            if name in _SPREADS and len(found) >= 3:
                values[_SPREADS[name]] = float(np.std(found))
            if name == "sharpness" and len(found) >= 4:
                half = len(found) // 2
                values["sharpness_trend"] = float(np.mean(found[-half:]) - np.mean(found[:half]))
    if len(film.samples) >= 3:
        colours = np.array([lab(s.picture[::16, ::16]).reshape(-1, 3).mean(0) for s in film.samples])
        values["colour_drift"] = float(np.mean(np.linalg.norm((colours - colours.mean(0))[:, 1:], axis=1)))
    return values


def _native(tiles: list[Tiles]) -> dict[str, float]:
    """Grain and ghosting from four successive frames at full size."""
    values: dict[str, float] = {}
    grains, halfway = [], []
    for tile in tiles:
        if tile.luma is None or min(tile.luma.shape[1:]) < 32:
            continue
        frames = tile.luma.astype(np.int16)
        rows, columns = frames.shape[1] // 16, frames.shape[2] // 16
        step = (frames[3] - frames[2])[: rows * 16, : columns * 16].reshape(rows, 16, columns, 16)
        # grain is what changes even where nothing moves
        grains.append(float(np.percentile(np.abs(step).mean((1, 3)), 15)))
        # where every second frame is mixed, only one of two neighbours shows it
        shares = [_halfway(*frames[first : first + 3]) for first in (0, 1)]
        if max(shares) >= 0:
            halfway.append(max(shares))
    if grains:
        values["grain"] = float(np.log2(0.05 + np.median(grains)))
    if halfway:
        values["ghosting"] = float(np.mean(halfway))
    return values


def _halfway(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> float:
    """Share of the moving pixels whose middle value lies midway between both neighbours; −1 where nothing moves."""
    span = c - a
    moving = np.abs(span) > 14
    if np.count_nonzero(moving) < 100:
        return -1.0
    place = (b - a)[moving] / span[moving]
    return float(np.mean((place > 0.3) & (place < 0.7)))
