"""The command line as a person has it: in a process of its own, killed and started again."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.__main__ import settings_table
from app.batch import KEYS
from app.settings import Settings
from app.studio import JudgeRequest, Studio
from core.modalities import Limits
from core.nouns import Modality

ROOT = Path(__file__).resolve().parents[2]


def environment(folder: Path, **extra: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STUDIO_")}
    return kept | {"STUDIO_DATA_DIR": str(folder / "data"), "STUDIO_JUDGE": "fixed", "COLUMNS": "200"} | extra


def run(folder: Path, *arguments: object, **extra: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app", *map(str, arguments)],
        cwd=ROOT,
        env=environment(folder, **extra),
        capture_output=True,
        text=True,
        timeout=240,
    )


def write(path: Path, *rows: dict[str, Any] | str) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


def row(number: int | str, first: str = "short", second: str = "rather longer", **more: Any) -> dict[str, Any]:
    return {"id": str(number), "task": "t2t", "prompt": "p", "response_1": first, "response_2": second, **more}


def lines(path: Path) -> list[dict[str, Any]]:
    """Verdicts without their seconds, which differ from run to run."""
    read = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert all(tuple(line) == KEYS for line in read)
    return [{key: value for key, value in line.items() if key != "seconds"} for line in read]


# -- judge ----------------------------------------------------------------------------------------------------------


def test_every_row_becomes_a_line_and_a_bad_row_a_failure(tmp_path: Path) -> None:
    Image.new("L", (8, 8)).save(tmp_path / "small.png")
    Image.effect_noise((64, 64), 50).save(tmp_path / "large.png")
    pairs = write(
        tmp_path / "pairs.jsonl",
        row("second", criterion="Prefer the longer 📏."),
        row("first", "rather longer", "short"),
        row("tie", "a", "b"),
        "no row at all",
        row("tie"),
        row("failing", criterion="please fail"),
        row("many", criteria=["x", None]),
        {"id": "picture", "task": "t2i", "prompt": "", "response_1": "small.png", "response_2": "large.png"},
        {"id": "gone", "task": "t2i", "prompt": "", "response_1": "small.png", "response_2": "gone.png"},
    )
    done = run(tmp_path, "judge", pairs, "--judge", "fixed", "--out", tmp_path / "out" / "verdicts.jsonl")
    assert done.returncode == 3, done.stderr
    assert "10 verdicts" in done.stderr
    assert "4 failed" in done.stderr
    assert done.stdout == ""
    found = lines(tmp_path / "out" / "verdicts.jsonl")
    assert [(line["id"], line["criterion"], line["preference"]) for line in found] == [
        ("second", "Prefer the longer 📏.", "second"),
        ("first", None, "first"),
        ("tie", None, "tie"),
        ("line 4", None, None),
        ("tie", None, None),
        ("failing", "please fail", None),
        ("many#1", "x", "second"),
        ("many#2", None, "second"),
        ("picture", None, "second"),
        ("gone", None, None),
    ]
    assert {line["judge"] for line in found} == {"fixed"}
    assert all((line["preference"] is None) == isinstance(line["failure"], str) for line in found)
    good, bad = found[0], found[3]
    assert good["p_first"] + good["p_tie"] + good["p_second"] == pytest.approx(1)
    assert (good["reward_1"], good["reward_2"], good["coverage"]) == (0.005, 0.013, 1.0)
    assert "not JSON" in bad["failure"]
    assert bad["reward_1"] is bad["p_tie"] is bad["coverage"] is None
    assert "gone.png" in found[9]["failure"]
    assert not (tmp_path / "data").exists(), "media are judged where they lie"


def test_all_good_is_exit_code_0_and_again_judges_nothing(tmp_path: Path) -> None:
    pairs, out = write(tmp_path / "pairs.jsonl", row(1), row(2)), tmp_path / "out.jsonl"
    assert run(tmp_path, "judge", pairs, "--out", out).returncode == 0
    before = out.read_bytes()
    again = run(tmp_path, "judge", pairs, "--out", out)
    assert again.returncode == 0
    assert "2 verdicts" in again.stderr
    assert "0 of them new" in again.stderr
    assert out.read_bytes() == before


def test_rows_that_were_added_are_judged_and_failures_stay_counted(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    run(tmp_path, "judge", write(tmp_path / "pairs.jsonl", row(1, criterion="fail"), row(2)), "--out", out)
    before = out.read_text()
    pairs = write(
        tmp_path / "pairs.jsonl", row(0), row(1, criterion="fail"), row(2), row(2, criterion="another"), row(3)
    )
    assert run(tmp_path, "judge", pairs, "--out", out).returncode == 3
    assert out.read_text().startswith(before)
    assert [line["id"] for line in lines(out)[2:]] == ["0", "2", "3"], "a repeated id is a bad row of its own"


def test_killed_and_started_again_equals_an_undisturbed_run(tmp_path: Path) -> None:
    rows = [row(n, "x" * (n % 7), "x" * (n % 5), criterion="fail" if n % 1000 == 7 else None) for n in range(8000)]
    rows[500] = {"id": "bad"}
    pairs = write(tmp_path / "pairs.jsonl", *rows)
    whole, out = tmp_path / "whole.jsonl", tmp_path / "out.jsonl"
    assert run(tmp_path, "judge", pairs, "--out", whole).returncode == 3
    for least in (1, 400_000):
        killed = subprocess.Popen(
            [sys.executable, "-m", "app", "judge", pairs, "--out", out],
            cwd=ROOT,
            env=environment(tmp_path),
            stderr=subprocess.DEVNULL,
        )
        while killed.poll() is None and (not out.exists() or out.stat().st_size < least):
            pass
        killed.kill()
        assert killed.wait(60) == -9, "it was done before it could be killed"
        kept = out.read_bytes().count(b"\n")
        assert 0 < kept < 8000
        # the kill may have come in the middle of a line; here it surely has
        out.write_bytes(out.read_bytes()[:-30])
    last = run(tmp_path, "judge", pairs, "--out", out)
    assert last.returncode == 3
    assert "8000 verdicts" in last.stderr
    assert "9 failed" in last.stderr
    assert lines(out) == lines(whole)


@pytest.mark.parametrize("cut", [b"", b"{", b'{"id', b'{"id": "2", "judge": "fix'])
def test_a_last_line_that_was_cut_off_is_written_anew(tmp_path: Path, cut: bytes) -> None:
    pairs, out = write(tmp_path / "pairs.jsonl", row(1), row(2)), tmp_path / "out.jsonl"
    run(tmp_path, "judge", pairs, "--out", out)
    whole = lines(out)
    out.write_bytes(out.read_bytes().splitlines(keepends=True)[0] + cut)
    assert run(tmp_path, "judge", pairs, "--out", out).returncode == 0
    assert lines(out) == whole


def told(done: subprocess.CompletedProcess[str]) -> str:
    """The one sentence of a command that could not begin."""
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    sentences = done.stderr.strip().splitlines()
    assert len(sentences) == 1
    return sentences[0]


def test_what_keeps_it_from_beginning_is_one_sentence(tmp_path: Path) -> None:
    pairs, out = write(tmp_path / "pairs.jsonl", row(1)), tmp_path / "out.jsonl"
    assert "no judge 'oracle'" in told(run(tmp_path, "judge", pairs, "--judge", "oracle", "--out", out))
    assert "There is no file" in told(run(tmp_path, "judge", tmp_path / "gone.jsonl", "--out", out))
    assert "There is no file" in told(run(tmp_path, "judge", tmp_path, "--out", out))
    assert "STUDIO_PORT" in told(run(tmp_path, "judge", pairs, "--out", out, STUDIO_PORT="high"))
    assert "over the pairs" in told(run(tmp_path, "judge", pairs, "--out", pairs))
    assert "cannot be written" in told(run(tmp_path, "judge", pairs, "--out", tmp_path))
    assert "cannot be written" in told(run(tmp_path, "judge", pairs, "--out", pairs / "out.jsonl"))
    (tmp_path / "wide.jsonl").write_bytes("{}".encode("utf-16"))
    assert "UTF-8" in told(run(tmp_path, "judge", tmp_path / "wide.jsonl", "--out", out))
    assert run(tmp_path, "judge", pairs).returncode == 2


@pytest.mark.parametrize("content", ["a letter without an end", "a letter\n", '{"id": "1"}\n', "\n"])
def test_what_is_no_list_of_verdicts_is_left_alone(tmp_path: Path, content: str) -> None:
    pairs, out = write(tmp_path / "pairs.jsonl", row(1)), tmp_path / "letter.txt"
    out.write_text(content)
    assert "name another file" in told(run(tmp_path, "judge", pairs, "--out", out))
    assert out.read_text() == content


def test_verdicts_of_another_judge_are_left_alone(tmp_path: Path) -> None:
    pairs, out = write(tmp_path / "pairs.jsonl", row(1)), tmp_path / "out.jsonl"
    run(tmp_path, "judge", pairs, "--out", out)
    out.write_text(out.read_text().replace('"judge": "fixed"', '"judge": "other"'))
    assert "verdicts of 'other', not of 'fixed'" in told(run(tmp_path, "judge", pairs, "--out", out))


def test_two_runs_into_one_file_do_not_mix(tmp_path: Path) -> None:
    import fcntl

    pairs, out = write(tmp_path / "pairs.jsonl", row(1)), tmp_path / "out.jsonl"
    with open(out, "wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert "Another run" in told(run(tmp_path, "judge", pairs, "--out", out))
    assert run(tmp_path, "judge", pairs, "--out", out).returncode == 0


def test_judging_imports_neither_the_page_nor_the_database(tmp_path: Path) -> None:
    pairs = write(tmp_path / "pairs.jsonl", row(1))
    arguments = [sys.executable, "-X", "importtime", "-m", "app", "judge", pairs, "--out", tmp_path / "out.jsonl"]
    done = subprocess.run(arguments, cwd=ROOT, env=environment(tmp_path), capture_output=True, text=True)
    assert done.returncode == 0
    imported = {line.rsplit("|", 1)[1].strip().split(".")[0] for line in done.stderr.splitlines() if "|" in line}
    assert "app" in imported
    assert not imported & {"gradio", "torch", "transformers", "sqlmodel", "sqlalchemy", "pandas", "av", "open3d"}


def test_the_cache_is_kept_in_the_database_only_when_asked_for(tmp_path: Path) -> None:
    pairs = write(tmp_path / "pairs.jsonl", row(1))
    assert run(tmp_path, "judge", pairs, "--out", tmp_path / "a.jsonl").returncode == 0
    assert not (tmp_path / "data").exists()
    assert run(tmp_path, "judge", pairs, "--out", tmp_path / "b.jsonl", "--cache").returncode == 0
    with sqlite3.connect(tmp_path / "data" / "studio.db") as connection:
        assert connection.execute("SELECT count(*) FROM pair").fetchone() == (0,)


# -- serve and settings ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [("serve", "--port", "99999"), ("--port", "99999")])
def test_serving_is_the_default_and_a_wrong_port_is_told(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert "STUDIO_PORT" in told(run(tmp_path, *arguments))


@pytest.mark.parametrize("host", ["127.0.0.1", "no.such.host.invalid"])
def test_an_address_that_cannot_be_listened_at_is_told(tmp_path: Path, host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"cannot listen at {host}, port {port}" in told(run(tmp_path, "--host", host, "--port", port))


def hears_interrupts() -> None:
    """In the child: a shell's background job has SIGINT ignored, and what is ignored stays so in a new program."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.mark.parametrize(
    ("arguments", "then"),
    [
        (("bench", "embedded", "--judge", "fixed"), ""),
        (("score", "examples", "--judge", "fixed", "--out", "scored.jsonl"), "jobs export {job} scored.jsonl"),
    ],
)
def test_an_interrupted_wait_says_how_to_go_on(tmp_path: Path, arguments: tuple[str, ...], then: str) -> None:
    """With no slot nobody works, so the command waits until it is interrupted."""
    waiting = subprocess.Popen(
        [sys.executable, "-m", "app", *arguments],
        cwd=ROOT,
        env=environment(tmp_path, STUDIO_SLOTS="0"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=hears_interrupts,
    )
    assert waiting.stdout is not None
    job = waiting.stdout.readline().strip()
    waiting.send_signal(signal.SIGINT)
    said, _ = waiting.communicate(timeout=60)
    assert waiting.returncode == 130
    assert "Traceback" not in said
    assert f"Stopped waiting. Job {job} stays in the queue" in said
    assert f"python -m app jobs cancel {job}" in said
    assert then.format(job=job) in said
    shown = json.loads(run(tmp_path, "jobs", "show", job).stdout)
    assert shown["job"]["state"] == "queued"


@pytest.mark.parametrize("told_by", [signal.SIGINT, signal.SIGTERM])
def test_the_page_is_served_until_it_is_told_to_stop(tmp_path: Path, told_by: signal.Signals) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    served = subprocess.Popen(
        [sys.executable, "-u", "-m", "app", "--port", address.rsplit(":")[-1]],
        cwd=ROOT,
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=hears_interrupts,
    )
    try:
        assert served.stdout is not None
        said = next((line for line in served.stdout if "http" in line), "")
        assert address in said
        with urllib.request.urlopen(address, timeout=60) as page:
            assert page.status == 200
        served.send_signal(told_by)
        served.communicate(timeout=60)
    finally:
        served.kill()
        served.communicate()
    assert served.returncode == 0
    assert (tmp_path / "data" / "studio.db").is_file()


@pytest.mark.parametrize("arguments", [("--help",), ("-h",), ("judge", "--help")])
def test_help_is_short_and_whole(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = run(tmp_path, *arguments)
    assert done.returncode == 0
    assert "judge" in done.stdout


def test_an_unknown_command_is_refused(tmp_path: Path) -> None:
    assert run(tmp_path, "jugde").returncode == 2


def test_the_settings_table_has_every_setting(tmp_path: Path) -> None:
    done = run(tmp_path, "settings")
    assert done.stdout.strip() == settings_table()
    for name, field in Settings.model_fields.items():
        assert f"`STUDIO_{name.upper()}" in done.stdout
        assert (field.description or "?") in done.stdout
    for name, limit in Limits.model_fields.items():
        assert f"| `STUDIO_LIMITS__{name.upper()}` | `{limit.default}` |" in done.stdout


# -- doctor ---------------------------------------------------------------------------------------------------------


def checks(done: subprocess.CompletedProcess[str]) -> dict[str, tuple[str, str]]:
    report = json.loads(done.stdout)
    assert report["sound"] == (done.returncode == 0)
    return {check["name"]: (check["state"], check["says"]) for check in report["checks"]}


def test_a_fresh_folder_is_sound_and_stays_untouched(tmp_path: Path) -> None:
    done = run(tmp_path, "doctor")
    assert done.returncode == 0, done.stdout
    assert "All is sound." in done.stdout
    found = checks(run(tmp_path, "doctor", "--json"))
    assert found["judge fixed"] == ("ok", "can run here")
    assert "first start" in found["database"][1]
    assert found["gradio"][0] == "ok"
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def used(tmp_path: Path) -> Studio:
    """A studio with a judged image pair and one upload besides."""
    studio = Studio(Settings(data_dir=tmp_path / "data", judge="fixed"))
    contents = []
    for number in range(3):
        Image.effect_noise((32, 32), 50 + number).save(tmp_path / f"{number}.png")
        contents.append(studio.receive(tmp_path / f"{number}.png", Modality.IMAGE).content)
    studio.judge(JudgeRequest(modality=Modality.IMAGE, first=contents[0], second=contents[1]), "me")
    studio.engine.dispose()
    return studio


def test_a_used_folder_is_counted(tmp_path: Path, used: Studio) -> None:
    found = checks(run(tmp_path, "doctor", "--json"))
    assert found["database"][0] == "ok"
    assert "1 pairs, 1 verdicts, 0 answers, journal " in found["database"][1]
    assert found["media"] == ("ok", "3 files, all there")
    assert found["orphans"][0] == "note"
    assert found["orphans"][1].startswith("1 upload")


def test_a_lost_file_wants_mending(tmp_path: Path, used: Studio) -> None:
    next(used.settings.media_dir.rglob("*.png")).unlink()
    done = run(tmp_path, "doctor", "--json")
    assert done.returncode == 1
    assert checks(done)["media"][0] == "mend"


@pytest.mark.parametrize("damage", ["text", "pages"])
def test_a_damaged_database_wants_mending(tmp_path: Path, used: Studio, damage: str) -> None:
    path = tmp_path / "data" / "studio.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(path.read_bytes())
    if damage == "text":
        content[:100] = b"x" * 100
    else:
        content[4096 * 2 :] = b"\xa5" * (len(content) - 4096 * 2)
    path.write_bytes(content)
    done = run(tmp_path, "doctor", "--json")
    assert done.returncode == 1
    assert checks(done)["database"][0] == "mend"
    assert "mend  database" in run(tmp_path, "doctor").stdout


def test_a_database_of_a_newer_program_wants_mending(tmp_path: Path, used: Studio) -> None:
    with sqlite3.connect(tmp_path / "data" / "studio.db") as connection:
        connection.execute("INSERT INTO migration VALUES (999, 'tomorrow', '2030-01-01 00:00:00')")
    found = checks(run(tmp_path, "doctor", "--json"))
    assert found["database"][0] == "mend"
    assert "newer program" in found["database"][1]


def test_a_folder_that_is_none_and_an_unknown_judge_want_mending(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    found = checks(run(tmp_path, "doctor", "--json", STUDIO_DATA_DIR=str(tmp_path / "file"), STUDIO_JUDGE="oracle"))
    assert found["data folder"][0] == "mend"
    assert found["judge oracle"][0] == "mend"
