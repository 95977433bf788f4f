"""Images: a perceptual hash of 64 bits, which scaling, JPEG and a change of brightness leave nearly as it is.

Near ones are found by multi-index hashing (Norouzi, Punjani and Fleet, Fast Search in Hamming Space with Multi-Index
Hashing, 2012): of eight bytes that differ in at most seven bits one is the same in both, and of those that differ in
eight, in all but one case of 250.
"""

from __future__ import annotations

from collections.abc import Iterable

from core.fingerprints._picture import BITS, different_bits, picture_bits
from core.modalities import MODALITIES, Opened
from core.nouns import Modality


class ImageFingerprint:
    version = 1
    threshold = 8 / BITS

    def of(self, opened: Opened) -> bytes | None:
        return picture_bits(MODALITIES[Modality.IMAGE].parts(opened)[0].value)

    def distance(self, first: bytes, second: bytes) -> float:
        """The share of bits that differ."""
        return different_bits(first, second) / BITS

    def keys(self, fingerprint: bytes) -> Iterable[tuple[int, int]]:
        return enumerate(fingerprint)


PLUG = ImageFingerprint()
