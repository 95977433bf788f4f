"""How often a fingerprint links different contents, and how often it misses one that was saved anew.

    python -m benchmarks.fingerprints DATA [--only image]

DATA is a folder of plain files: photos/, audio/, video/, mesh/, and text/ with lists of pairs (.jsonl.gz, of which the
two responses of each row are taken). Every two files count as different. Each file is also saved anew in several
ways, which should change nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import json
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import BadInput
from core.fingerprints import FINGERPRINTS, FingerprintPlug
from core.modalities import MODALITIES, Limits
from core.nouns import Modality

FOLDERS = {Modality.IMAGE: "photos", Modality.AUDIO: "audio", Modality.VIDEO: "video", Modality.MESH: "mesh"}
TEXTS, ANEW = 4000, 120  # texts taken; files saved anew
Way = Callable[[Path, Path], Path]


def _picture(change: Callable[[Any], Any], name: str, **options: Any) -> Way:
    def save(source: Path, folder: Path) -> Path:
        from PIL import Image

        with Image.open(source) as image:
            change(image.convert("RGB")).save(folder / name, **options)
        return folder / name

    return save


def _scaled(share: float) -> Callable[[Any], Any]:
    return lambda image: image.resize((max(1, int(image.width * share)), max(1, int(image.height * share))))


def _brighter(share: float) -> Callable[[Any], Any]:
    def change(image: Any) -> Any:
        from PIL import ImageEnhance

        return ImageEnhance.Brightness(image).enhance(share)

    return change


def _sound(name: str, gain: float = 1.0, rate: int | None = None) -> Way:
    def save(source: Path, folder: Path) -> Path:
        import soundfile
        from scipy.signal import resample_poly

        samples, own = soundfile.read(source)
        if rate is not None:
            samples = resample_poly(samples, rate, own, axis=0)
        soundfile.write(folder / name, np.clip(samples * gain, -1, 1), rate or own)
        return folder / name

    return save


def _film(quality: str, share: float) -> Way:
    def save(source: Path, folder: Path) -> Path:
        import av

        path = folder / "film.mp4"
        with av.open(str(source)) as read, av.open(str(path), "w") as write:
            before = read.streams.video[0]
            after = write.add_stream("libx264", rate=before.average_rate, options={"crf": quality})
            after.width, after.height = (int(side * share) // 2 * 2 for side in (before.width, before.height))
            after.pix_fmt = "yuv420p"
            for frame in read.decode(before):
                write.mux(after.encode(frame.reformat(after.width, after.height, "yuv420p")))
            write.mux(after.encode(None))
        return path

    return save


def _solid(suffix: str) -> Way:
    def save(source: Path, folder: Path) -> Path:
        """Triangles in another order, turned, moved and scaled."""
        import trimesh

        shape = MODALITIES[Modality.MESH].open(source, source.name, Limits()).decoded
        rng = np.random.default_rng(3)
        turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        points = np.asarray(shape.points, float) @ turn.T * 7.3 + (1, 2, 3)
        new = rng.permutation(len(points))
        moved = np.empty_like(points)
        moved[new] = points
        path = folder / f"shape{suffix}"
        trimesh.Trimesh(moved, rng.permutation(new[shape.faces]), process=False).export(path)
        return path

    return save


WAYS: dict[Modality, dict[str, Way]] = {
    Modality.IMAGE: {
        "JPEG 60 at half size": _picture(_scaled(0.5), "a.jpg", quality=60),
        "WebP 50": _picture(lambda image: image, "a.webp", quality=50),
        "a tenth brighter": _picture(_brighter(1.1), "a.png"),
        "a quarter brighter": _picture(_brighter(1.25), "a.png"),
        "PNG at 160 %": _picture(_scaled(1.6), "a.png"),
    },
    Modality.AUDIO: {
        "MP3": _sound("a.mp3"),
        "half as loud": _sound("a.wav", gain=0.5),
        "at 16 kHz": _sound("a.flac", rate=16_000),
        "Ogg": _sound("a.ogg"),
    },
    Modality.VIDEO: {"H.264 at half size": _film("32", 0.5), "H.264": _film("28", 1.0)},
    Modality.MESH: {"PLY": _solid(".ply"), "STL": _solid(".stl"), "GLB": _solid(".glb")},
}


def _one_in(count: int) -> Callable[[str], str]:
    def change(text: str) -> str:
        words, rng = text.split(), np.random.default_rng(len(text))
        for place in rng.choice(len(words), max(1, len(words) // count), replace=False):
            words[place] = "otherwise"
        return " ".join(words)

    return change


EDITS: dict[str, Callable[[str], str]] = {
    "upper case": str.upper,
    "no punctuation": lambda text: re.sub(r"[^\w\s]", " ", text),
    "one word in 20 changed": _one_in(20),
}


def fingerprints(modality: Modality, sources: list[Any]) -> Iterator[bytes | None]:
    plug, own = MODALITIES[modality], FINGERPRINTS[modality]
    for source in sources:
        yield own.of(plug.open(source, "file", Limits()))


def readable(modality: Modality, folder: Path) -> list[Path]:
    found = []
    for path in sorted(folder.iterdir()):
        if path.suffix != ".jsonl":
            # some are kept to be refused
            with contextlib.suppress(BadInput):
                MODALITIES[modality].open(path, path.name, Limits())
                found.append(path)
    return found


def _some(sources: list[Any], most: int, seed: int) -> list[Any]:
    return [sources[place] for place in np.random.default_rng(seed).permutation(len(sources))[:most]]


def texts(folder: Path) -> list[str]:
    found: dict[str, None] = {}
    for path in sorted(folder.glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            rows = [json.loads(line) for line in file]
        found |= {
            str(row[key]): None for row in rows for key in ("response_1", "response_2") if len(row.get(key) or "") > 60
        }
    return _some(list(found), TEXTS, seed=7)


def anew(modality: Modality, sources: list[Any]) -> Iterator[tuple[str, list[Any], list[bytes | None]]]:
    """Each way of saving, what was saved so, and the fingerprints of that."""
    some = _some(sources, ANEW, seed=5)
    if modality is Modality.TEXT:
        for name, edit in EDITS.items():
            yield name, some, list(fingerprints(modality, [edit(text) for text in some]))
        return
    for name, way in WAYS[modality].items():
        with tempfile.TemporaryDirectory() as folder:
            found = [next(fingerprints(modality, [way(source, Path(folder))])) for source in some]
        yield name, some, found


def linked(plug: FingerprintPlug, first: bytes | None, second: bytes | None) -> tuple[float, bool]:
    """The distance, and whether the index would find it."""
    if first is None or second is None:
        return 1.0, False
    return plug.distance(first, second), not set(plug.keys(first)).isdisjoint(plug.keys(second))


def measure(modality: Modality, data: Path) -> Iterator[str]:
    """What is to be told of one modality, line by line."""
    plug = FINGERPRINTS[modality]
    text = modality is Modality.TEXT
    sources: list[Any] = texts(data / "text") if text else readable(modality, data / FOLDERS[modality])
    began = time.perf_counter()
    own = dict(zip(sources, fingerprints(modality, sources), strict=True))
    each = (time.perf_counter() - began) / len(sources)
    names, said = zip(*((source, one) for source, one in own.items() if one is not None), strict=True)
    apart = np.array([plug.distance(a, b) for a, b in combinations(said, 2)])
    near = [pair for pair, far in zip(combinations(names, 2), apart, strict=True) if far <= plug.threshold]
    yield (
        f"{modality}: {len(sources)} contents, {len(sources) - len(said)} say nothing; threshold {plug.threshold:.3g}; "
        f"{1000 * each:.0f} ms each, opening it included"
    )
    yield f"  different: {len(near)} of {len(apart):,} pairs linked; nearest {np.sort(apart)[:8].round(3)}"
    if near and not text:
        yield "    " + ", ".join(f"{a.name} and {b.name}" for a, b in near[:20])
    for name, some, found in anew(modality, sources):
        pairs = [linked(plug, own[source], one) for source, one in zip(some, found, strict=True) if own[source]]
        missed = sum(far > plug.threshold for far, _ in pairs)
        unfound = sum(far <= plug.threshold and not key for far, key in pairs)
        worst = np.sort([far for far, _ in pairs])[::-1][:5].round(3)
        yield f"  {name}: {missed} of {len(pairs)} missed, {unfound} not found by the index; furthest {worst}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", choices=[modality.value for modality in Modality])
    asked = parser.parse_args()
    for modality in Modality:
        if asked.only in (None, modality.value):
            for line in measure(modality, asked.data):
                print(line)  # noqa: T201


if __name__ == "__main__":
    main()
