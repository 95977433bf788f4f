"""Fingerprints are kept by key, and the first stays: one content has one fingerprint."""

from __future__ import annotations

import threading

from sqlalchemy import Engine

from storage.fingerprints import FingerprintRecords


def test_a_fingerprint_is_found_as_it_was_kept(engine: Engine) -> None:
    records = FingerprintRecords(engine)
    assert records.get("image/1/aa") is None
    records.put("image/1/aa", bytes(range(256)))
    records.put("audio/1/aa", b"")
    assert FingerprintRecords(engine).get("image/1/aa") == bytes(range(256))
    assert records.get("audio/1/aa") == b"", "that it says nothing is known, too"


def test_who_is_first_stays(engine: Engine) -> None:
    records, errors = FingerprintRecords(engine), []

    def put() -> None:
        try:
            records.put("mesh/1/aa", b"1234")
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=put) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    records.put("mesh/1/aa", b"5678")
    assert errors == []
    assert records.get("mesh/1/aa") == b"1234"
