"""The shelf of fingerprints: one file a modality, its PLUG a `FingerprintPlug`.

A fingerprint is a small value that stays nearly the same while somebody saves, scales or re-types a content, and
differs between contents that are different. It is made of what the modality opened, never of a file of its own reading.

What each links that it should not, and what it misses of what was saved anew, counted by
`python -m benchmarks.fingerprints DATA` over collections of photos, environmental sounds, short clips, scans and
answers of models:

    modality  contents  different pairs linked  saved anew and missed
    text         4,000  135 of 7,994,001        0 of 240 re-cased or stripped, 1 of 120 with a word in 20 changed
    image          188  0 of 17,391             0 of 476 as JPEG 60, WebP 50, larger or a tenth brighter; 5 of 119 a
                                                quarter brighter
    video           43  0 of 903                0 of 86 as H.264, half of them at half size
    audio          498  8 of 93,096             0 of 404 as MP3, Ogg, at 16 kHz or half as loud
    mesh            38  0 of 703                0 of 114 turned, scaled and shuffled, as PLY, STL or GLB

The eight pairs of sounds are one recording each, before and after a codec; those of the texts that were looked at are
versions of one answer. Of the sounds 66, of which less than 0.8 s is to be heard, have no fingerprint; nor has one of
the photos. The index lost none of what was near enough.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Protocol

from core.errors import StudioError
from core.evidence import open_content
from core.modalities import Limits, Opened
from core.nouns import Content, Modality, Noun
from core.plugs import Shelf


class FingerprintPlug(Protocol):
    version: int  # raised whenever a fingerprint may change
    threshold: float  # two contents are taken for the same up to this distance

    def of(self, opened: Opened) -> bytes | None:
        """The fingerprint of a decoded content; None where it would say nothing, as of a flat picture or silence."""

    def distance(self, first: bytes, second: bytes) -> float:
        """How far two fingerprints differ, from 0.0 to 1.0; symmetric, and 0.0 between equal ones."""

    def keys(self, fingerprint: bytes) -> Iterable[Hashable]:
        """What to look near ones up by: two within the threshold have a key in common, for certain or nearly so."""


FINGERPRINTS: Shelf[FingerprintPlug] = Shelf("core.fingerprints", "fingerprint")


class Mark(Noun):
    """What one content is recognised by: its bytes, and its fingerprint where that says something."""

    modality: Modality
    sha256: str
    fingerprint: bytes | None = None

    def same(self, other: Mark) -> bool:
        """Whether both are one content as far as a fingerprint can tell."""
        if self.modality is not other.modality:
            return False
        if self.sha256 == other.sha256:
            return True
        if self.fingerprint is None or other.fingerprint is None:
            return False
        plug = FINGERPRINTS[self.modality]
        return plug.distance(self.fingerprint, other.fingerprint) <= plug.threshold

    @property
    def keys(self) -> set[Hashable]:
        """What contents that may be the same have at least one of in common."""
        own: set[Hashable] = {self.sha256}
        if self.fingerprint is not None:
            own |= {(self.modality, key) for key in FINGERPRINTS[self.modality].keys(self.fingerprint)}
        return own


class FingerprintCache(Protocol):
    """Where fingerprints outlive a program. The key holds the version, so that old ones are never read; an empty value
    is that of a content of which a fingerprint would say nothing."""

    def get(self, key: str) -> bytes | None: ...

    def put(self, key: str, fingerprint: bytes) -> None: ...


class Marking:
    """Marks of contents, each file decoded at most once and not at all where the cache knows it.

    What can no longer be read is recognised by its bytes alone.
    """

    def __init__(self, limits: Limits | None = None, cache: FingerprintCache | None = None) -> None:
        self.limits, self.cache = limits or Limits(), cache

    def __call__(self, content: Content) -> Mark:
        return self._mark(content, None, self.cache)

    def known(self, content: Content) -> Mark:
        """The mark as far as it is known without opening a file."""
        if content.modality is Modality.TEXT:
            return self(content)
        found = self.cache.get(key_of(content)) if self.cache is not None else None
        return _mark(content, found)

    def remember(self, content: Content, opened: Opened) -> None:
        """Fingerprint what is decoded already, so that nobody opens it again for that."""
        self._mark(content, opened, self.cache)

    def _mark(self, content: Content, opened: Opened | None, cache: FingerprintCache | None) -> Mark:
        # a text is read faster than it is looked up
        if content.modality is Modality.TEXT:
            cache = None
        found = cache.get(key_of(content)) if cache is not None else None
        if found is None:
            try:
                opened = opened or open_content(content, self.limits)
            except (StudioError, OSError):
                return _mark(content, None)
            found = FINGERPRINTS[content.modality].of(opened) or b""
            if cache is not None:
                cache.put(key_of(content), found)
        return _mark(content, found)


def key_of(content: Content) -> str:
    return f"{content.modality}/{FINGERPRINTS[content.modality].version}/{content.sha256}"


def _mark(content: Content, fingerprint: bytes | None) -> Mark:
    return Mark(modality=content.modality, sha256=content.sha256, fingerprint=fingerprint or None)
