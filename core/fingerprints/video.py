"""Videos: the perceptual hashes of eight frames, evenly placed from the first to the last."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from core.fingerprints._picture import BITS, different_bits, picture_bits
from core.modalities import MODALITIES, Opened
from core.nouns import Modality

FRAMES, BYTES = 8, BITS // 8
LEAST = 3  # frames that are not flat, below which nothing is said
_FLAT = bytes(BYTES)  # stands for a flat frame: of the bits of another, half are set


class VideoFingerprint:
    version = 1
    threshold = 7 / BITS

    def of(self, opened: Opened) -> bytes | None:
        frames = MODALITIES[Modality.VIDEO].parts(opened)[0].value
        chosen = np.linspace(0, len(frames) - 1, FRAMES).round().astype(int)
        hashes = [picture_bits(frames[place]) for place in chosen]
        told = sum(one is not None for one in hashes)
        return b"".join(one or _FLAT for one in hashes) if told >= LEAST else None

    def distance(self, first: bytes, second: bytes) -> float:
        """The mean share of different bits over the frames that are flat in neither; 1.0 of too few such frames."""
        pairs = [pair for pair in zip(_frames(first), _frames(second), strict=True) if _FLAT not in pair]
        if len(pairs) < LEAST:
            return 1.0
        return sum(different_bits(*pair) for pair in pairs) / (BITS * len(pairs))

    def keys(self, fingerprint: bytes) -> Iterable[tuple[int, int, bytes]]:
        """A quarter of each frame's bits: of 32 quarters that differ in one bit of nine, one is the same in both but
        for one case in 250."""
        for number, frame in enumerate(_frames(fingerprint)):
            if frame != _FLAT:
                yield from ((number, start, frame[start : start + 2]) for start in range(0, BYTES, 2))


def _frames(fingerprint: bytes) -> list[bytes]:
    return [fingerprint[start : start + BYTES] for start in range(0, len(fingerprint), BYTES)]


PLUG = VideoFingerprint()
