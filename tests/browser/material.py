"""Small real files for the page: two of each modality, the first larger (the `fixed` judge prefers the larger)."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
from PIL import Image


def make_media(folder: Path) -> dict[str, tuple[Path, Path]]:
    return {
        "image": (_image(folder / "one.png", 320, 240), _image(folder / "two.png", 160, 120)),
        "audio": (_sound(folder / "one.wav", 3.0, 0.5), _sound(folder / "two.wav", 2.0, 0.1)),
        "video": (_video(folder / "one.mp4", 40), _video(folder / "two.mp4", 20)),
        "mesh": (_mesh(folder / "one.obj", 24), _mesh(folder / "two.obj", 12)),
    }


def _image(path: Path, width: int, height: int) -> Path:
    pixels = np.random.default_rng(width).integers(0, 255, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def _sound(path: Path, seconds: float, level: float) -> Path:
    times = np.arange(int(22050 * seconds)) / 22050
    samples = (level * np.sin(2 * np.pi * 330 * times) * 32767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(22050)
        file.writeframes(samples.tobytes())
    return path


def _video(path: Path, frames: int) -> Path:
    import av

    rng = np.random.default_rng(frames)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("h264", rate=20)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for index in range(frames):
            picture = np.full((120, 160, 3), 6 * index % 255, dtype=np.uint8)
            picture[:, index : index + 40] = rng.integers(0, 255, 3)
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def _mesh(path: Path, steps: int) -> Path:
    """A closed tube bent into a ring."""
    around = 2 * np.pi * np.arange(steps) / steps
    u, v = np.meshgrid(around, around, indexing="ij")
    points = np.stack([(1 + 0.4 * np.cos(v)) * np.cos(u), 0.4 * np.sin(v), (1 + 0.4 * np.cos(v)) * np.sin(u)], -1)
    lines = [f"v {x:.4f} {y:.4f} {z:.4f}" for x, y, z in points.reshape(-1, 3)]
    for i in range(steps):
        for j in range(steps):
            a, b = i * steps + j, (i + 1) % steps * steps + j
            c, d = (i + 1) % steps * steps + (j + 1) % steps, i * steps + (j + 1) % steps
            lines += [f"f {a + 1} {d + 1} {b + 1}", f"f {b + 1} {d + 1} {c + 1}"]
    path.write_text("\n".join(lines) + "\n")
    return path
