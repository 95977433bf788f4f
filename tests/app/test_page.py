"""The served page without a browser: what is exposed, what importing it loads, and the API as a program uses it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from app.settings import Settings
from app.studio import Studio
from core.nouns import Answer
from storage import records
from storage.db import transaction

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    return Studio(Settings(data_dir=tmp_path_factory.mktemp("studio"), judge="fixed"))


@pytest.fixture(scope="module")
def client(studio: Studio, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("uploads")))
        from app.main import build, page_options

        demo = build(studio)
        _, url, _ = demo.launch(prevent_thread_lock=True, quiet=True, **page_options(studio))
        yield Client(url, verbose=False, download_files=False)
        demo.close()


@pytest.fixture
def pictures(tmp_path: Path) -> tuple[Path, Path]:
    paths = tmp_path / "large.png", tmp_path / "small.png"
    for path, side in zip(paths, (64, 32), strict=True):
        Image.effect_noise((side, side), 80).save(path)
    return paths


def judged_texts(client: Client, **more: str) -> dict:
    return client.predict(
        modality="text",
        prompt="Greet.",
        response_1_text="Good morning to you all.",
        response_2_text="Hello.",
        judge="fixed",
        api_name="/judge",
        **{"criteria": "", **more},
    )


def test_exactly_three_endpoints_are_named_with_clear_parameters(client: Client) -> None:
    api = client.view_api(return_format="dict", print_info=False)
    endpoints = api["named_endpoints"]
    assert set(endpoints) == {"/judge", "/annotate", "/examples"}
    assert api["unnamed_endpoints"] == {}
    names = {name: [p["parameter_name"] for p in endpoint["parameters"]] for name, endpoint in endpoints.items()}
    assert names["/judge"] == [
        "modality", "prompt", "criteria", "response_1_text", "response_2_text", "response_1_file", "response_2_file",
        "context_file", "judge", "annotator",
    ]  # fmt: skip
    assert names["/annotate"] == ["pair", "criterion", "answer", "strength", "reason", "judge", "annotator"]
    assert names["/examples"] == []
    for endpoint in endpoints.values():
        assert endpoint["description"]


def test_texts_are_judged_and_stored(client: Client, studio: Studio) -> None:
    answer = judged_texts(client, criteria="Prefer the longer.\nfail please", annotator="ada")
    assert answer["task"] == "T2T"
    assert answer["link"] == f"/?pair={answer['pair']}"
    first, second = answer["verdicts"]
    assert (first["preference"], first["failure"]) == ("first", None)
    assert (second["preference"], second["failure"]["kind"]) == (None, "error")
    assert studio.load(answer["pair"]).pair.prompt == "Greet."
    assert [pair.id for pair in studio.history("ada")] == [answer["pair"]]


def test_files_are_judged_and_a_prompt_may_carry_one(client: Client, pictures: tuple[Path, Path]) -> None:
    large, small = pictures
    files = {"response_1_file": handle_file(large), "response_2_file": handle_file(small)}
    answer = client.predict(
        modality="image", prompt="Noise", criteria="", judge="fixed", api_name="/judge",
        context_file=handle_file(small), **files,
    )  # fmt: skip
    assert answer["task"] == "TI2I"
    assert answer["verdicts"][0]["preference"] == "first"


def test_annotations_come_back_as_agreement(client: Client, studio: Studio) -> None:
    pair = judged_texts(client, criteria="Prefer the longer.")["pair"]
    said = {"pair": pair, "criterion": "Prefer the longer.", "judge": "fixed", "annotator": "grace"}
    standing = client.predict(answer="first", strength=2, reason="longer", api_name="/annotate", **said)
    assert standing["agreement"] == {"observed": 1.0, "kappa": None, "agreed": 1, "pairs": 1}
    client.predict(answer="second", reason="", api_name="/annotate", **said)
    with transaction(studio.engine) as session:
        [annotation] = records.annotations_of(session, pair, "grace")
    assert (annotation.answer, annotation.strength) == (Answer.SECOND, None)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"modality": "smell"}, "smell"),
        ({"response_1_text": ""}, "response_1"),
        ({"judge": "nobody"}, "nobody"),
        ({"modality": "image"}, "response_1_file"),
        ({"criteria": "\n".join(f"criterion {n}" for n in range(40))}, "40 criteria"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(client: Client, changed: dict[str, str], told: str) -> None:
    asked = {
        "modality": "text",
        "prompt": "Greet.",
        "criteria": "",
        "response_1_text": "Good morning.",
        "response_2_text": "Hello.",
        "judge": "fixed",
    }
    with pytest.raises((AppError, ValueError), match=told):
        client.predict(api_name="/judge", **{**asked, **changed})


@pytest.mark.parametrize("answer", ["better", "A", ""])
def test_an_answer_that_is_none_is_refused(client: Client, answer: str) -> None:
    pair = judged_texts(client)["pair"]
    with pytest.raises(AppError, match="both_bad"):
        client.predict(pair=pair, criterion="", answer=answer, reason="", judge="fixed", api_name="/annotate")


def test_a_file_of_the_server_cannot_be_named(client: Client, studio: Studio, tmp_path: Path) -> None:
    # a program that speaks HTTP itself may write any path where the client would upload the file
    for secret in (studio.settings.data_dir / "secret.png", tmp_path / "secret.png", ROOT / "assets" / "favicon.png"):
        if not secret.is_file():
            Image.new("RGB", (8, 8)).save(secret)
        named = {"path": str(secret.resolve()), "meta": {"_type": "gradio.FileData"}}
        data = ["image", "", "", "", "", named, named, None, "fixed", "mallory"]
        call = f"{client.src}gradio_api/call/judge"
        started = httpx.post(call, json={"data": data}).json()
        told = httpx.get(f"{call}/{started['event_id']}").text
        assert "event: error" in told
        assert "verdicts" not in told
    assert studio.history("mallory") == []


def test_every_task_has_an_example_that_loads(client: Client, studio: Studio) -> None:
    from app.examples import examples
    from core.nouns import Task

    told = client.predict(api_name="/examples")
    assert {one["task"] for one in told} == {task.code for task in Task}
    for one in examples():
        for source in (one.context, one.first, one.second):
            assert source is None or isinstance(source, str) or source.is_file()
        assert one.criteria


def test_importing_the_page_leaves_the_heavy_libraries_alone() -> None:
    code = "import sys, app.main; print(*(set(sys.modules) & {'torch','transformers','open3d','trimesh','av','scipy'}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
