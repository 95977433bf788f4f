"""Make assets/fingerprints.json anew: python -m core.fingerprints, after a file of the embedded bench or a way of
fingerprinting has changed."""

from __future__ import annotations

from core.benching import RunSettings, read_bench
from core.contamination import PairMarks
from core.fingerprints import Marking
from core.fingerprints._shipped import write
from core.modalities import Limits


class _Kept(dict[str, bytes]):
    def put(self, key: str, fingerprint: bytes) -> None:
        self[key] = fingerprint


def made_now() -> dict[str, bytes]:
    """The fingerprints of all files of the embedded bench, by key."""
    kept = _Kept()
    marking = Marking(Limits(), kept)
    for item in read_bench(RunSettings(bench="embedded", judge=""), None, Limits()).items:
        PairMarks.of(item.pair, marking)
    return dict(kept)


if __name__ == "__main__":
    write(made_now())
