"""Sources of real media below a data folder, split by group so that no file's relatives are on two sides.

Layout: `photos|video|audio|mesh/manifest.jsonl` (file, licence, group) beside the files; `text/*.jsonl.gz` and
`audio_p835/pairs.jsonl` hold human pairs (prompt, criterion, response_1, response_2, label 0/1/2, source).
"""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core.errors import BadInput
from core.models.starter.recipe import Recipe
from core.nouns import Modality

FOLDERS = {Modality.IMAGE: "photos", Modality.VIDEO: "video", Modality.AUDIO: "audio", Modality.MESH: "mesh"}


@dataclass(frozen=True)
class Source:
    """One real file, or one real text."""

    name: str
    group: str
    split: str
    path: Path | None = None
    text: str | None = None
    sound: Path | None = None  # a soundtrack for a clip that has none


@dataclass(frozen=True)
class HumanPair:
    """Two responses and which one people preferred (1 or 2; ties are left out of training)."""

    modality: Modality
    source: str
    prompt: str
    criterion: str | None
    responses: tuple[str, str]
    label: int
    group: str
    split: str


def draw(text: str) -> float:
    """A number in [0, 1) that depends on the text alone, the same on every machine."""
    return int(hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12], 16) / 16**12


def splits_of(groups: Iterable[str]) -> dict[str, str]:
    """The split of every group: 16 % test, 12 % choose, at least one each, and the rest is learned from.

    Groups are ranked by a hash and cut exactly, since shares left to chance leave a small folder without a test.
    """
    ranked = sorted(set(groups), key=lambda group: draw(f"split:{group}"))
    test = max(1, round(0.16 * len(ranked)))
    choose = max(1, round(0.12 * len(ranked)))
    names = ["test"] * test + ["choose"] * choose
    return dict(zip(ranked, names + ["train"] * (len(ranked) - len(names)), strict=False))


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        for line in file:
            if line.strip():
                yield json.loads(line)


def media_sources(modality: Modality, data_dir: Path, recipe: Recipe) -> list[Source]:
    """Real media of one modality, at most the recipe's number, as many groups as possible before a second of a group.

    Raises BadInput where the folder has none.
    """
    found = _texts(data_dir, recipe) if modality is Modality.TEXT else _files(modality, data_dir, recipe)
    by_group: dict[str, list[Source]] = defaultdict(list)
    for source in sorted(found, key=lambda source: draw(source.name)):
        by_group[source.group].append(source)
    turns = [(turn, draw(group), source) for group, members in by_group.items() for turn, source in enumerate(members)]
    ordered = [source for _, _, source in sorted(turns, key=lambda item: item[:2])]
    if not ordered:
        raise BadInput(f"There is no {modality.label} to learn from in {data_dir.name!r}; see `core.models.starter`.")
    chosen = ordered[: recipe.preparation.files[modality]]
    return _with_sound(chosen, data_dir, recipe) if modality is Modality.VIDEO else chosen


def _with_sound(clips: list[Source], data_dir: Path, recipe: Recipe) -> list[Source]:
    """Two clips of three get a soundtrack of their own split, so that wishes about a clip's sound can be learned."""
    sounds: dict[str, list[Source]] = defaultdict(list)
    for sound in sorted(_files(Modality.AUDIO, data_dir, recipe), key=lambda source: draw(source.name)):
        sounds[sound.split].append(sound)
    found = []
    for clip in clips:
        options = sounds[clip.split]
        if options and draw(f"sound:{clip.name}") < 0.67:
            clip = replace(clip, sound=options[int(draw(f"which:{clip.name}") * len(options))].path)
        found.append(clip)
    return found


def _files(modality: Modality, data_dir: Path, recipe: Recipe) -> Iterator[Source]:
    manifest = data_dir / FOLDERS[modality] / "manifest.jsonl"
    if not manifest.is_file():
        return
    rows = [row for row in _rows(manifest) if not re.search(recipe.leave_out_licences, row.get("licence", ""))]
    splits = splits_of(row["group"] for row in rows)
    for row in rows:
        yield Source(row["file"], f"{modality}:{row['group']}", splits[row["group"]], path=data_dir / row["file"])


def _texts(data_dir: Path, recipe: Recipe) -> Iterator[Source]:
    low, high = recipe.preparation.text_words
    for pair in human_text_pairs(data_dir, recipe):
        text = pair.responses[0]
        if low <= len(text.split()) <= high:
            yield Source(hashlib.sha256(text.encode()).hexdigest()[:16], pair.group, pair.split, text=text)


def human_text_pairs(data_dir: Path, recipe: Recipe) -> Iterator[HumanPair]:
    """Human text pairs, ties included (label 0); at most the recipe's number for each source."""
    for path in sorted((data_dir / "text").glob("*.jsonl.gz")):
        name = path.name.removesuffix(".jsonl.gz")
        if name in recipe.leave_out:
            continue
        rows = [row for row in _rows(path) if row.get("label_kind", "").startswith("human")]
        yield from _capped(_pairs_of(rows, Modality.TEXT, name, recipe))


def human_sound_pairs(data_dir: Path, recipe: Recipe) -> Iterator[HumanPair]:
    """ITU-T P.835 pairs: two conditions of one talker; grouped by talker, so that test talkers are unheard."""
    path = data_dir / "audio_p835" / "pairs.jsonl"
    if path.is_file():
        for pair in _pairs_of(list(_rows(path)), Modality.AUDIO, "p835", recipe, group=_talker):
            first, second = (str(path.parent / name) for name in pair.responses)
            yield replace(pair, responses=(first, second))


def _talker(row: dict[str, Any]) -> str:
    return row["response_1"].rsplit("_", 1)[-1].split(".")[0]


def _prompt(row: dict[str, Any]) -> str:
    return hashlib.sha256((row.get("prompt") or "").encode("utf-8", "replace")).hexdigest()[:16]


def _pairs_of(
    rows: list[dict[str, Any]],
    modality: Modality,
    source: str,
    recipe: Recipe,
    group: Callable[[dict[str, Any]], str] = _prompt,
) -> Iterator[HumanPair]:
    """At most the recipe's number of a source's pairs; split by group over all of the source."""
    splits = splits_of(map(group, rows))
    for row in sorted(rows, key=lambda row: draw(str(row["id"])))[: recipe.preparation.pairs_per_source]:
        yield HumanPair(
            modality=modality,
            source=source,
            prompt=row.get("prompt") or "",
            criterion=row.get("criterion") or None,
            responses=(row["response_1"], row["response_2"]),
            label=int(row["label"]),
            group=f"{source}:{group(row)}",
            split=splits[group(row)],
        )


def _capped(pairs: Iterable[HumanPair], longest: int = 20_000) -> Iterator[HumanPair]:
    for pair in pairs:
        if all(0 < len(response) <= longest for response in pair.responses):
            yield pair


def criteria_bank(data_dir: Path) -> list[str]:
    """Free-form criteria about the content of texts (BiGGen-Bench), which measuring cannot decide."""
    path = data_dir / "text" / "biggen_criteria_bank.jsonl.gz"
    return sorted({row["criterion"] for row in _rows(path)}) if path.is_file() else []
