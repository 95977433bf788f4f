"""Every engine gives each row back once with the verdict that the judge gives in this process."""

from __future__ import annotations

import builtins
import json
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from core.engines import ENGINES, Engine, KeyedRow, _files, judge_rows
from core.errors import BadInput, MissingExtra, StudioError
from core.evidence import Measuring
from core.formats import FORMATS, BadRow, LabelledPair
from core.jobs import HubAccess, keyed
from core.jobs.score_dataset import ScoreSpec
from core.judges import JUDGES, Judge, JudgeBackend
from core.modalities import Limits
from core.nouns import FailureKind, Verdict
from tests.core.engines.remote_hub import REPO, TOKEN, remote_hub

ROOT = Path(__file__).resolve().parents[3]


class FixedTools:
    """What an engine may ask of a job's tools, with the judges of the shelf."""

    limits = Limits()

    def judge(self, name: str) -> AbstractContextManager[Judge]:
        return nullcontext(JUDGES[name].load())

    def backend(self, name: str) -> JudgeBackend:
        return JUDGES[name]

    def hub(self) -> HubAccess:
        return HubAccess(token=SecretStr(TOKEN))

    def gpu(self) -> AbstractContextManager[None]:
        return nullcontext()


def opened(engine: str, **spec: Any) -> AbstractContextManager[Engine]:
    asked = ScoreSpec(engine=engine, **({"judge": "fixed"} | spec))
    return asked.opened(FixedTools(), Measuring(Limits()))  # type: ignore[arg-type]


@pytest.fixture(scope="module", params=list(ENGINES))
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    name = request.param
    with ExitStack() as stack:
        if name == "hf_jobs":
            stack.enter_context(remote_hub(tmp_path_factory.mktemp("hub")))
            name = f"hf_jobs:{REPO}"
        yield stack.enter_context(opened(name, batch=8))


def texts(folder: Path, count: int) -> list[KeyedRow]:
    path = folder / "pairs.jsonl"
    rows: list[dict[str, Any]] = [
        {"id": str(n), "task": "t2t", "prompt": "p", "response_1": "x" * (n % 7), "response_2": "xxx"}
        for n in range(count)
    ]
    rows[3]["criterion"] = "please fail"
    rows[-1]["criterion"] = "Longer."
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + "no row\n")
    return list(keyed(FORMATS["preference_jsonl"].read(path, Limits())))


def told(verdict: Verdict) -> dict[str, Any]:
    return verdict.model_dump(exclude={"seconds"})


def answers(engine: Engine, rows: list[KeyedRow]) -> dict[str, dict[str, Any]]:
    given = [one for part in engine.judged(iter(rows)) for one in part]
    assert len({key for key, _ in given}) == len(given), "a key came back twice"
    return {key: told(verdict) for key, verdict in given}


def expected(rows: list[KeyedRow]) -> dict[str, dict[str, Any]]:
    verdicts = judge_rows(JUDGES["fixed"].load(), [row for _, row in rows], Measuring(Limits()))
    return {key: told(verdict) for (key, _), verdict in zip(rows, verdicts, strict=True)}


def test_each_row_comes_back_once_and_a_bad_one_as_its_failure(engine: Engine, tmp_path: Path) -> None:
    rows = texts(tmp_path, 700)
    given = answers(engine, rows)
    assert given == expected(rows)
    bad = [key for key, row in rows if isinstance(row, BadRow)]
    failures = {key: one["failure"]["kind"] for key, one in given.items() if one["failure"]}
    assert len(bad) == 1
    assert failures[bad[0]] is FailureKind.BAD_INPUT
    assert len(failures) == 2, "the row that the judge fails on fails alone"
    assert answers(engine, []) == {}


def test_pairs_with_files_are_judged_where_the_files_are(engine: Engine) -> None:
    rows = list(keyed(FORMATS["preference_jsonl"].read(ROOT / "assets/examples/labelled.jsonl", Limits())))
    assert any(isinstance(row, LabelledPair) and row.pair.first.content.path for _, row in rows)
    assert answers(engine, rows) == expected(rows)


def test_files_that_the_workers_do_not_see_are_sent_along(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path that means nothing elsewhere: relative to a folder that this process has changed to since."""
    monkeypatch.chdir(tmp_path)
    for n in range(20):
        Path(f"{n}.txt.wav").write_bytes(b"RIFF" + bytes(n * 100))
    rows = [row for _, row in texts(tmp_path, 20) if isinstance(row, LabelledPair)]
    paired = [
        (str(n), _with_files(row, Path(f"{n}.txt.wav"), Path(f"{(n * 7) % 20}.txt.wav"))) for n, row in enumerate(rows)
    ]
    assert answers(engine, paired) == expected(paired)
    assert len({json.dumps(one["reward_1"]) for one in expected(paired).values()}) > 10
    if not getattr(engine, "_sends", False):
        return
    monkeypatch.setattr(_files, "MOST_SENT", 5_000)
    with pytest.raises(BadInput, match=r"more than the 0 MB that are sent along.*folder that all machines share"):
        answers(engine, paired)


def _with_files(row: LabelledPair, first: Path, second: Path) -> LabelledPair:
    from core.nouns import Content, Modality, PreferencePair, Response, Task

    one, two = (Response(content=Content.of_file(path, Modality.AUDIO)) for path in (first, second))
    pair = PreferencePair(task=Task.T2A, prompt="p", first=one, second=two)
    return row.model_copy(update={"pair": pair})


def test_what_cannot_be_an_engine_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="there is no engine 'dask'; there are: hf_jobs, local, ray"):
        ScoreSpec(engine="dask")
    with pytest.raises(BadInput, match="local is this machine"), opened("local:8000"):
        pass
    for address in ("ray:somewhere", "ray:ray://host:10001", "ray:host:99999"):
        with pytest.raises(BadInput, match="ray, ray:auto or ray:HOST:PORT"), opened(address):
            pass
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(StudioError, match="Nobody answers"), opened(f"ray:127.0.0.1:{port}"):
        pass
    real = builtins.__import__

    def without_ray(name: str, *rest: Any) -> Any:
        if name == "ray":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_ray)
    with pytest.raises(MissingExtra, match=r"pip install -r requirements-ray\.txt"), opened("ray"):
        pass
