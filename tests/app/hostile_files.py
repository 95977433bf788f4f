"""Hostile, broken and odd uploads, made on the spot: what each is, and whether the studio must refuse or take it."""

from __future__ import annotations

import io
import json
import struct
import wave
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from core.nouns import Modality

IMAGE, AUDIO, VIDEO, MESH = Modality.IMAGE, Modality.AUDIO, Modality.VIDEO, Modality.MESH
SCRIPT = b"<!doctype html><script>document.title='pwned'</script>"


@dataclass(frozen=True)
class Upload:
    """`taken` says whether it is judged (True) or must be refused with a reason (False)."""

    modality: Modality
    name: str
    taken: bool
    make: Callable[[], bytes]


def picture(size: tuple[int, int] = (48, 32), mode: str = "RGB", **options: object) -> bytes:
    rng = np.random.default_rng(1)
    image = Image.fromarray(rng.integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)).convert(mode)
    out = io.BytesIO()
    image.save(out, **({"format": "PNG"} | options))
    return out.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that declares a size and holds next to nothing: what a decompression bomb looks like from outside."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 100_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def sixteen_bit() -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.linspace(0, 65535, 64 * 48).reshape(48, 64).astype(np.uint16)).save(out, "PNG")
    return out.getvalue()


def animation() -> bytes:
    frames = [Image.new("RGB", (32, 32), color) for color in ("red", "green", "blue")]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    return out.getvalue()


def turned() -> bytes:
    image = Image.new("RGB", (60, 20), "orange")
    exif = Image.Exif()
    exif[0x0112] = 6
    out = io.BytesIO()
    image.save(out, "JPEG", exif=exif)
    return out.getvalue()


def zipped() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", b"\0" * 10_000_000)
    return out.getvalue()


def tone(seconds: float = 0.5, rate: int = 16000, channels: int = 1, level: float = 0.3) -> bytes:
    t = np.arange(int(seconds * rate)) / rate
    samples = (np.sin(2 * np.pi * 440 * t) * level * 32767).astype("<i2")
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.repeat(samples, channels).tobytes())
    return out.getvalue()


def floats(samples: np.ndarray, rate: int = 16000) -> bytes:
    """A WAV of 32-bit floats, which may hold what is no number."""
    body = samples.astype("<f4").tobytes()
    head = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", 36 + len(body), b"WAVE", b"fmt ", 16, 3, 1, rate, rate * 4, 4, 32)
    return head + struct.pack("<4sI", b"data", len(body)) + body


def flac() -> bytes:
    import soundfile

    out = io.BytesIO()
    soundfile.write(out, np.random.default_rng(0).normal(0, 0.1, 8000), 16000, format="FLAC")
    return out.getvalue()


def clip(
    frames: int = 12,
    size: tuple[int, int] = (64, 48),
    *,
    container: str = "mp4",
    codec: str = "libx264",
    picture: bool = True,
    sound: bool = False,
    times: list[int] | None = None,
) -> bytes:
    """A small clip; `times` in milliseconds make its frame rate variable."""
    from fractions import Fraction

    import av

    out = io.BytesIO()
    rng = np.random.default_rng(2)
    with av.open(out, "w", format=container) as file:
        stream = file.add_stream(codec, rate=12) if picture else None
        track = file.add_stream("aac", rate=16000, layout="mono") if sound else None
        if stream is not None:
            stream.width, stream.height = size
            stream.pix_fmt = "yuv420p" if codec != "gif" else "rgb8"
            if times is not None:
                stream.codec_context.time_base = Fraction(1, 1000)
            for index in range(frames):
                array = rng.integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
                frame = av.VideoFrame.from_ndarray(array, format="rgb24")
                if times is not None:
                    frame.pts, frame.time_base = times[index], Fraction(1, 1000)
                file.mux(stream.encode(frame))
            file.mux(stream.encode(None))
        if track is not None:
            samples = (rng.normal(0, 0.1, (1, 16000))).astype(np.float32)
            audio = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
            audio.rate = 16000
            file.mux(track.encode(audio))
            file.mux(track.encode(None))
    return out.getvalue()


def solid(kind: str, **options: object) -> bytes:
    import trimesh

    exported = trimesh.creation.icosphere(subdivisions=2).export(file_type=kind, **options)
    return exported if isinstance(exported, bytes) else exported.encode()


