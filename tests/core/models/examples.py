"""One small medium of each modality, made by the tests themselves."""

from __future__ import annotations

import numpy as np
import trimesh

from core.models.starter.changes import Clip, Sound
from core.nouns import Modality

LETTER = """Dear Sam,

The river Rhine is about 1,230 km long, and it flows through six countries. Many people use it for transport \
because it's cheap! It doesn't freeze often, but very big floods are basically a problem. In 1995 there was a very \
large flood, which made 250,000 people leave home (mostly in the Netherlands). What can be done? Dams help, and towns \
may build walls.

## The plan

Most experts think that this is a good way, since numerous towns require sufficient room. The plan has three parts:

- more room for the river
- better **warning** systems 😊

It should be finished soon. Then the towns will be safe, and the ships can go on. Farmers get some money, although \
they need to keep their land open for water"""


def scene() -> np.ndarray:
    """A picture of 200×260 with a gradient, texture, coloured blocks, a bright and a dark bar, and a little noise."""
    y, x = np.mgrid[0:200, 0:260].astype(np.float32)
    picture = np.stack([90 + x * 0.35, 110 + y * 0.3, 150 - x * 0.2], 2)
    picture += 18 * np.sin(x / 5)[..., None] * np.sin(y / 7)[..., None]
    picture[50:150, 60:110] = [190, 80, 50]
    picture[80:170, 150:200] = [40, 70, 120]
    picture[20:40, 20:240] = [238, 230, 222]
    picture[175:190, 30:230] = [15, 18, 22]
    picture += np.random.default_rng(3).normal(0, 2, picture.shape)
    return np.clip(picture, 0, 255).astype(np.uint8)


def melody() -> Sound:
    """Three seconds of plucked chords at 16 kHz in stereo, a quarter of a second after the start, over faint noise."""
    rate = 16000
    time = np.arange(3 * rate) / rate
    noise = np.random.default_rng(4)
    strokes = [0.25, 0.62, 1.1, 1.38, 1.95, 2.3]
    level = sum((time >= on) * np.exp(-6 * np.maximum(time - on, 0)) * (0.4 + 0.5 * (on > 1)) for on in strokes)
    parts = ((110, 0.5), (220, 0.6), (440, 0.4), (1320, 0.2), (3300, 0.12), (6000, 0.06))
    tone = sum(np.sin(2 * np.pi * pitch * time) * loud for pitch, loud in parts) * level * 0.2
    both = np.stack([tone, np.roll(tone, 120)], axis=1) + noise.normal(0, 0.0006, (len(time), 2))
    return Sound(both.astype(np.float32), rate)


def clip() -> Clip:
    """Two seconds at 12 frames a second: the scene slides by, with a mono soundtrack."""
    wide = np.concatenate([scene(), scene()[:, ::-1]], axis=1)
    frames = [np.ascontiguousarray(wide[20:140, i : i + 160]) for i in range(24)]
    sound = melody()
    return Clip(frames, 12.0, Sound(sound.samples[: 2 * sound.rate, 0].copy(), sound.rate))


def ring() -> trimesh.Trimesh:
    """A coloured ring, longer than wide."""
    ring = trimesh.creation.torus(1.0, 0.3, major_sections=40, minor_sections=20)
    ring.vertices *= [1.0, 0.7, 1.6]
    colours = np.clip(ring.vertices * 40 + [150, 110, 90], 0, 255)
    rgba = np.hstack([colours, np.full((len(colours), 1), 255)]).astype(np.uint8)
    ring.visual = trimesh.visual.ColorVisuals(ring, vertex_colors=rgba)
    return ring


EXAMPLES = {
    Modality.TEXT: lambda: LETTER,
    Modality.IMAGE: scene,
    Modality.AUDIO: melody,
    Modality.VIDEO: clip,
    Modality.MESH: ring,
}
