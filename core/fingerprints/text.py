"""Texts: MinHash of their word pairs, blind to case, punctuation, marks of layout and small edits.

As Broder (On the Resemblance and Containment of Documents, 1997): the share of equal minima over many random orders
estimates the resemblance of two texts, the share of neighbouring words that both have among those that either has.
Texts of fewer than eight words, which have too few pairs for that, are the same only word for word.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from functools import cache

import numpy as np

from core.modalities import MODALITIES, Opened
from core.nouns import Modality

TELLING = 8  # words from which a text is unlikely to be said twice by chance
PAIR, ORDERS, BAND = 2, 128, 4
_BLOCK = 4096  # pairs at once
_SHORT = 8  # bytes of a short text's fingerprint
# writing without spaces is taken sign by sign
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|[^\W_]+")


class TextFingerprint:
    version = 1
    threshold = 0.35

    def of(self, opened: Opened) -> bytes | None:
        words = words_of(MODALITIES[Modality.TEXT].parts(opened)[0].value)
        if not words:
            return None
        if len(words) < TELLING:
            return _digest(words)
        pairs = {_digest(words[start : start + PAIR]) for start in range(len(words) - PAIR + 1)}
        return _minima(np.frombuffer(b"".join(sorted(pairs)), np.uint64)).tobytes()

    def distance(self, first: bytes, second: bytes) -> float:
        """One minus the estimated resemblance; of a short text 0.0 or 1.0."""
        if len(first) != len(second) or len(first) == _SHORT:
            return float(first != second)
        return float(np.mean(np.frombuffer(first, np.uint32) != np.frombuffer(second, np.uint32)))

    def keys(self, fingerprint: bytes) -> Iterable[tuple[int, bytes]]:
        """Bands of four minima: of 32 bands, two texts at the threshold have one in common but for 1 case in 500
        (Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, section 3.4)."""
        step = 4 * BAND
        return ((start, fingerprint[start : start + step]) for start in range(0, len(fingerprint), step))


def words_of(text: str) -> list[str]:
    """The words of a text, whatever their case, and nothing between them."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def is_telling(fingerprint: bytes | None) -> bool:
    """Whether a fingerprint is that of a text of at least eight words."""
    return fingerprint is not None and len(fingerprint) > _SHORT


def _digest(words: list[str]) -> bytes:
    return hashlib.blake2b(" ".join(words).encode("utf-8", "surrogatepass"), digest_size=_SHORT).digest()


def _minima(pairs: np.ndarray) -> np.ndarray:
    """The least of the pairs' hashes in each of ORDERS orders, (ORDERS,) uint32, by multiply-shift hashing."""
    factors, offsets = _orders()
    least = np.full(ORDERS, np.iinfo(np.uint32).max, np.uint32)
    for start in range(0, len(pairs), _BLOCK):
        block = pairs[start : start + _BLOCK]
        hashed = (np.multiply.outer(factors, block) + offsets[:, None]) >> np.uint64(32)
        least = np.minimum(least, hashed.min(axis=1).astype(np.uint32))
    return least


@cache
def _orders() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1997)
    factors, offsets = rng.integers(0, 1 << 63, (2, ORDERS), np.uint64)
    return factors * np.uint64(2) + np.uint64(1), offsets


PLUG = TextFingerprint()
