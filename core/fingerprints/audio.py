"""Sounds: signs of energy differences between neighbouring bands and moments.

As Haitsma and Kalker (A Highly Robust Audio Fingerprinting System, ISMIR 2002, section 4.2): 33 bands from 300 to
2,000 Hz, spaced evenly on a log scale; of each moment 32 bits, each of which says whether the energy step from one band
to the next has grown since the moment before. Gain cancels out, and what resampling and MP3 take away lies mostly
elsewhere. A moment too quiet to say anything is 0 and compared with none.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import numpy as np

from core.modalities import MODALITIES, Opened
from core.nouns import Modality

SECONDS = 30.0  # from the beginning; the rest is not looked at
WINDOW, HOP = 4096, 512  # samples at 16 kHz: 0.26 s, and 32 ms
RATE = 16_000
BANDS, LOWEST, HIGHEST = 33, 300.0, 2000.0
QUIET = 1e-5  # of the loudest moment's energy, −50 dB
LEAST = 24  # moments that are not quiet, about 0.8 s
_SILENCE = bytes(4)
SHIFTS = range(-4, 5)  # in hops; encoders put up to 0.1 s of silence in front


class AudioFingerprint:
    version = 1
    threshold = 0.3

    def of(self, opened: Opened) -> bytes | None:
        sound = MODALITIES[Modality.AUDIO].parts(opened)[0].value[: int(SECONDS * RATE)]
        energies = band_energies(np.asarray(sound, np.float64))
        if len(energies) <= LEAST:
            return None
        loudness = energies.sum(1)[1:]
        steps = np.diff(energies[:, :-1] - energies[:, 1:], axis=0)
        words = np.packbits(steps > 0, axis=1).view(">u4").ravel().astype(np.uint32)
        heard = loudness > max(QUIET * float(loudness.max()), 1e-9)
        words = np.where(heard, np.maximum(words, 1), 0)
        return words.astype(">u4").tobytes() if int(heard.sum()) >= LEAST else None

    def distance(self, first: bytes, second: bytes) -> float:
        """The share of different bits where both are heard, at the best of a few shifts; 1.0 where that is less than
        half of what is heard of either."""
        one, other = _words(first), _words(second)
        least = max(LEAST, *(int(np.count_nonzero(words)) // 2 for words in (one, other)))
        return min(_different(one, other, shift, least) for shift in SHIFTS)

    def keys(self, fingerprint: bytes) -> Iterable[tuple[int, bytes]]:
        """Three bytes of each moment: among dozens of moments that are alike, one most often differs in a byte at most
        (section 6, where it is a bit)."""
        for word in {fingerprint[start : start + 4] for start in range(0, len(fingerprint), 4)} - {_SILENCE}:
            yield from ((left_out, word[:left_out] + word[left_out + 1 :]) for left_out in range(4))


def band_energies(sound: np.ndarray) -> np.ndarray:
    """Energies (moments, BANDS) of a mono sound at 16 kHz."""
    if len(sound) < WINDOW:
        return np.zeros((0, BANDS))
    windows = np.lib.stride_tricks.sliding_window_view(sound, WINDOW)[::HOP]
    window, edges = np.hanning(WINDOW), _edges()
    found = [np.add.reduceat(np.square(np.abs(np.fft.rfft(row * window))), edges)[:-1] for row in windows]
    return np.array(found)


@cache
def _edges() -> np.ndarray:
    """First places of the bands in a spectrum, and where the last one ends."""
    return np.round(np.geomspace(LOWEST, HIGHEST, BANDS + 1) * WINDOW / RATE).astype(int)


def _words(fingerprint: bytes) -> np.ndarray:
    return np.frombuffer(fingerprint, ">u4").astype(np.uint32)


def _different(one: np.ndarray, other: np.ndarray, shift: int, least: int) -> float:
    a, b = (one[shift:], other) if shift >= 0 else (one, other[-shift:])
    common = min(len(a), len(b))
    a, b = a[:common], b[:common]
    both = (a != 0) & (b != 0)
    count = int(both.sum())
    return float(np.bitwise_count(a[both] ^ b[both]).sum()) / (32 * count) if count >= least else 1.0


PLUG = AudioFingerprint()
