"""The engine: pragmas, the journal that fits the disk, one commit or none, and many writers at once."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import func, select

from core.errors import MissingExtra, StudioError
from storage.db import journal_for, open_database, transaction
from storage.measurements import EvidenceRecords
from storage.tables import MeasurementRow

ROOT = Path(__file__).resolve().parents[2]

MOUNTS = r"""
/dev/sda1 / ext4 rw,relatime 0 0
server:/home /mnt/home nfs4 rw 0 0
bucket /mnt/home/bucket fuse.gcsfuse rw 0 0
/dev/sdb1 /mnt/home/fast xfs rw 0 0
//nas/share /mnt/my\040share cifs rw 0 0
overlay /over overlay rw 0 0
/dev/sdc1 /twice ext4 rw 0 0
s3 /twice fuse rw 0 0
tmpfs /mem tmpfs rw 0 0
"""


@pytest.mark.parametrize(
    ("folder", "journal"),
    [
        ("/var/data", "wal"),
        ("/mnt/home/me", "delete"),
        ("/mnt/home/bucket/x", "delete"),
        ("/mnt/home/fast/x", "wal"),
        ("/mnt/homestead", "wal"),
        ("/mnt/my share/x", "delete"),
        ("/over", "wal"),
        ("/twice/x", "delete"),
        ("/mem", "wal"),
    ],
)
def test_the_journal_fits_the_mount(folder: str, journal: str) -> None:
    assert journal_for(Path(folder), MOUNTS) == journal


def test_an_empty_mount_table_is_a_local_disk() -> None:
    assert journal_for(Path("/anywhere"), "") == "wal"


@pytest.mark.parametrize("journal", ["wal", "delete"])
def test_every_connection_is_prepared(tmp_path: Path, journal: str) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/deep/er/studio.db", journal=journal)
    with engine.connect() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("foreign_keys", "busy_timeout", "journal_mode", "synchronous")
        }
    assert pragmas == {"foreign_keys": 1, "busy_timeout": 10_000, "journal_mode": journal, "synchronous": 1}


def test_a_database_moved_to_a_bucket_changes_its_journal_and_keeps_its_rows(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'studio.db'}"
    first = open_database(url, journal="wal")
    EvidenceRecords(first).put("k", {"a": 1.0})
    first.dispose()
    second = open_database(url, journal="delete")
    assert EvidenceRecords(second).get("k") == {"a": 1.0}
    assert not (tmp_path / "studio.db-wal").exists()


def test_a_database_in_memory_works_from_several_threads() -> None:
    evidence = EvidenceRecords(open_database("sqlite://"))
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda n: evidence.put(f"k{n}", {"n": n}), range(20)))
    assert [evidence.get(f"k{n}") for n in range(20)] == [{"n": n} for n in range(20)]


def test_a_transaction_that_fails_leaves_no_row(engine: Engine) -> None:
    with pytest.raises(ZeroDivisionError), transaction(engine) as session:  # noqa: PT012 - the failure is inside
        session.add(MeasurementRow(key="a", measured={}))
        session.flush()
        session.add(MeasurementRow(key="b", measured={}))
        1 / 0  # noqa: B018
    with transaction(engine, write=False) as session:
        assert session.exec(select(func.count()).select_from(MeasurementRow)).one() == 0


def test_a_killed_process_leaves_no_half_transaction(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'studio.db'}"
    open_database(url).dispose()
    code = (
        "import os, signal, sys\n"
        "from storage.db import open_database, transaction\n"
        "from storage.tables import MeasurementRow\n"
        "with transaction(open_database(sys.argv[1])) as session:\n"
        "    session.add(MeasurementRow(key='a', measured={})); session.flush()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, url], cwd=ROOT).returncode == -9
    assert EvidenceRecords(open_database(url)).get("a") is None


@pytest.mark.parametrize("journal", ["wal", "delete"])
def test_eight_threads_write_without_finding_it_locked(tmp_path: Path, journal: str) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'studio.db'}", journal=journal)
    evidence, together = EvidenceRecords(engine), threading.Barrier(8, timeout=60)

    def write(thread: int) -> None:
        together.wait()
        for n in range(25):
            evidence.put(f"{thread}/{n}", {"v": n})
            evidence.put("shared", {"v": thread})
            assert evidence.get(f"{thread}/{n}") == {"v": n}

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(write, range(8)))
    with transaction(engine, write=False) as session:
        assert session.exec(select(func.count()).select_from(MeasurementRow)).one() == 8 * 25 + 1


def test_a_reader_is_not_held_up_by_a_writer(engine: Engine) -> None:
    with transaction(engine) as writer:
        writer.add(MeasurementRow(key="a", measured={}))
        writer.flush()
        with transaction(engine, write=False) as reader:
            assert reader.get(MeasurementRow, "a") is None


def test_two_processes_upsert_the_same_keys(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'studio.db'}"
    open_database(url).dispose()
    code = (
        "import sys\n"
        "from storage.db import open_database\n"
        "from storage.measurements import EvidenceRecords\n"
        "evidence = EvidenceRecords(open_database(sys.argv[1]))\n"
        "for n in range(60): evidence.put(f'k{n}', {'v': n})\n"
    )
    runs = [subprocess.Popen([sys.executable, "-c", code, url], cwd=ROOT) for _ in range(2)]
    assert [run.wait(120) for run in runs] == [0, 0]
    assert EvidenceRecords(open_database(url)).get("k59") == {"v": 59}


def test_what_is_no_database_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "studio.db").write_text("a letter, not a database " * 100)
    with pytest.raises(StudioError, match=r"cannot be opened.*not a database.*STUDIO_DATA_DIR"):
        open_database(f"sqlite:///{tmp_path / 'studio.db'}")


def test_a_folder_that_cannot_be_made_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StudioError, match="cannot be opened"):
        open_database(f"sqlite:///{tmp_path / 'file' / 'studio.db'}")


@pytest.mark.parametrize("url", ["nonsense", "", "://", "sqlite://user:secret@host/name"])
def test_what_is_no_url_is_told_so(url: str) -> None:
    with pytest.raises(StudioError, match="not a database URL"):
        open_database(url)


def test_a_missing_driver_is_told_so() -> None:
    with pytest.raises(MissingExtra, match="pip") as caught:
        open_database("firebird://user:secret@host/name")
    assert "secret" not in str(caught.value)


def test_a_full_or_read_only_disk_is_told_so(engine: Engine) -> None:
    with pytest.raises(StudioError, match="Nothing was saved"), transaction(engine) as session:  # noqa: PT012
        session.connection().exec_driver_sql("PRAGMA query_only = ON")
        session.add(MeasurementRow(key="a", measured={}))


def test_the_file_is_sqlite(tmp_path: Path) -> None:
    open_database(f"sqlite:///{tmp_path / 'studio.db'}").dispose()
    with sqlite3.connect(tmp_path / "studio.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert os.path.getsize(tmp_path / "studio.db") > 0
