"""A video that comes as a folder of its frames: put together once, one frame a second, as video data sets release them.

The JPEGs go into the film as they are (Motion JPEG in AVI), so nothing is lost and the same frames make the same bytes.
"""

from __future__ import annotations

from fractions import Fraction
from io import BytesIO
from pathlib import Path

from core.errors import BadInput
from core.formats._fields import extracted, file_content
from core.modalities import Limits
from core.nouns import Content, Modality

_JPEG = (".jpg", ".jpeg")


def film_content(value: str, key: str, root: Path, limits: Limits) -> Content:
    """The frames in the folder `value` below `root`, in the order of their names, as a video of one frame a second.

    It is written once below `root`, in the folder `extracted`. Raises BadInput where the folder leads out of `root`,
    holds none or too many frames, or frames that are no JPEGs of one size.
    """
    frames = _frames(value, key, root, limits)
    total = sum(path.stat().st_size for path in frames)
    if len(frames) > limits.video_seconds or total > limits.video_bytes:
        raise BadInput(
            f"{value[:80]!r} holds {len(frames):,} frames with {total:,} bytes; at most {limits.video_seconds:.0f} "
            f"frames and {limits.video_bytes:,} bytes are accepted."
        )
    return extracted(_film(frames), f"{Path(value).name}.avi", key, Modality.VIDEO, root, limits)


def _frames(value: str, key: str, root: Path, limits: Limits) -> list[Path]:
    folder = (root / value).resolve()
    if not folder.is_relative_to(root) or not folder.is_dir():
        raise BadInput(f"{key!r} names {value[:80]!r}, which is no folder below the list.")
    try:
        names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise BadInput(f"The folder of frames {value[:80]!r} cannot be read: {error.strerror or error}.") from error
    others = [name for name in names if not name.lower().endswith(_JPEG)]
    if others or not names:
        what = f"holds {others[0][:80]!r}" if others else "is empty"
        raise BadInput(f"The folder of frames {value[:80]!r} {what}; it has to hold the video's frames as JPEGs only.")
    contents = [file_content(f"{value}/{name}", key, Modality.IMAGE, root, limits) for name in names]
    return [content.path for content in contents if content.path]


def _film(frames: list[Path]) -> bytes:
    """Raises BadInput where the frames are not all JPEGs of the first one's size."""
    import av

    pictures = [path.read_bytes() for path in frames]
    sizes = [_size(data, path) for data, path in zip(pictures, frames, strict=True)]
    odd = next((path for path, size in zip(frames, sizes, strict=True) if size != sizes[0]), None)
    if odd is not None:
        raise BadInput(f"The frame {odd.name!r} is not as large as the first one; they are not of one video.")
    buffer = BytesIO()
    with av.open(buffer, mode="w", format="avi", options={"fflags": "+bitexact"}) as film:
        stream = film.add_stream("mjpeg", rate=1)
        stream.width, stream.height = sizes[0]
        stream.pix_fmt = "yuvj420p"
        for second, data in enumerate(pictures):
            packet = av.Packet(data)
            packet.stream, packet.time_base, packet.pts, packet.dts = stream, Fraction(1), second, second
            packet.is_keyframe = True
            film.mux(packet)
    return buffer.getvalue()


def _size(data: bytes, path: Path) -> tuple[int, int]:
    from PIL import Image

    try:
        with Image.open(BytesIO(data), formats=["JPEG"]) as picture:
            return picture.size
    except (OSError, Image.DecompressionBombError) as error:
        raise BadInput(f"The frame {path.name!r} is not a JPEG that can be read; extract it again.") from error
