"""Hostile and broken uploads through the front door: a clear error or a correct result, and nothing left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.settings import Settings
from app.studio import JudgeRequest, Studio
from core.errors import BadInput
from core.nouns import Modality
from tests.app.hostile_files import UPLOADS, Upload, written


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    return Studio(Settings(data_dir=tmp_path_factory.mktemp("data"), judge="fixed"))


def everything(studio: Studio) -> tuple[dict[str, int], set[Path]]:
    """How many rows every table holds, and every file of the media folder."""
    from sqlalchemy import inspect, text

    with studio.engine.connect() as connection:
        tables = inspect(connection).get_table_names()
        rows = {t: connection.execute(text(f'SELECT count(*) FROM "{t}"')).scalar_one() for t in tables}  # noqa: S608
    return rows, {path for path in studio.settings.media_dir.rglob("*") if path.is_file()}


def test_there_are_enough_of_them() -> None:
    assert len(UPLOADS) >= 60


@pytest.mark.parametrize("upload", UPLOADS, ids=lambda u: f"{u.modality}-{u.name[:30].encode('ascii', 'replace')!r}")
def test_an_upload_is_refused_in_plain_words_or_judged(upload: Upload, studio: Studio, tmp_path: Path) -> None:
    path = written(upload, tmp_path)
    if not upload.taken:
        before = everything(studio)
        with pytest.raises(BadInput) as refused:
            studio.receive(path, upload.modality, name=upload.name)
        message = str(refused.value)
        assert upload.name in message, "the file is not named"
        assert len(message) < 600
        assert not any(leak in message for leak in ("Traceback", "Error(", str(tmp_path), "root:"))
        assert everything(studio) == before, "something of a refused file is left behind"
        return
    received = studio.receive(path, upload.modality, name=upload.name)
    content = received.content
    assert "/" not in content.name
    assert len(content.name) <= 125
    assert content.path is not None
    assert content.path.read_bytes() == path.read_bytes(), "what is stored is not what came"
    assert content.path.is_relative_to(studio.settings.media_dir)
    assert studio.previews(content)["view"].stat().st_size > 0
    judged = studio.judge(JudgeRequest(modality=upload.modality, first=content, second=content), owner="tester")
    assert judged.verdicts[0].failure is None, judged.verdicts[0].failure
    assert judged.verdicts[0].preference == "tie"


TEXTS = {
    "script": "<script>document.title='pwned'</script>",
    "markdown script": "[click](javascript:alert(1)) ![x](http://127.0.0.1:9/track.png)",
    "right to left": "שלום עולם. مرحبا بالعالم. \u202ereversed\u202c",
    "emoji": "🐹🥕" * 50,
    "one word": "Yes",
    "half a character": "broken \ud83d end",
    "zero bytes inside": "a\x00b\x07c",
    "no spaces": "x" * 5000,
    "only punctuation": "?!?!…",
    "deep markdown": "> " * 500 + "deep",
    "brackets": "[" * 20_000,
}


@pytest.mark.parametrize("name", TEXTS)
def test_odd_texts_are_judged(name: str, studio: Studio) -> None:
    first, second = studio.receive_text(TEXTS[name]).content, studio.receive_text("Plain words.").content
    judged = studio.judge(JudgeRequest(modality=Modality.TEXT, first=first, second=second), owner="tester")
    assert judged.verdicts[0].failure is None
    assert studio.load(judged.pair.id).pair.first.content.text == first.text


def test_a_megabyte_of_text_is_judged_and_more_is_refused(studio: Studio) -> None:
    limit = studio.settings.limits.text_bytes
    long = ("The quick brown fox jumps over the lazy dog. " * (limit // 45))[:limit]
    first, second = studio.receive_text(long).content, studio.receive_text("Short.").content
    judged = studio.judge(JudgeRequest(modality=Modality.TEXT, first=first, second=second), owner="tester")
    assert judged.verdicts[0].preference == "first"
    before = everything(studio)
    with pytest.raises(BadInput, match="text"):
        studio.receive_text(long + " and one more thing")
    assert everything(studio) == before


@pytest.mark.parametrize("text", ["", "   \n\t ", "\u200b"])
def test_an_empty_response_is_refused(text: str, studio: Studio) -> None:
    with pytest.raises(BadInput):
        studio.receive_text(text)


def test_a_file_above_its_limit_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    small = Settings(data_dir=tmp_path / "data", limits={"image_bytes": 1000, "audio_bytes": 1000, "mesh_bytes": 1000})
    studio = Studio(small)
    before = everything(studio)
    for modality in (Modality.IMAGE, Modality.AUDIO, Modality.MESH):
        path = tmp_path / "big"
        path.write_bytes(b"\0" * 1001)
        with pytest.raises(BadInput, match=r"big\.bin"):
            studio.receive(path, modality, name="big.bin")
    assert everything(studio) == before
