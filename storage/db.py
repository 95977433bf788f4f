"""One engine, short transactions, and a journal that fits the disk."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event, make_url
from sqlalchemy.engine import URL, Connection
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError
from sqlalchemy.pool import QueuePool
from sqlmodel import Session, create_engine

from core.errors import MissingExtra, StudioError
from storage.migrations import migrate

BUSY_SECONDS = 10.0
_BEGIN = "studio_begin"

# SQLite's write-ahead log needs memory shared between processes, which these file systems do not give
_NETWORK = re.compile(
    "9p|afs|beegfs|ceph|cifs|coda|davfs|fuse.*|gfs2|glusterfs|gpfs|lustre|ncpfs|nfs4?|ocfs2|orangefs|prl_fs|pvfs2"
    "|smb[23]|smbfs|vboxsf|virtiofs"
)


def journal_for(folder: Path, mounts: str | None = None) -> str:
    """ "wal" on a local disk, "delete" on a network, FUSE or bucket mount.

    `mounts` is the text of a mount table (device, mount point, type, …, a mount a line; blanks in names as \\040);
    /proc/mounts where None. Where there is no such table the disk counts as local.
    """
    if mounts is None:
        try:
            mounts = Path("/proc/mounts").read_text(encoding="utf-8", errors="surrogateescape")
        except OSError:
            return "wal"
    folder, longest, kind = folder.resolve(), -1, ""
    for line in mounts.splitlines():
        fields = line.split()
        if len(fields) < 3:
            continue
        point = Path(re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), fields[1]))
        # of two mounts on one point the later lies on top
        if folder.is_relative_to(point) and len(point.parts) >= longest:
            longest, kind = len(point.parts), fields[2]
    return "delete" if _NETWORK.fullmatch(kind) else "wal"


def open_database(url: str, journal: str = "auto") -> Engine:
    """The engine of a database, made and brought up to date. `journal` is "auto", "wal" or "delete" (SQLite only).

    Raises StudioError where it cannot be opened or is from a newer program, MissingExtra where its driver is missing.
    """
    engine = connect(url, journal)
    try:
        migrate(engine)
    except DBAPIError as error:
        engine.dispose()
        raise StudioError(f"{_cannot_open(engine.url)}: {error.orig}. {_advice(engine.url)}") from error
    except StudioError:
        engine.dispose()
        raise
    return engine


def connect(url: str, journal: str | None) -> Engine:
    """The engine of a database as it is: no step applied, the journal left alone where None. Raises as
    `open_database` does."""
    try:
        return _connect(make_url(url), journal)
    except ArgumentError as error:
        raise StudioError(
            "STUDIO_DATABASE_URL is not a database URL; it looks like sqlite:////folder/studio.db or "
            "postgresql+psycopg://user:password@host/name."
        ) from error


def _connect(url: URL, journal: str | None) -> Engine:
    if url.get_backend_name() == "sqlite":
        return _connect_sqlite(url, journal)
    try:
        return create_engine(url, pool_pre_ping=True)
    except (NoSuchModuleError, ImportError) as error:
        raise MissingExtra(
            f"There is no driver here for {url.drivername}. Install it with pip "
            "(for postgresql+psycopg: pip install 'psycopg[binary]')."
        ) from error


def sqlite_file(url: str | URL) -> Path | None:
    """The file of an SQLite database; None for one in memory and for every other database."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
        return None
    return None if parsed.database.startswith("file:") else Path(parsed.database)


def _connect_sqlite(url: URL, journal: str | None) -> Engine:
    file = sqlite_file(url)
    # a database in memory is one connection, lent to one thread at a time
    pool = {"pool_size": 10, "max_overflow": 30} if file else {"pool_size": 1, "max_overflow": 0}
    try:
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(
            url,
            connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
            poolclass=QueuePool,
            **pool,
        )
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", _begin)
        if file is not None and journal is not None:
            _set_journal(file, journal_for(file.parent) if journal == "auto" else journal)
    except (OSError, sqlite3.Error) as error:
        raise StudioError(f"{_cannot_open(url)}: {error}. {_advice(url)}") from error
    return engine


def _prepare(connection: sqlite3.Connection, record: Any) -> None:
    # transactions are begun by _begin alone; the driver's own habit would leave reads outside of them
    connection.isolation_level = None
    for pragma in ("foreign_keys = ON", f"busy_timeout = {int(BUSY_SECONDS * 1000)}", "synchronous = NORMAL"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    # IMMEDIATE takes the write lock first: a transaction that reads and then writes cannot wait for it midway
    connection.exec_driver_sql(f"BEGIN {connection.get_execution_options().get(_BEGIN, 'IMMEDIATE')}")


def _set_journal(file: Path, journal: str) -> None:
    """Switch the journal where it is not as wanted. The switch needs the file alone, which the busy timeout does not
    always wait for, so it is tried until the timeout is over."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        connection = sqlite3.connect(file, timeout=BUSY_SECONDS, isolation_level=None)
        try:
            if journal == "delete" and _has_wal(file):
                # without shared memory a write-ahead log can only be read by one who has the file alone
                connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            if connection.execute(f"PRAGMA journal_mode = {journal}").fetchone()[0] == journal:
                return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
        finally:
            connection.close()
        if time.monotonic() > deadline:
            raise sqlite3.OperationalError(f"the journal could not be set to {journal}")
        time.sleep(0.02)


def _has_wal(file: Path) -> bool:
    # byte 18 of the header is the write version: 1 for a rollback journal, 2 for a write-ahead log
    with open(file, "rb") as head:
        return head.read(20)[18:19] == b"\x02"


@contextmanager
def transaction(engine: Engine, *, write: bool = True) -> Iterator[Session]:
    """A session with one commit at its end, or none: whatever is raised inside rolls everything back.

    With `write=False` it reads one consistent state and never waits for a writer. Raises StudioError where the
    database stays locked, is read-only or full.
    """
    with Session(engine, expire_on_commit=False) as session:
        try:
            if not write:
                session.connection(execution_options={_BEGIN: "DEFERRED"})
            yield session
            session.commit()
        except OperationalError as error:
            session.rollback()
            raise StudioError(
                f"The database could not be used: {error.orig}. Nothing was saved; please try again."
            ) from (error)
        except BaseException:
            session.rollback()
            raise


def _cannot_open(url: URL) -> str:
    return f"The database {url.render_as_string(hide_password=True)} cannot be opened"


def _advice(url: URL) -> str:
    if url.get_backend_name() == "sqlite":
        return "Check that the folder in STUDIO_DATA_DIR can be written and that the file is a database of the studio."
    return "Check STUDIO_DATABASE_URL and that the server can be reached."
