"""Contents saved anew, as people and programs do: smaller, in another format, in another order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from core.modalities import MODALITIES, Limits
from core.nouns import Modality

EXAMPLES = Path(__file__).resolve().parents[3] / "assets" / "examples"


def small_jpeg(source: Path, folder: Path) -> Path:
    path = folder / "small.jpg"
    with Image.open(source) as image:
        image.convert("RGB").resize((image.width * 2 // 3, image.height * 2 // 3)).save(path, quality=60)
    return path


def mp3(source: Path, folder: Path) -> Path:
    """Quieter, at another rate, as MP3."""
    import soundfile
    from scipy.signal import resample_poly

    samples, rate = soundfile.read(source)
    path = folder / "sound.mp3"
    soundfile.write(path, 0.6 * resample_poly(samples, 32_000, rate, axis=0), 32_000)
    return path


def small_film(source: Path, folder: Path) -> Path:
    import av

    path = folder / "film.mp4"
    with av.open(str(source)) as read, av.open(str(path), "w") as write:
        before = read.streams.video[0]
        after = write.add_stream("libx264", rate=before.average_rate, options={"crf": "30", "preset": "veryfast"})
        after.width, after.height, after.pix_fmt = before.width // 4 * 2, before.height // 4 * 2, "yuv420p"
        for frame in read.decode(before):
            write.mux(after.encode(frame.reformat(after.width, after.height, "yuv420p")))
        write.mux(after.encode(None))
    return path


def shuffled_ply(source: Path, folder: Path) -> Path:
    """The same triangles in another order, turned, moved and larger, as a PLY of text."""
    shape = MODALITIES[Modality.MESH].open(source, source.name, Limits()).decoded
    rng = np.random.default_rng(3)
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    new = rng.permutation(len(shape.points))
    points = np.empty((len(new), 3))
    points[new] = np.asarray(shape.points, float) @ turn.T * 7.3 + (1, 2, 3)
    faces = rng.permutation(new[shape.faces])
    head = (
        f"ply\nformat ascii 1.0\nelement vertex {len(points)}\nproperty float x\nproperty float y\nproperty float z\n"
        f"element face {len(faces)}\nproperty list uchar int vertex_indices\nend_header\n"
    )
    lines = [" ".join(f"{value:.6f}" for value in point) for point in points]
    lines += [f"3 {a} {b} {c}" for a, b, c in faces]
    path = folder / "shape.ply"
    path.write_text(head + "\n".join(lines) + "\n")
    return path


ANEW = {
    Modality.IMAGE: ("city_water.jpg", "dog_shore.jpg", small_jpeg),
    Modality.AUDIO: ("fire.flac", "rooster.flac", mp3),
    Modality.VIDEO: ("worker.mp4", "turning_car.mp4", small_film),
    Modality.MESH: ("boot.ply", "scorpion.ply", shuffled_ply),
}