def gltf(uri: str) -> bytes:
    """A glTF whose only buffer lies at `uri`."""
    return json.dumps(
        {
            "asset": {"version": "2.0"},
            "scenes": [{"nodes": [0]}],
            "nodes": [{"mesh": 0}],
            "meshes": [{"primitives": [{"attributes": {"POSITION": 0}}]}],
            "accessors": [{"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3"}],
            "bufferViews": [{"buffer": 0, "byteLength": 36}],
            "buffers": [{"uri": uri, "byteLength": 36}],
        }
    ).encode()


def stl_of(triangles: int, written: int | None = None) -> bytes:
    """A binary STL that declares so many triangles, and holds as many or `written`."""
    return b"\0" * 80 + struct.pack("<I", triangles) + b"\0" * (50 * (triangles if written is None else written))


def ply(vertices: str, faces: str) -> bytes:
    count, face_count = len(vertices.splitlines()), len(faces.splitlines())
    return (
        f"ply\nformat ascii 1.0\nelement vertex {count}\nproperty float x\nproperty float y\nproperty float z\n"
        f"element face {face_count}\nproperty list uchar int vertex_indices\nend_header\n{vertices}\n{faces}\n"
    ).encode()


TETRA = "0 0 0\n1 0 0\n0 1 0\n0 0 1"
SIDES = "3 0 2 1\n3 0 1 3\n3 0 3 2\n3 1 2 3"

