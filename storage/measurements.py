"""Measured values that outlive the program, so that no file is measured twice."""

from __future__ import annotations

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session

from storage.db import transaction
from storage.tables import MeasurementRow


class EvidenceRecords:
    """Measured values by key, an `EvidenceCache` of core.evidence, safe from threads and processes."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def get(self, key: str) -> dict[str, float] | None:
        with transaction(self.engine, write=False) as session:
            row = session.get(MeasurementRow, key)
            return None if row is None else dict(row.measured)

    def put(self, key: str, values: dict[str, float]) -> None:
        """Keep the values of a key, in place of any that are there."""
        with transaction(self.engine) as session:
            if self._replace(session, key, values):
                return
            try:
                with session.begin_nested():
                    session.add(MeasurementRow(key=key, measured=dict(values)))
            except IntegrityError:
                # where transactions do not exclude each other, another process may have been first
                self._replace(session, key, values)

    def _replace(self, session: Session, key: str, values: dict[str, float]) -> bool:
        row = session.get(MeasurementRow, key)
        if row is None:
            return False
        row.measured = dict(values)
        session.add(row)
        return True
