"""Two realistic responses a modality, made on the spot: textures, a voice, moving pictures, a bumpy sphere."""

from __future__ import annotations

from pathlib import Path

import numpy as np

VOCABULARY = "the judge reads a plain answer and weighs each claim against what was asked with care today"


def texture(width: int, height: int, seed: int) -> np.ndarray:
    """An RGB picture [height, width, 3] uint8 with detail at every scale and some sensor noise, as photos have."""
    from PIL import Image

    rng = np.random.default_rng(seed)
    total = np.zeros((height, width, 3), np.float32)
    for octave in range(2, 9):
        cells = rng.random((2**octave, 2**octave, 3), dtype=np.float32)
        small = Image.fromarray((cells * 255).astype(np.uint8)).resize((width, height), Image.Resampling.BICUBIC)
        total += np.asarray(small, np.float32) / 2 ** (octave / 2)
    total = (total - total.min()) / (total.max() - total.min()) * 235 + 8
    return np.clip(total + rng.normal(0, 3, total.shape), 0, 255).astype(np.uint8)


def image_file(path: Path, seed: int, width: int, height: int) -> Path:
    from PIL import Image

    Image.fromarray(texture(width, height, seed)).save(path, quality=90)
    return path


def image_pair(folder: Path) -> list[Path]:
    """Two JPEGs of 12 megapixels (4000 × 3000, quality 90)."""
    return [image_file(folder / name, seed, 4000, 3000) for seed, name in enumerate(("a.jpg", "b.jpg"))]


def sound(seconds: float, rate: int, seed: int) -> np.ndarray:
    """Stereo float32 [samples, 2] in [-1, 1]: harmonics with a syllable rhythm over soft noise."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * rate)) / rate
    pitch = 120 + 20 * np.sin(2 * np.pi * 0.3 * t + seed)
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    voice = sum(np.sin(k * phase) / k for k in range(1, 12))
    rhythm = np.clip(np.sin(2 * np.pi * 3.1 * t), 0, 1) ** 0.5
    left = 0.15 * voice * rhythm + rng.normal(0, 0.004, t.size)
    return np.stack([left, np.roll(left, 20) + rng.normal(0, 0.002, t.size)], axis=1).astype(np.float32)


def audio_file(path: Path, seed: int, seconds: float) -> Path:
    import soundfile

    soundfile.write(path, sound(seconds, 44100, seed), 44100)
    return path


def audio_pair(folder: Path, suffix: str) -> list[Path]:
    """Two stereo files of 30 s at 44.1 kHz."""
    return [audio_file(folder / f"{name}{suffix}", seed, 30.0) for seed, name in enumerate("ab")]


def video_file(path: Path, seed: int, seconds: float, width: int, height: int) -> Path:
    """An H.264 clip at 25 frames a second with an AAC sound track; the camera wanders over a texture."""
    import av

    picture = texture(width * 5 // 4, height * 5 // 4, 10 + seed)
    room_x, room_y = width // 8, height // 8
    track = sound(seconds, 44100, seed)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25, options={"crf": "23", "preset": "veryfast"})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        audio = container.add_stream("aac", rate=44100, layout="stereo")
        for index in range(int(25 * seconds)):
            x, y = int(room_x * (1 + 0.9 * np.sin(index / 20))), int(room_y * (1 + 0.9 * np.cos(index / 27)))
            frame = av.VideoFrame.from_ndarray(picture[y : y + height, x : x + width], format="rgb24")
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        samples = av.AudioFrame.from_ndarray(np.ascontiguousarray(track.T), format="fltp", layout="stereo")
        samples.rate = 44100
        container.mux(audio.encode(samples))
        container.mux(audio.encode(None))
    return path


def video_pair(folder: Path) -> list[Path]:
    """Two clips of 10 s, 1280 × 720."""
    return [video_file(folder / f"{name}.mp4", seed, 10.0, 1280, 720) for seed, name in enumerate("ab")]


def mesh_file(path: Path, seed: int, rings: int) -> Path:
    """A bumpy sphere of about 2 × rings² triangles."""
    import trimesh

    sphere = trimesh.creation.uv_sphere(count=[rings, rings])
    v = sphere.vertices
    bumps = 1 + 0.05 * np.sin(7 * v[:, 0] + seed) * np.cos(9 * v[:, 1]) + 0.01 * np.sin(40 * v[:, 2])
    trimesh.Trimesh(v * bumps[:, None], sphere.faces, process=False).export(path)
    return path


def mesh_pair(folder: Path, suffix: str) -> list[Path]:
    """Two meshes of about 100,000 triangles."""
    return [mesh_file(folder / f"{name}{suffix}", seed, 224) for seed, name in enumerate("ab")]


def text(words: int, seed: int) -> str:
    chosen = np.random.default_rng(seed).choice(tuple(VOCABULARY.split()), words)
    return " ".join(" ".join(chosen[i : i + 15]).capitalize() + "." for i in range(0, words, 15))


def text_pair(words: int = 300) -> list[str]:
    """Two texts of so many words."""
    return [text(words, seed) for seed in (7, 8)]
