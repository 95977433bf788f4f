"""Movement of a sound: modulation, beat, onsets, echo, and whether it moves like speech."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from core.modalities._audio_frames import Frames, Samples, decibels
from core.modalities._audio_tone import _decimate, voiced


def onset_strength(frames: Frames) -> NDArray[np.float64]:
    """Half-wave rectified rise of the band levels in dB, mean over bands, by frame (spectral flux)."""
    level = decibels(frames.bands, -110)
    # what lies 50 dB under the loudest is not heard as an onset
    level = np.maximum(level, level.max() - 50.0)
    rise = np.maximum(level[2:] - level[:-2], 0.0).mean(1)
    return np.concatenate([[0.0], rise, [0.0]])


def rhythm_values(frames: Frames) -> dict[str, float]:
    """Onsets a second, tempo and strength of the beat (autocorrelation of onset strength, Scheirer 1998)."""
    values: dict[str, float] = {}
    if frames.level.size < 50:
        return values
    onset = onset_strength(frames)
    peak = (onset[1:-1] > onset[:-2]) & (onset[1:-1] >= onset[2:]) & (onset[1:-1] > max(1.5, 2 * float(onset.mean())))
    values["onset_density"] = float(np.count_nonzero(peak) / frames.seconds)
    if frames.seconds >= 3.0:
        flat = onset - onset.mean()
        size = 1 << (2 * flat.size - 1).bit_length()
        r = np.fft.irfft(np.abs(np.fft.rfft(flat, size)) ** 2, size)[: flat.size]
        lags = np.arange(round(0.26 / frames.step), min(round(1.5 / frames.step), flat.size // 2))  # 231 to 40 a minute
        if r[0] > 1e-9 and lags.size > 20:
            unbiased = r[lags] / r[0] * flat.size / (flat.size - lags)
            # people tap near 120 beats a minute (log-normal prior, an octave wide)
            prior = np.exp(-0.5 * (np.log2(60.0 / (lags * frames.step) / 120.0) / 1.0) ** 2)
            best = int(np.argmax(np.maximum(unbiased, 0.0) * prior))
            values["beat_strength"] = float(np.clip(unbiased[best], 0.0, 1.0))
            values["tempo"] = float(60.0 / (lags[best] * frames.step))
    return values


def modulation_values(frames: Frames) -> dict[str, float]:
    """What moves the envelope: syllables (2–8 Hz), tremolo (one line of 3–12 Hz), roughness (25–90 Hz)."""
    values: dict[str, float] = {}
    size = 128
    envelope = np.sqrt(np.maximum(frames.level, 0.0))
    if envelope.size >= size and envelope.max() > 0:
        starts = range(0, envelope.size - size + 1, size // 2)
        cut = np.stack([envelope[s : s + size] for s in starts])
        mean = cut.mean(1, keepdims=True)
        kept = mean[:, 0] > 0.05 * envelope.max()
        if np.any(kept):
            spectrum = np.abs(np.fft.rfft((cut / np.maximum(mean, 1e-9) - 1)[kept] * np.hanning(size))) ** 2
            power = spectrum.mean(0) / (0.375 * size * size / 2)
            hz = np.arange(power.size) / (size * frames.step)
            syllables, slow = (hz >= 2) & (hz < 8), (hz >= 0.5) & (hz < 20)
            values["syllable_modulation"] = float(decibels(power[syllables].sum(), -50))
            values["pace"] = float((power[slow] * hz[slow]).sum() / max(float(power[slow].sum()), 1e-12))
            lines = power[(hz >= 3) & (hz <= 12)]
            values["tremolo"] = float(10 * np.log10((lines.max() + 1e-6) / (np.median(lines) + 1e-6)))
    fine = np.sqrt(np.maximum(frames.fine, 0.0))
    if fine.size >= 100 and fine.max() > 0:
        cut = fine[: fine.size // 50 * 50].reshape(-1, 50)
        mean = cut.mean(1, keepdims=True)
        kept = mean[:, 0] > 0.1 * fine.max()
        if np.any(kept):
            power = (np.abs(np.fft.rfft((cut / np.maximum(mean, 1e-9) - 1)[kept] * np.hanning(50))) ** 2).mean(0)
            values["roughness"] = float(decibels(power[6:24].sum() / (0.375 * 50 * 50 / 2), -50))
    return values


def echo_values(mono: Samples, rate: int) -> dict[str, float]:
    """Peaks of the whitened autocorrelation: a slap of 15–70 ms and a discrete echo of 80–500 ms.

    Two-second windows at 4 kHz; dividing the power spectrum by its own running mean removes pitch and colour and
    leaves repeats (the idea of the cepstrum, Bogert et al. 1963). Each as the height over the highest of as many
    lags of noise would reach, in [0, 1].
    """
    factor = max(1, round(rate / 4000))
    low = _decimate(mono, factor) if factor > 1 else mono
    pace = rate / factor
    size = int(min(2.0, mono.size / rate) * pace)
    size = size // 100 * 100
    if size < 0.4 * pace:
        return {}
    from scipy import fft

    starts = np.unique(np.linspace(0, low.size - size, min(15, max(1, 3 * low.size // (2 * size)))).astype(int))
    window = np.hanning(size).astype(np.float32)
    total = np.zeros(size + 1, np.float64)
    half = 24
    for start in starts:
        spectrum = fft.rfft(low[start : start + size] * window, 2 * size)
        power = spectrum.real**2 + spectrum.imag**2
        # a running mean over 49 bins; the ends repeat
        summed = np.cumsum(np.pad(power, (half + 1, half), "edge"), dtype=np.float64)
        around = (summed[2 * half + 1 :] - summed[: -2 * half - 1]) / (2 * half + 1)
        total += power / (around + 1e-9 * around.max() + 1e-20)
    r = np.abs(fft.irfft(total - total.mean(), 2 * size))
    values = {}
    for name, begin, end in (("slapback", 0.015, 0.07), ("echo", 0.08, 0.5)):
        lags = slice(int(begin * pace), int(min(end, 0.45 * size / pace) * pace))
        part = r[lags]
        if part.size < 100:
            continue
        noise = float(np.median(part)) * 1.4826 + 1e-12
        # extreme of as many lags of noise grows with the root of the logarithm of their number
        expected = noise * math.sqrt(2 * math.log(part.size))
        values[name] = float(np.clip(math.log2(max(float(part.max()) / expected, 1.0)), 0.0, 6.0))
    return values


def speech_likeness(frames: Frames, values: dict[str, float]) -> float | None:
    """From 0 (like music or steady sound) to 1 (like speech): a heuristic, not a classifier.

    Speech moves its envelope at about 4 Hz, has many low-energy frames, glides in pitch while voiced, and alternates
    voiced and unvoiced sound (Scheirer and Slaney 1997); music holds its pitches and keeps a beat.
    """
    if "syllable_modulation" not in values or "voiced_share" not in values:
        return None
    power = frames.level[frames.level > 1e-12]
    if power.size < 100:
        return None
    rms = np.sqrt(power)
    low_energy = float(np.mean(rms < 0.5 * rms.mean()))
    voice = voiced(frames)
    pair = voice[1:] & voice[:-1]
    glide, hold = 0.0, 0.0
    if np.count_nonzero(pair) >= 10:
        step = np.abs(12 * np.log2(frames.pitch[1:][pair] / frames.pitch[:-1][pair]))
        glide, hold = float(np.mean((step > 0.15) & (step < 2.0))), float(np.mean(step < 0.08))
    spoken_range = 1.0 if np.any(voice) and 70 <= float(np.median(frames.pitch[voice])) <= 350 else 0.0
    z = (
        0.25 * (values["syllable_modulation"] + 9.0)
        + 3.0 * (low_energy - 0.45)
        + 2.5 * (glide - 0.35)
        - 2.0 * (hold - 0.3)
        + 1.0 * (spoken_range - 0.5)
        - 2.0 * (values.get("beat_strength", 0.2) - 0.25)
        - 0.04 * abs(values["voiced_share"] - 60.0)
        + 0.6
    )
    return 1.0 / (1.0 + math.exp(-z))
