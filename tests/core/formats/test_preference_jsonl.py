"""The project's own format: what fits is a pair, what does not is a bad row with its line and what to do."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from core.errors import BadInput
from core.formats import FORMATS, BadRow, LabelledPair
from core.modalities import Limits
from core.nouns import Content, Modality, Preference, PreferencePair, Response, Task

FORMAT = FORMATS["preference_jsonl"]
ROW = {"id": "a", "task": "t2t", "prompt": "p", "response_1": "one", "response_2": "two"}
IN_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def read(
    folder: Path, *rows: Any, limits: Limits | None = None, name: str = "pairs.jsonl"
) -> list[LabelledPair | BadRow]:
    """Rows as they are read back; a row is an object, a line of text, or bytes."""
    lines = [
        row if isinstance(row, bytes) else (row if isinstance(row, str) else json.dumps(row)).encode() for row in rows
    ]
    (folder / name).write_bytes(b"\n".join(lines))
    return list(FORMAT.read(folder / name, limits or Limits()))


def reason(folder: Path, row: Any) -> str:
    (found,) = read(folder, row)
    assert isinstance(found, BadRow), found
    return found.reason


def images(folder: Path, *names: str) -> None:
    for shade, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4), shade).save(folder / name, format="PNG")


def test_the_row_of_the_documentation_is_read(tmp_path: Path) -> None:
    images(tmp_path, "a.png", "b.png")
    row = (
        '{"id":"t2i-17","task":"t2i","prompt":"A guinea pig holding a carrot","context":null,"criterion":"Prefer the '
        'close-up.","response_1":"a.png","response_2":"b.png","model_1":"m1","model_2":"m2","label":1}'
    )
    (found,) = read(tmp_path, row)
    assert found == LabelledPair(
        line=1,
        pair=PreferencePair(
            id="t2i-17",
            task=Task.T2I,
            prompt="A guinea pig holding a carrot",
            first=Response(content=Content.of_file(tmp_path / "a.png", Modality.IMAGE), model="m1"),
            second=Response(content=Content.of_file(tmp_path / "b.png", Modality.IMAGE), model="m2"),
        ),
        criterion="Prefer the close-up.",
        label=Preference.FIRST,
    )


@pytest.mark.parametrize("task", list(Task))
def test_every_task_is_read(tmp_path: Path, task: Task) -> None:
    images(tmp_path, "context", "a", "b")
    row = {**ROW, "task": task.value, "context": "context" if task.context else None}
    if task.response is not Modality.TEXT:
        row |= {"response_1": "a", "response_2": "b"}
    (found,) = read(tmp_path, row)
    assert isinstance(found, LabelledPair), found
    assert (found.pair.task, found.pair.modality) == (task, task.response)
    assert (found.pair.context.modality if found.pair.context else None) is task.context


def test_3d_responses_may_be_rendered_images(tmp_path: Path) -> None:
    images(tmp_path, "a.png", "b.PNG", "c.glb")
    (found,) = read(tmp_path, {**ROW, "task": "t23d", "response_1": "a.png", "response_2": "b.PNG"})
    assert isinstance(found, LabelledPair)
    assert found.pair.modality is Modality.IMAGE
    assert "two of a kind" in reason(tmp_path, {**ROW, "task": "t23d", "response_1": "a.png", "response_2": "c.glb"})


@pytest.mark.parametrize(
    ("label", "preference"), [(1, Preference.FIRST), (2, Preference.SECOND), (0, Preference.TIE), (None, None)]
)
def test_labels(tmp_path: Path, label: int | None, preference: Preference | None) -> None:
    (found,) = read(tmp_path, {**ROW, "label": label})
    assert isinstance(found, LabelledPair)
    assert found.label is preference
    (absent,) = read(tmp_path, ROW)
    assert isinstance(absent, LabelledPair)
    assert absent.label is None


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"label": 3}, "none of 1, 2 and 0"),
        ({"label": -1}, "none of 1, 2 and 0"),
        ({"label": True}, "none of 1, 2 and 0"),
        ({"label": "1"}, "none of 1, 2 and 0"),
        ({"label": 1.0}, "none of 1, 2 and 0"),
        ({"task": "t2x"}, "the tasks are t2t, ti2t"),
        ({"task": None}, "'task' is missing"),
        ({"task": 7}, "'task' is not a text"),
        ({"response_2": None}, "'response_2' is missing"),
        ({"response_1": ["one"]}, "'response_1' is not a text"),
        ({"id": None}, "'id' is missing"),
        ({"id": "  "}, "id is empty"),
        ({"id": True}, "'id' is not a text"),
        ({"prompt": 1}, "'prompt' is not a text"),
        ({"criterion": ["c"]}, "'criterion' is not a text"),
        ({"model_1": 1}, "'model_1' is not a text"),
        ({"context": "a.png"}, "prompt of text only"),
        ({"task": "ti2t"}, "'context' is missing"),
        ({"critrion": "c"}, "'critrion' is not known; the keys are id, task"),
        ({"criterion": "c", "criteria": ["d"]}, "keep one of them"),
        ({"criteria": "c"}, "not a list"),
        ({"criteria": []}, "not a list"),
        ({"criteria": [1]}, "'criteria' is not a text"),
        ({"prompt": "\ud800"}, "lone surrogate"),
    ],
)
def test_what_does_not_fit_is_told(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    assert told in reason(tmp_path, ROW | change)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("nonsense", "not JSON"),
        ('{"id": "a"', "not JSON"),
        ("[1]", "not a JSON object"),
        ('"text"', "not a JSON object"),
        ('{"id": "a", "id": "b"}', "'id' comes twice"),
        ("[" * 100_000, "too deep"),
        ('{"id": ' + "9" * 5000 + "}", "number too long"),
        (b'{"id": "\xff"}', "Byte 9 of the line is not UTF-8"),
    ],
)
def test_a_line_that_is_no_row_is_told_and_the_rest_goes_on(tmp_path: Path, line: str | bytes, told: str) -> None:
    bad, good = read(tmp_path, line, ROW)
    assert isinstance(bad, BadRow)
    assert told in bad.reason
    assert bad.line == 1
    assert isinstance(good, LabelledPair)
    assert good.line == 2


def test_a_huge_line_is_refused_without_being_kept(tmp_path: Path) -> None:
    limits = Limits(text_bytes=1000)
    huge = json.dumps(ROW | {"id": "huge", "response_1": "x" * 3_000_000})
    good, bad, last = read(tmp_path, ROW, huge, ROW | {"id": "b"}, limits=limits)
    assert isinstance(bad, BadRow)
    assert bad.line == 2
    assert "longer than" in bad.reason
    assert isinstance(good, LabelledPair)
    assert isinstance(last, LabelledPair)
    assert last.line == 3


def test_a_huge_last_line_without_an_end_is_refused(tmp_path: Path) -> None:
    assert [type(row) for row in read(tmp_path, ROW, "x" * 3_000_000, limits=Limits(text_bytes=9))] == [
        LabelledPair,
        BadRow,
    ]


def test_texts_and_files_that_are_too_large_are_refused(tmp_path: Path) -> None:
    images(tmp_path, "a.png")
    text, image = read(
        tmp_path,
        ROW | {"response_1": "é" * 11},
        ROW | {"id": "b", "task": "t2i", "response_1": "a.png", "response_2": "a.png"},
        limits=Limits(text_bytes=20, image_bytes=10),
    )
    assert isinstance(text, BadRow)
    assert "22 bytes; at most 20" in text.reason
    assert isinstance(image, BadRow)
    assert "at most 10" in image.reason


def test_ids_are_used_once(tmp_path: Path) -> None:
    rows = read(
        tmp_path, ROW, ROW, ROW | {"id": 7}, ROW | {"id": "7"}, ROW | {"id": "x", "label": 9}, ROW | {"id": "x"}
    )
    assert [type(row).__name__ for row in rows] == [
        "LabelledPair",
        "BadRow",
        "LabelledPair",
        "BadRow",
        "BadRow",
        "BadRow",
    ]
    assert isinstance(rows[1], BadRow)
    assert rows[1].id == "a"
    assert "'a' was used by an earlier line" in rows[1].reason


def test_several_criteria_are_several_questions(tmp_path: Path) -> None:
    rows = read(tmp_path, ROW | {"criteria": ["sharper", None, "shorter"], "label": 2}, ROW | {"id": "a#2"}, ROW)
    asked = [(r.pair.id, r.criterion, r.label, r.line) for r in rows if isinstance(r, LabelledPair)]
    second = Preference.SECOND
    assert asked == [("a#1", "sharper", second, 1), ("a#2", None, second, 1), ("a#3", "shorter", second, 1)]
    assert [type(row) for row in rows[3:]] == [BadRow, BadRow]


def test_keys_for_people_are_passed_over(tmp_path: Path) -> None:
    (found,) = read(tmp_path, ROW | {"title": "T", "about": ["x"], "credits": {"a": 1}})
    assert isinstance(found, LabelledPair)


def test_marks_blank_lines_and_line_ends(tmp_path: Path) -> None:
    row = json.dumps(ROW, ensure_ascii=False)
    (tmp_path / "p.jsonl").write_bytes(b"\xef\xbb\xbf" + f"{row}\r\n\r\n  \n{row}".encode())
    first, second = FORMAT.read(tmp_path / "p.jsonl", Limits())
    assert isinstance(first, LabelledPair)
    assert (second.line, type(second)) == (4, BadRow), "the id comes twice, and blank lines count in line numbers"
    assert list(read(tmp_path, "")) == []


def test_line_separators_inside_a_text_do_not_end_a_line(tmp_path: Path) -> None:
    line = json.dumps(ROW | {"response_1": "a\u2028b\x85c"}, ensure_ascii=False)
    (found,) = read(tmp_path, line)
    assert isinstance(found, LabelledPair)
    assert found.pair.first.content.text == "a\u2028b\x85c"


@pytest.mark.parametrize("mark", ["utf-16", "utf-16-be"])
def test_a_file_in_another_encoding_is_refused_as_a_whole(tmp_path: Path, mark: str) -> None:
    (tmp_path / "p.jsonl").write_bytes(
        ("\ufeff" if mark.endswith("be") else "").encode(mark) + json.dumps(ROW).encode(mark)
    )
    with pytest.raises(BadInput, match="save it as UTF-8"):
        list(FORMAT.read(tmp_path / "p.jsonl", Limits()))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "gone.jsonl"):
        with pytest.raises(BadInput, match="not a file that is there"):
            list(FORMAT.read(path, Limits()))


@pytest.fixture
def fenced(tmp_path: Path) -> Path:
    """A folder of pairs with a file outside of it and links of every kind inside."""
    folder = tmp_path / "pairs"
    images(folder, "a.png", "sub/b.png", "sub/deep/c.png")
    images(tmp_path, "outside.png", "pairs-next-door/d.png")
    (folder / "in.png").symlink_to("sub/b.png")
    (folder / "out.png").symlink_to(tmp_path / "outside.png")
    (folder / "up").symlink_to(tmp_path)
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "folder.png").mkdir()
    os.mkfifo(folder / "pipe.png")
    return folder


@pytest.mark.parametrize("name", ["a.png", "sub/b.png", "./sub/../a.png", "in.png", "sub/deep/c.png"])
def test_files_in_the_folder_may_be_named(fenced: Path, name: str) -> None:
    (found,) = read(fenced, ROW | {"task": "t2i", "response_1": name, "response_2": "a.png"})
    assert isinstance(found, LabelledPair), found
    assert found.pair.first.content.name == Path(name).name


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("../outside.png", "leads out of the folder"),
        ("sub/../../outside.png", "leads out of the folder"),
        ("../pairs-next-door/d.png", "leads out of the folder"),
        ("out.png", "leads out of the folder"),
        ("up/outside.png", "leads out of the folder"),
        ("{folder}/a.png", "not a path relative"),
        ("/etc/hostname", "not a path relative"),
        ("", "not a path relative"),
        ("a.png\x00.txt", "not a path relative"),
        ("https://example.org/a.png", "download the file"),
        ("file:///etc/hostname", "download the file"),
        ("gone.png", "is not there"),
        ("folder.png", "is not there"),
        ("pipe.png", "is not there"),
        ("loop.png", ""),
        ("x" * 5000, "cannot be read"),
    ],
)
def test_no_other_file_may_be_named(fenced: Path, name: str, told: str) -> None:
    name = name.format(folder=fenced)
    for row in ({"response_1": name, "response_2": "a.png"}, {"response_1": "a.png", "response_2": name}):
        assert told in reason(fenced, ROW | {"task": "t2i"} | row)
    assert told in reason(fenced, ROW | {"task": "ti2t", "context": name})


def test_a_list_is_read_from_any_working_folder(fenced: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images(fenced, "a.png")
    row = ROW | {"task": "t2i", "response_1": "a.png", "response_2": "sub/b.png"}
    (fenced / "p.jsonl").write_text(json.dumps(row))
    monkeypatch.chdir(fenced / "sub")
    (found,) = FORMAT.read(Path("../p.jsonl"), Limits())
    assert isinstance(found, LabelledPair)


TEXTS = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=30)


@st.composite
def labelled(draw: st.DrawFn) -> list[dict[str, Any]]:
    names = draw(st.lists(TEXTS.filter(str.strip), unique=True, max_size=5))
    return [
        {
            "id": name,
            "first": draw(TEXTS),
            "second": draw(TEXTS),
            "prompt": draw(TEXTS),
            "model": draw(TEXTS),
            "criterion": draw(st.none() | TEXTS.filter(bool)),
            "label": draw(st.none() | st.sampled_from(Preference)),
            "media": draw(st.booleans()),
        }
        for name in names
    ]


@IN_FOLDER
@given(rows=labelled())
def test_what_is_written_is_read_back(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    images(tmp_path, "a.png", "sub/b.png", "c.png")
    picture = [Content.of_file(tmp_path / name, Modality.IMAGE) for name in ("a.png", "sub/b.png", "c.png")]
    pairs = [
        LabelledPair(
            line=line,
            pair=PreferencePair(
                id=row["id"],
                task=Task.TI2I if row["media"] else Task.T2T,
                prompt=row["prompt"],
                context=picture[2] if row["media"] else None,
                first=Response(
                    content=picture[0] if row["media"] else Content.of_text(row["first"]), model=row["model"]
                ),
                second=Response(content=picture[1] if row["media"] else Content.of_text(row["second"])),
            ),
            criterion=row["criterion"],
            label=row["label"],
        )
        for line, row in enumerate(rows, 1)
    ]
    assert FORMAT.write(tmp_path / "out.jsonl", pairs) == len(pairs)
    assert list(FORMAT.read(tmp_path / "out.jsonl", Limits())) == pairs


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*ROW, "label", "criteria", "context"]), inner, max_size=8)
    ),
    max_leaves=12,
)


@IN_FOLDER
@given(lines=st.lists(st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()), max_size=6))
def test_whatever_a_file_holds_is_a_pair_or_a_bad_row(tmp_path: Path, lines: list[bytes]) -> None:
    (tmp_path / "p.jsonl").write_bytes(b"\n".join([b"", *lines]))
    for row in FORMAT.read(tmp_path / "p.jsonl", Limits()):
        assert isinstance(row, LabelledPair) or row.reason


def test_writing_is_all_or_nothing(tmp_path: Path) -> None:
    images(tmp_path, "lists/a.png", "outside.png")
    path = tmp_path / "lists" / "out.jsonl"
    text = Response(content=Content.of_text("x"))
    outside = Response(content=Content.of_file(tmp_path / "outside.png", Modality.IMAGE))
    good = LabelledPair(line=1, pair=PreferencePair(id="a", task=Task.T2T, first=text, second=text))
    nameless = LabelledPair(line=2, pair=PreferencePair(task=Task.T2T, first=text, second=text))
    lost = LabelledPair(line=2, pair=PreferencePair(id="b", task=Task.T2I, first=outside, second=outside))
    for bad, told in ((good, "comes twice"), (nameless, "empty"), (lost, "copy it there first")):
        with pytest.raises(BadInput, match=told):
            FORMAT.write(path, [good, bad])
    assert [p.name for p in path.parent.iterdir()] == ["a.png"]
