"""What judging a pair costs, as a ratio to only decoding the same two files (the floor), in one run.

    make benchmark                        # every modality
    make benchmark ARGS="image --rounds 9"

For each round the floor and the judgement are timed one after the other, so that both see the same machine; the
medians are printed. "judge" is decoding, checking, measuring and judging; "trip" is the studio's whole trip with
hashing, storing the media and the rows. Nothing is cached between rounds.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import media
from core.evidence import Measuring
from core.judges import JUDGES, Judge
from core.judging import judge_questions
from core.nouns import Content, Modality, PreferencePair, Question, Response, Task

TASKS = {
    Modality.TEXT: Task.T2T,
    Modality.IMAGE: Task.T2I,
    Modality.AUDIO: Task.T2A,
    Modality.VIDEO: Task.T2V,
    Modality.MESH: Task.T23D,
}
CRITERION = "Prefer the cleaner one."


def decode_image(path: Path) -> None:
    from PIL import Image

    with Image.open(path) as image:
        image.load()


def decode_audio(path: Path) -> None:
    import soundfile

    soundfile.read(path, dtype="float32")


def decode_video(path: Path) -> None:
    import av

    with av.open(str(path)) as container:
        container.streams.video[0].thread_type = "AUTO"
        for frame in container.decode(video=0):
            frame.pts  # noqa: B018 - decoding is what is timed


def decode_mesh(path: Path) -> None:
    import open3d

    open3d.io.read_triangle_mesh(str(path))


CASES: dict[str, tuple[Modality, Callable[[Path], list], Callable[[Path], None] | None]] = {
    "text, 300 words": (Modality.TEXT, lambda folder: media.text_pair(), None),
    "image, 12 MP JPEG": (Modality.IMAGE, media.image_pair, decode_image),
    "audio, 30 s MP3": (Modality.AUDIO, lambda folder: media.audio_pair(folder, ".mp3"), decode_audio),
    "audio, 30 s FLAC": (Modality.AUDIO, lambda folder: media.audio_pair(folder, ".flac"), decode_audio),
    "video, 10 s 720p": (Modality.VIDEO, media.video_pair, decode_video),
    "mesh, 100k OBJ": (Modality.MESH, lambda folder: media.mesh_pair(folder, ".obj"), decode_mesh),
    "mesh, 100k PLY": (Modality.MESH, lambda folder: media.mesh_pair(folder, ".ply"), decode_mesh),
    "mesh, 100k STL": (Modality.MESH, lambda folder: media.mesh_pair(folder, ".stl"), decode_mesh),
    "mesh, 100k GLB": (Modality.MESH, lambda folder: media.mesh_pair(folder, ".glb"), decode_mesh),
}


def timed(what: Callable[[], object]) -> float:
    started = time.perf_counter()
    what()
    return time.perf_counter() - started


def contents(modality: Modality, sources: list) -> list[Content]:
    if modality is Modality.TEXT:
        return [Content.of_text(text) for text in sources]
    return [Content.of_file(path, modality) for path in sources]


def judge_once(judge: Judge, modality: Modality, sources: list) -> None:
    first, second = contents(modality, sources)
    pair = PreferencePair(task=TASKS[modality], first=Response(content=first), second=Response(content=second))
    verdict = judge_questions(judge, [Question(pair=pair, criterion=CRITERION)], Measuring())[0]
    if verdict.failure is not None and verdict.failure.kind != "not_covered":
        raise SystemExit(f"{modality.label}: {verdict.failure.message}")


def trip_once(modality: Modality, sources: list) -> float:
    """Seconds of the studio's trip in a fresh data folder (making the folder and its database is not counted)."""
    from app.settings import Settings
    from app.studio import JudgeRequest, Studio

    folder = Path(tempfile.mkdtemp())
    try:
        studio = Studio(Settings(data_dir=folder))
        with studio.residency.lease("starter"):
            pass  # loaded before the clock starts, as in a running studio

        def trip() -> None:
            received = [
                studio.receive_text(source) if modality is Modality.TEXT else studio.receive(source, modality)
                for source in sources
            ]
            request = JudgeRequest(
                modality=modality, first=received[0].content, second=received[1].content, criteria=(CRITERION,)
            )
            studio.judge(request, owner="benchmark")

        return timed(trip)
    finally:
        shutil.rmtree(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modality", nargs="*", help="only cases whose name begins so: text image audio video mesh")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    judge = JUDGES["starter"].load()
    print(f"{'pair':<20}{'decode only':>13}{'judge':>12}{'ratio':>8}{'trip':>12}{'ratio':>8}")  # noqa: T201
    for name, (modality, make, decode) in CASES.items():
        if options.modality and not name.startswith(tuple(options.modality)):
            continue
        with tempfile.TemporaryDirectory() as folder:
            sources = make(Path(folder))
            judge_once(judge, modality, sources)  # the first time pays for imports
            trip_once(modality, sources)
            rounds = []
            for _ in range(options.rounds):
                floor = timed(lambda: [decode(source) for source in sources]) if decode else 0.0  # noqa: B023
                judged = timed(lambda: judge_once(judge, modality, sources))  # noqa: B023
                rounds.append((floor, judged, trip_once(modality, sources)))
        floor, judged, trip = (statistics.median(column) for column in zip(*rounds, strict=True))
        ratios = (f"{judged / floor:.2f}", f"{trip / floor:.2f}") if decode else ("–", "–")
        decoding = f"{floor * 1000:.1f} ms" if decode else "–"
        print(  # noqa: T201
            f"{name:<20}{decoding:>13}{judged * 1000:>9.1f} ms{ratios[0]:>8}{trip * 1000:>9.1f} ms{ratios[1]:>8}"
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 if sys.platform == "darwin" else 1024)
    print(f"peak memory {peak / (1024**2 if sys.platform == 'darwin' else 1):.0f} MB")  # noqa: T201


if __name__ == "__main__":
    main()
