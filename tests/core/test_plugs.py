"""A folder is a shelf: file name to PLUG, and a stranger is told what there is."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from core.errors import NotFound
from core.plugs import Shelf


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf[str]:
    folder = tmp_path / "toy_shelf"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "pear.py").write_text("PLUG = 'a pear'")
    (folder / "apple.py").write_text("PLUG = 'an apple'")
    (folder / "_peel.py").write_text("raise RuntimeError('not a plug')")
    monkeypatch.syspath_prepend(tmp_path)
    yield Shelf("toy_shelf", "fruit")
    for name in [name for name in sys.modules if name.startswith("toy_shelf")]:
        del sys.modules[name]


def test_names_are_files_and_listing_imports_none(shelf: Shelf[str]) -> None:
    assert list(shelf) == ["apple", "pear"]
    assert "toy_shelf.apple" not in sys.modules
    assert shelf["apple"] == "an apple"
    assert dict(shelf) == {"apple": "an apple", "pear": "a pear"}


@pytest.mark.parametrize("name", ["plum", "_peel", "", "../pear", "pear.x", "os"])
def test_a_stranger_is_told_what_there_is(shelf: Shelf[str], name: str) -> None:
    assert name not in shelf
    with pytest.raises(NotFound, match=r"no fruit .*apple, pear"):
        shelf[name]
