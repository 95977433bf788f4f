"""Fingerprints that outlive the program, so that no file is opened twice for them."""

from __future__ import annotations

from contextlib import suppress

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from storage.db import transaction
from storage.tables import FingerprintRow


class FingerprintRecords:
    """Fingerprints by key, a `FingerprintCache` of core.fingerprints, safe from threads and processes."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def get(self, key: str) -> bytes | None:
        with transaction(self.engine, write=False) as session:
            row = session.get(FingerprintRow, key)
            return None if row is None else bytes(row.fingerprint)

    def put(self, key: str, fingerprint: bytes) -> None:
        """Keep the fingerprint of a key; the same content has the same, so one that is there stays."""
        with transaction(self.engine) as session:
            if session.get(FingerprintRow, key) is None:
                # where transactions do not exclude each other, another process may have been first
                with suppress(IntegrityError), session.begin_nested():
                    session.add(FingerprintRow(key=key, fingerprint=fingerprint))
