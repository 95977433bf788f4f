"""Whether the database and the media are sound, found out without changing anything."""

from __future__ import annotations

from sqlalchemy import inspect
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, col, func, select

from core.errors import StudioError
from core.nouns import Noun
from storage.db import connect, sqlite_file, transaction
from storage.media import MediaStore
from storage.migrations import STEPS, schema_version
from storage.orphans import count_orphans
from storage.tables import AnnotationRow, MediaRow, PairRow, VerdictRow


class StorageHealth(Noun):
    """`problem` is None where all is well; `made` is False where there is no database yet, which is no problem.

    `lost` counts stored media whose file is gone, `orphans` uploads that no pair shows.
    """

    made: bool = True
    problem: str | None = None
    journal: str = ""
    pairs: int = 0
    verdicts: int = 0
    annotations: int = 0
    media: int = 0
    lost: int = 0
    orphans: int = 0


def examine(url: str, media: MediaStore) -> StorageHealth:
    """Look at a database and its media. What cannot be opened is a problem in the answer, not an error."""
    file = sqlite_file(url)
    if file is not None and not file.exists():
        return StorageHealth(made=False)
    try:
        engine = connect(url, journal=None)
    except StudioError as error:
        return StorageHealth(problem=str(error))
    try:
        with engine.connect() as connection:
            if engine.dialect.name == "sqlite":
                found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
                if found != "ok":
                    return StorageHealth(problem=f"The database is damaged ({found}); bring back a copy of it.")
            if not inspect(connection).get_table_names():
                return StorageHealth(made=False)
            version = schema_version(connection)
        if version > len(STEPS):
            return StorageHealth(problem=f"The database is from a newer program (schema {version}); update this one.")
        if version < len(STEPS):
            return StorageHealth(
                problem=f"The database has schema {version} of {len(STEPS)}; the next start updates it."
            )
        with transaction(engine, write=False) as session:
            return _counted(session, media)
    except (DBAPIError, StudioError) as error:
        reason = error.orig if isinstance(error, DBAPIError) else error
        return StorageHealth(problem=f"The database cannot be read ({reason}); bring back a copy of it.")
    finally:
        engine.dispose()


def _counted(session: Session, media: MediaStore) -> StorageHealth:
    def count(row: type) -> int:
        return session.exec(select(func.count()).select_from(row)).one()

    shas = session.exec(select(col(MediaRow.sha256)).distinct()).all()
    journal = ""
    if session.get_bind().dialect.name == "sqlite":
        journal = session.connection().exec_driver_sql("PRAGMA journal_mode").scalar_one()
    return StorageHealth(
        journal=journal,
        pairs=count(PairRow),
        verdicts=count(VerdictRow),
        annotations=count(AnnotationRow),
        media=len(shas),
        lost=sum(not media.has(sha256) for sha256 in shas),
        orphans=count_orphans(session),
    )
