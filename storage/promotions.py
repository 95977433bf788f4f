"""Which checkpoint is the judge that people meet first, who made it so, when, and what the gate said.

As with answers nothing is overwritten: the newest promotion that is not withdrawn stands, so demoting is exact.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlmodel import Session, col, select

from core.errors import BadInput, NotFound
from core.nouns import Noun
from storage.tables import PromotionRow, now


class Promotion(Noun):
    """A checkpoint's job made the first judge: under which name, by whom, and the gate's result as it was then."""

    job: str
    judge: str
    owner: str
    gate: dict[str, Any]
    made: datetime


def promote(session: Session, job_id: str, judge: str, owner: str, gate: dict[str, Any]) -> Promotion:
    row = PromotionRow(job=job_id, judge=judge, owner=owner, gate=gate)
    session.add(row)
    session.flush()
    return _promotion(row)


def demote(session: Session, job_id: str, owner: str) -> None:
    """Withdraw the job's promotion; what was promoted before it stands again. Raises NotFound where none stands."""
    changed = session.connection().execute(
        update(PromotionRow)
        .where(col(PromotionRow.job) == job_id, col(PromotionRow.withdrawn).is_(None))
        .values(withdrawn=now(), withdrawn_by=owner)
    )
    if not changed.rowcount:
        raise NotFound(f"The judge of the job {job_id!r} is not promoted.")


def standing(session: Session) -> list[Promotion]:
    """The promotions that are not withdrawn; the last is the one that counts."""
    query = select(PromotionRow).where(col(PromotionRow.withdrawn).is_(None)).order_by(col(PromotionRow.number))
    return [_promotion(row) for row in session.exec(query)]


def refuse_promoted(session: Session, job_id: str) -> None:
    """Raise BadInput where the job's judge is promoted."""
    if any(one.job == job_id for one in standing(session)):
        raise BadInput(f"The judge of the job {job_id!r} is promoted; demote it first.")


def _promotion(row: PromotionRow) -> Promotion:
    return Promotion(job=row.job, judge=row.judge, owner=row.owner, gate=row.gate, made=row.created)