UPLOADS = [
    # pictures that must be refused
    Upload(IMAGE, "nothing.png", False, lambda: b""),
    Upload(IMAGE, "cut.png", False, lambda: picture((300, 300))[:2000]),
    Upload(IMAGE, "cut.jpg", False, lambda: picture((400, 400), format="JPEG")[:3000]),
    Upload(IMAGE, "page.png", False, lambda: SCRIPT),
    Upload(IMAGE, "drawing.svg", False, lambda: b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'),
    Upload(IMAGE, "archive.jpg", False, zipped),
    Upload(IMAGE, "paper.png", False, lambda: b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n%%EOF"),
    Upload(IMAGE, "sound.png", False, tone),
    Upload(IMAGE, "bomb.png", False, lambda: png_header(60_000, 60_000)),
    Upload(IMAGE, "hundred-megapixel.png", False, lambda: png_header(10_000, 10_000)),
    Upload(IMAGE, "random.webp", False, lambda: np.random.default_rng(3).bytes(5000)),
    Upload(IMAGE, "postscript.tiff", False, lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n"),
    # pictures that must be taken, whatever they look like
    Upload(IMAGE, "right.png", True, picture),
    Upload(IMAGE, "suffix-lies.jpg", True, picture),
    Upload(IMAGE, "no-suffix", True, lambda: picture(format="WEBP")),
    Upload(IMAGE, "one-pixel.png", True, lambda: picture((1, 1))),
    Upload(IMAGE, "a-line.png", True, lambda: picture((2000, 1))),
    Upload(IMAGE, "alpha.png", True, lambda: picture(mode="RGBA")),
    Upload(IMAGE, "palette.gif", True, lambda: picture(mode="P", format="GIF")),
    Upload(IMAGE, "cmyk.jpg", True, lambda: picture(mode="CMYK", format="JPEG")),
    Upload(IMAGE, "sixteen-bit.png", True, sixteen_bit),
    Upload(IMAGE, "moving.gif", True, animation),
    Upload(IMAGE, "turned.jpg", True, turned),
    Upload(IMAGE, "scan.tiff", True, lambda: picture(format="TIFF")),
    # names
    Upload(IMAGE, "../../../etc/passwd.png", True, picture),
    Upload(IMAGE, "<img src=x onerror=document.title='pwned'>.png", True, picture),
    Upload(IMAGE, "\u202egnp.exe.png", True, picture),
    Upload(IMAGE, "имя 文件 🐹.png", True, picture),
    Upload(IMAGE, "n" * 200 + ".png", True, picture),
    # audio that must be refused
    Upload(AUDIO, "nothing.wav", False, lambda: b""),
    Upload(AUDIO, "page.mp3", False, lambda: SCRIPT),
    Upload(AUDIO, "picture.wav", False, picture),
    Upload(AUDIO, "nan.wav", False, lambda: floats(np.full(8000, np.nan))),
    Upload(AUDIO, "infinite.wav", False, lambda: floats(np.full(8000, np.inf))),
    Upload(AUDIO, "no-samples.wav", False, lambda: tone(seconds=0)),
    Upload(AUDIO, "only-a-head.flac", False, lambda: flac()[:60]),
    Upload(AUDIO, "random.mp3", False, lambda: np.random.default_rng(4).bytes(5000)),
    Upload(AUDIO, "playlist.mp3", False, lambda: b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n"),
    Upload(AUDIO, "archive.ogg", False, zipped),
    # audio that must be taken
    Upload(AUDIO, "right.wav", True, tone),
    Upload(AUDIO, "silent.wav", True, lambda: tone(level=0.0)),
    Upload(AUDIO, "eight-kilohertz.wav", True, lambda: tone(rate=8000)),
    Upload(AUDIO, "ninety-six-kilohertz.wav", True, lambda: tone(rate=96000)),
    Upload(AUDIO, "six-channels.wav", True, lambda: tone(channels=6)),
    Upload(AUDIO, "suffix-lies.mp3", True, flac),
    Upload(AUDIO, "clipped.wav", True, lambda: tone(level=1.0)),
    # video that must be refused
    Upload(VIDEO, "nothing.mp4", False, lambda: b""),
    Upload(VIDEO, "page.mp4", False, lambda: SCRIPT),
    Upload(VIDEO, "cut.mp4", False, lambda: clip()[:600]),
    Upload(VIDEO, "sound-only.mp4", False, lambda: clip(picture=False, sound=True)),
    Upload(
        VIDEO, "playlist.m3u8", False, lambda: b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n"
    ),
    Upload(VIDEO, "concat.mp4", False, lambda: b"ffconcat version 1.0\nfile '/etc/passwd'\n"),
    Upload(VIDEO, "random.webm", False, lambda: np.random.default_rng(5).bytes(5000)),
    Upload(VIDEO, "archive.mkv", False, zipped),
    # video that must be taken
    Upload(VIDEO, "right.mp4", True, clip),
    Upload(VIDEO, "one-frame.mp4", True, lambda: clip(frames=1)),
    Upload(VIDEO, "uneven.mp4", True, lambda: clip(times=[0, 40, 50, 300, 310, 700, 720, 730, 1000, 1400, 1410, 1500])),
    Upload(VIDEO, "with-sound.mkv", True, lambda: clip(container="matroska", sound=True)),
    Upload(VIDEO, "moving.gif", True, animation),
    Upload(VIDEO, "suffix-lies.avi", True, clip),
    # 3D that must be refused
    Upload(MESH, "nothing.ply", False, lambda: b""),
    Upload(MESH, "page.obj", False, lambda: SCRIPT),
    Upload(MESH, "cut.glb", False, lambda: solid("glb")[:900]),
    Upload(MESH, "points-only.ply", False, lambda: ply(TETRA, "")),
    Upload(MESH, "empty.stl", False, lambda: stl_of(0)),
    Upload(MESH, "flat-points.stl", False, lambda: stl_of(4)),
    Upload(MESH, "two-million.stl", False, lambda: stl_of(2_000_000, written=10)),
    Upload(MESH, "really-two-million.stl", False, lambda: stl_of(2_000_000)),
    Upload(MESH, "no-numbers.ply", False, lambda: ply("nan nan nan\n1 0 0\n0 1 0\n0 0 1", SIDES)),
    Upload(MESH, "no-such-vertex.ply", False, lambda: ply(TETRA, "3 0 1 99")),
    Upload(MESH, "a-path-outside.gltf", False, lambda: gltf("../../../../etc/passwd")),
    Upload(MESH, "a-url.gltf", False, lambda: gltf("http://127.0.0.1:9/secret.bin")),
    Upload(MESH, "a-file-url.gltf", False, lambda: gltf("file:///etc/passwd")),
    Upload(MESH, "nested.gltf", False, lambda: b'{"asset":' * 50_000),
    Upload(MESH, "archive.glb", False, zipped),
    # 3D that must be taken
    Upload(MESH, "right.glb", True, lambda: solid("glb")),
    Upload(MESH, "suffix-lies.glb", True, lambda: solid("ply")),
    Upload(MESH, "material-elsewhere.obj", True, lambda: b"mtllib ../../../etc/passwd\n" + solid("obj")),
    Upload(MESH, "one-triangle.ply", True, lambda: ply("0 0 0\n1 0 0\n0 1 0", "3 0 1 2")),
    Upload(MESH, "plain.off", True, lambda: solid("off")),
]


def written(upload: Upload, folder: Path) -> Path:
    """The upload as a file in `folder`, under a name that says nothing: the name it claims is given besides."""
    path = folder / "upload"
    path.write_bytes(upload.make())
    return path
