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


def image_pair(folder: Path) -> list[Path]:
    """Two JPEGs of 12 megapixels (4000 × 3000, quality 90)."""
    from PIL import Image

    paths = [folder / "a.jpg", folder / "b.jpg"]
    for seed, path in enumerate(paths):
        Image.fromarray(texture(4000, 3000, seed)).save(path, quality=90)
    return paths


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


def audio_pair(folder: Path, suffix: str) -> list[Path]:
    """Two stereo files of 30 s at 44.1 kHz."""
    import soundfile

    paths = [folder / f"a{suffix}", folder / f"b{suffix}"]
    for seed, path in enumerate(paths):
        soundfile.write(path, sound(30.0, 44100, seed), 44100)
    return paths


def video_pair(folder: Path) -> list[Path]:
    """Two H.264 clips of 10 s, 1280 × 720 at 25 frames a second, with an AAC sound track."""
    import av

    paths = [folder / "a.mp4", folder / "b.mp4"]
    for seed, path in enumerate(paths):
        picture = texture(1600, 900, 10 + seed)
        track = sound(10.0, 44100, seed)
        with av.open(str(path), "w") as container:
            video = container.add_stream("libx264", rate=25, options={"crf": "23", "preset": "veryfast"})
            video.width, video.height, video.pix_fmt = 1280, 720, "yuv420p"
            audio = container.add_stream("aac", rate=44100, layout="stereo")
            for index in range(250):
                x, y = int(160 + 150 * np.sin(index / 20)), int(90 + 80 * np.cos(index / 27))
                frame = av.VideoFrame.from_ndarray(picture[y : y + 720, x : x + 1280], format="rgb24")
                container.mux(video.encode(frame))
            container.mux(video.encode(None))
            samples = av.AudioFrame.from_ndarray(np.ascontiguousarray(track.T), format="fltp", layout="stereo")
            samples.rate = 44100
            container.mux(audio.encode(samples))
            container.mux(audio.encode(None))
    return paths


def mesh_pair(folder: Path, suffix: str) -> list[Path]:
    """Two bumpy spheres of about 100,000 triangles."""
    import trimesh

    paths = [folder / f"a{suffix}", folder / f"b{suffix}"]
    for seed, path in enumerate(paths):
        sphere = trimesh.creation.uv_sphere(count=[224, 224])
        v = sphere.vertices
        bumps = 1 + 0.05 * np.sin(7 * v[:, 0] + seed) * np.cos(9 * v[:, 1]) + 0.01 * np.sin(40 * v[:, 2])
        trimesh.Trimesh(v * bumps[:, None], sphere.faces, process=False).export(path)
    return paths


def text_pair(words: int = 300) -> list[str]:
    """Two texts of so many words."""
    rng = np.random.default_rng(7)
    vocabulary = tuple(VOCABULARY.split())
    texts = []
    for _ in range(2):
        chosen = rng.choice(vocabulary, words)
        sentences = [" ".join(chosen[i : i + 15]).capitalize() + "." for i in range(0, words, 15)]
        texts.append(" ".join(sentences))
    return texts
