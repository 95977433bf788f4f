"""The fingerprints of the files that come with the program, made beforehand: nobody waits for them at a first start."""

from __future__ import annotations

import base64
import json
from functools import cache
from pathlib import Path

from core.fingerprints import FingerprintCache

SHIPPED = Path(__file__).resolve().parents[2] / "assets" / "fingerprints.json"


class WithShipped:
    """A `FingerprintCache` that knows the shipped fingerprints besides those of another."""

    def __init__(self, cache: FingerprintCache) -> None:
        self.cache = cache

    def get(self, key: str) -> bytes | None:
        found = shipped().get(key)
        return self.cache.get(key) if found is None else found

    def put(self, key: str, fingerprint: bytes) -> None:
        self.cache.put(key, fingerprint)


@cache
def shipped() -> dict[str, bytes]:
    told = json.loads(SHIPPED.read_text("ascii"))
    return {key: base64.b64decode(value) for key, value in told.items()}


def write(fingerprints: dict[str, bytes]) -> None:
    told = {key: base64.b64encode(value).decode("ascii") for key, value in sorted(fingerprints.items())}
    SHIPPED.write_text(json.dumps(told, indent=0) + "\n", "ascii")
