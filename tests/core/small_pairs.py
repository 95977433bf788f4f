"""A small real pair for each of the nine tasks, its files made on the spot."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
from PIL import Image

from core.nouns import Content, Modality, PreferencePair, Response, Task

COLOURS = ((200, 40, 40), (40, 60, 210), (30, 160, 60))  # of the first response, the second, and the context
HERTZ = (440, 880, 220)


def _image(folder: Path, which: int) -> Path:
    picture = np.zeros((48, 64, 3), np.uint8) + np.array(COLOURS[which], np.uint8)
    picture[8:16, 8:24] = 250
    path = folder / f"{which}.png"
    Image.fromarray(picture).save(path)
    return path


def _audio(folder: Path, which: int) -> Path:
    t = np.arange(16000) / 16000
    path = folder / f"{which}.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes((0.5 * 32767 * np.sin(2 * np.pi * HERTZ[which] * t)).astype("<i2").tobytes())
    return path


def _video(folder: Path, which: int) -> Path:
    import av

    path = folder / f"{which}.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=12)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for step in range(24):
            picture = np.zeros((48, 64, 3), np.uint8) + np.array(COLOURS[which], np.uint8)
            picture[8:24, step : step + 16] = 250
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def _mesh(folder: Path, which: int) -> Path:
    path = folder / f"{which}.obj"
    tip = 1 + which
    path.write_text(f"v 0 0 0\nv 1 0 0\nv 0 1 0\nv 0 0 {tip}\nf 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n")
    return path


_MAKERS = {Modality.IMAGE: _image, Modality.AUDIO: _audio, Modality.VIDEO: _video, Modality.MESH: _mesh}
TEXTS = ("Rain is water that falls from clouds.", "Rain falls.", "unused")


def content(modality: Modality, which: int, folder: Path) -> Content:
    if modality is Modality.TEXT:
        return Content.of_text(TEXTS[which])
    return Content.of_file(_MAKERS[modality](folder, which), modality)


def small_pair(task: Task, folder: Path, prompt: str = "Tell or show what rain is.") -> PreferencePair:
    """Two responses that differ visibly and audibly, and the context that the task needs."""
    return PreferencePair(
        task=task,
        prompt=prompt,
        context=content(task.context, 2, folder) if task.context else None,
        first=Response(content=content(task.response, 0, folder)),
        second=Response(content=content(task.response, 1, folder)),
    )


def text_pair(first: str = TEXTS[0], second: str = TEXTS[1], prompt: str = "What is rain?") -> PreferencePair:
    return PreferencePair(
        task=Task.T2T,
        prompt=prompt,
        first=Response(content=Content.of_text(first)),
        second=Response(content=Content.of_text(second)),
    )
