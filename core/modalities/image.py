"""Still images: PNG, JPEG, WebP, GIF, TIFF and AVIF; the first frame is judged where there are several."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image

from core.modalities import Limits, Opened, Part, _image_file, _image_measures, _image_relations
from core.nouns import Measure, Modality

PART_SIDE = 1536  # px; what an omni model is given
VIEW_SIDE = 2048  # px; what a page shows without zoom
SMALL_GRAPHIC = 512  # px; below this, a lossless view costs nothing


class ImageModality:
    """The image plug. `Opened.decoded` is an `_image_file.Picture`."""

    modality = Modality.IMAGE
    suffixes: tuple[str, ...] = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".tif", ".tiff") + (
        (".avif",) if "AVIF" in _image_file.SUFFIX_OF_FORMAT else ()
    )
    accepts = _image_file.ACCEPTS
    measures: tuple[Measure, ...] = _image_measures.MEASURES + _image_relations.MEASURES
    version = 1

    def open(self, source: Path | str, name: str, limits: Limits) -> Opened:
        picture, kind = _image_file.read(Path(source), name, limits)
        width, height = picture.size
        facts = {"size": f"{width} × {height}", "format": _image_file.FORMAT_NAMES.get(kind, kind)}
        if picture.several_frames:
            facts["frames"] = "first of several; the others are not judged"
        if picture.has_alpha:
            facts["transparency"] = "yes; measured over grey"
        return Opened(self.modality, name, _image_file.SUFFIX_OF_FORMAT[kind], picture, facts)

    def measure(self, opened: Opened) -> dict[str, float]:
        return _image_measures.measure(opened.decoded)

    def relate(self, opened: Opened, prompt: str, context: Opened | None) -> dict[str, float]:
        before = context.decoded if context is not None and context.modality is Modality.IMAGE else None
        return _image_relations.relate(opened.decoded, prompt, before)

    def parts(self, opened: Opened) -> list[Part]:
        """One RGB image, upright, at most 1536 px on the long side."""
        picture: _image_file.Picture = opened.decoded
        small = picture.reduced(PART_SIDE)
        return [Part("image", picture.upright(_image_file.composite(small, picture.icc)))]

    def preview(self, opened: Opened, folder: Path) -> dict[str, Path]:
        """{"view": at most 2048 px}, and {"full": every pixel} where the image is larger. No metadata but colour.

        A view is PNG where there is transparency or the image is small (exact pixels), else WebP; full is JPEG, or
        PNG where there is transparency.
        """
        picture: _image_file.Picture = opened.decoded
        folder.mkdir(parents=True, exist_ok=True)
        small = picture.upright(picture.reduced(VIEW_SIDE))
        lossless = picture.has_alpha or max(small.size) <= SMALL_GRAPHIC
        files = {"view": _save(small, picture.icc, folder / ("view.png" if lossless else "view.webp"))}
        if max(picture.size) > VIEW_SIDE:
            suffix = ".png" if picture.has_alpha else ".jpg"
            files["full"] = _save(picture.upright(picture.image), picture.icc, folder / f"full{suffix}")
        return files


def _save(image: Image.Image, icc: bytes | None, path: Path) -> Path:
    """Write pixels and the colour profile only: no Exif (it may hold a place), no comments, no thumbnails."""
    # a fresh image, since savers take comments and Exif from `info`
    clean = Image.new(image.mode, image.size)
    clean.paste(image)
    options: dict[str, Any] = {"icc_profile": icc} if icc else {}
    if path.suffix == ".jpg":
        # 4:4:4, since at 100 % zoom people judge colour edges too
        clean.save(path, quality=95, subsampling=0, **options)
    elif path.suffix == ".webp":
        clean.convert("RGB").save(path, quality=92, method=2, **options)
    else:
        clean.save(path, compress_level=3, **options)
    return path


PLUG = ImageModality()
