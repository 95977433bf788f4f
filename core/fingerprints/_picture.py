"""The perceptual hash of one picture, by itself an image's fingerprint and part of a video's.

As pHash (Zauner, Implementation and Benchmarking of Perceptual Image Hash Functions, 2010, section 3.2.1): the grey
picture at 32 × 32, its discrete cosine transform, and a bit for each low frequency that says whether it is above their
median. Here the frequencies are the 64 lowest in zigzag order without the mean, so that brightness does not count.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from PIL import Image

SIDE, BITS = 32, 64
FLAT = 2.0  # grey levels of 255; below this spread of the low frequencies the bits would be noise


def picture_bits(picture: Image.Image) -> bytes | None:
    """The hash as 8 bytes; None of a picture that is all of one tone."""
    small = picture.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    cosines, (rows, columns) = _cosines(), _zigzag()
    low = (cosines @ np.asarray(small, np.float64) @ cosines.T)[rows, columns]
    if np.sqrt(np.square(low).sum()) / SIDE < FLAT:
        return None
    return np.packbits(low > np.median(low)).tobytes()


def different_bits(first: bytes, second: bytes) -> int:
    return (int.from_bytes(first) ^ int.from_bytes(second)).bit_count()


@cache
def _cosines() -> np.ndarray:
    """The orthonormal DCT-II of SIDE values as a matrix."""
    places = np.arange(SIDE)
    matrix = np.cos(np.pi * np.outer(places, 2 * places + 1) / (2 * SIDE)) * np.sqrt(2 / SIDE)
    matrix[0] /= np.sqrt(2)
    return matrix


@cache
def _zigzag() -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the BITS lowest frequencies, the mean left out."""
    every = sorted(((r, c) for r in range(SIDE) for c in range(SIDE)), key=lambda place: (sum(place), place))
    rows, columns = np.array(every[1 : BITS + 1]).T
    return rows, columns
