"""Images: what is refused and how, what is kept of odd but good files, and measures that follow what they name."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from core.errors import BadInput
from core.modalities import MODALITIES, Limits, Opened
from core.modalities._image_file import NEUTRAL
from tests.core.modalities.pictures import BROKEN, CHANGES, encoded, of, png_header, scene

PLUG = MODALITIES["image"]
LIMITS = Limits()


def opened(folder: Path, data: bytes | Image.Image, name: str = "picture.png", limits: Limits = LIMITS) -> Opened:
    path = folder / "file"
    path.write_bytes(data if isinstance(data, bytes) else encoded(data, "PNG"))
    return PLUG.open(path, name, limits)


def measured(folder: Path, data: bytes | Image.Image) -> dict[str, float]:
    return PLUG.measure(opened(folder, data))


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_or_hostile_file_is_refused_by_name_and_reason(what: str, tmp_path: Path) -> None:
    data, reason = BROKEN[what]
    with pytest.raises(BadInput) as caught:
        opened(tmp_path, data, "cat.png")
    assert "'cat.png'" in str(caught.value)
    assert reason in str(caught.value)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "gone.png", tmp_path):
        with pytest.raises(BadInput, match="cannot be opened"):
            PLUG.open(path, "gone.png", LIMITS)


def test_limits_hold_before_decoding(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="too large"):
        opened(tmp_path, scene(0, 64), limits=Limits(image_bytes=100))
    with pytest.raises(BadInput, match=r"64 × 64 pixels .*up to 0.004 megapixels"):
        opened(tmp_path, scene(0, 64), limits=Limits(image_pixels=4000))
    # its pixels are missing, so only a check of the header can say this
    with pytest.raises(BadInput, match="9000 × 9000"):
        opened(tmp_path, png_header(9000, 9000))


def test_the_suffix_is_never_trusted(tmp_path: Path) -> None:
    found = opened(tmp_path, encoded(scene(0, 64), "JPEG"), "really.png")
    assert (found.suffix, found.facts["format"]) == (".jpg", "JPEG")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "AVIF"])
def test_every_format_is_read_measured_and_shown(kind: str, tmp_path: Path) -> None:
    if kind == "AVIF" and ".avif" not in PLUG.suffixes:
        assert "AVIF" not in PLUG.accepts
        return
    found = opened(tmp_path, encoded(scene(3, 96), kind))
    assert found.facts["size"] == "96 × 96"
    assert found.suffix in PLUG.suffixes
    values = PLUG.measure(found)
    assert abs(values["brightness"] - measured(tmp_path, scene(3, 96))["brightness"]) < 3
    assert PLUG.parts(found)[0].value.mode == "RGB"
    with Image.open(PLUG.preview(found, tmp_path / "shown")["view"]) as view:
        assert view.size == (96, 96)


def _modes() -> dict[str, Image.Image]:
    colour = scene(2, 80)
    grey = np.asarray(colour.convert("L"))
    alpha = colour.copy()
    alpha.putalpha(Image.linear_gradient("L").resize((80, 80)))
    return {
        "grey": colour.convert("L"),
        "grey with alpha": alpha.convert("LA"),
        "alpha": alpha,
        "palette": colour.quantize(64),
        "one bit": colour.convert("1"),
        "16-bit grey": Image.fromarray(grey.astype(np.uint16) * 257),
    }


@pytest.mark.parametrize("mode", _modes())
def test_every_mode_is_measured_like_its_rgb(mode: str, tmp_path: Path) -> None:
    image = _modes()[mode]
    values = measured(tmp_path, image)
    assert all(math.isfinite(value) for value in values.values())
    grey = {"16-bit grey": scene(2, 80).convert("L")}.get(mode, image).convert("RGBA")
    flat = Image.alpha_composite(Image.new("RGBA", grey.size, (*NEUTRAL, 255)), grey)
    assert values["brightness"] == pytest.approx(float(np.asarray(flat.convert("L")).mean()) / 2.55, abs=0.6)


def test_tiff_of_cmyk_float_and_deep_numbers(tmp_path: Path) -> None:
    colour = scene(2, 80)
    grey = np.asarray(colour.convert("L")).astype(np.float32)
    for image in (colour.convert("CMYK"), Image.fromarray(grey / 255), Image.fromarray((grey * 257).astype(np.int32))):
        values = measured(tmp_path, encoded(image, "TIFF"))
        assert values["brightness"] == pytest.approx(float(grey.mean()) / 2.55, abs=3)


def test_exif_orientation_is_applied_everywhere_and_metadata_is_stripped(tmp_path: Path) -> None:
    # red on the left as stored; orientation 6 is a camera turned so that this side comes out on top
    stored = Image.new("RGB", (120, 60), (20, 20, 200))
    stored.paste((220, 20, 20), (0, 0, 40, 60))
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "a secret note"
    exif.get_ifd(0x8825)[1] = "N"
    found = opened(tmp_path, encoded(stored, "JPEG", exif=exif, quality=95, comment=b"another secret"))
    assert found.facts["size"] == "60 × 120"
    part = PLUG.parts(found)[0].value
    assert part.size == (60, 120)
    assert part.getpixel((30, 10))[0] > 180
    assert part.getpixel((30, 100))[2] > 160
    view = PLUG.preview(found, tmp_path / "shown")["view"]
    with Image.open(view) as shown:
        assert shown.size == (60, 120)
        assert not shown.getexif()
    assert b"secret" not in view.read_bytes()
    assert PLUG.measure(found)["aspect"] < 0


def test_a_large_photo_is_shown_small_and_in_full_without_its_place(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    exif[0x010F] = "secret maker"
    large = scene(4, 200).resize((2600, 300))
    found = opened(tmp_path, encoded(large, "JPEG", exif=exif))
    files = PLUG.preview(found, tmp_path / "shown")
    assert set(files) == {"view", "full"}
    for name, width in (("view", 2048), ("full", 2600)):
        assert b"secret" not in files[name].read_bytes()
        with Image.open(files[name]) as shown:
            assert shown.width == width
            assert not shown.getexif()
    assert max(PLUG.parts(found)[0].value.size) == 1536
    small = opened(tmp_path, scene(4, 64))
    assert set(PLUG.preview(small, tmp_path / "small")) == {"view"}


def test_transparency_is_kept_for_people_and_put_over_grey_for_judges(tmp_path: Path) -> None:
    image = Image.new("RGBA", (64, 64), (255, 0, 0, 0))
    image.paste((0, 0, 255, 255), (0, 0, 32, 64))
    found = opened(tmp_path, image)
    assert "transparency" in found.facts
    with Image.open(PLUG.preview(found, tmp_path / "shown")["view"]) as shown:
        assert shown.mode == "RGBA"
        assert shown.getpixel((60, 5))[3] == 0
    assert PLUG.parts(found)[0].value.getpixel((60, 5)) == NEUTRAL
    assert PLUG.measure(found)["transparency"] == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_an_animation_the_first_frame_is_judged_and_facts_say_so(kind: str, tmp_path: Path) -> None:
    frames = [Image.new("RGB", (40, 30), colour) for colour in ((250, 0, 0), (0, 250, 0), (0, 0, 250))]
    found = opened(tmp_path, encoded(frames[0], kind, save_all=True, append_images=frames[1:]))
    assert "first" in found.facts["frames"]
    assert PLUG.parts(found)[0].value.getpixel((5, 5))[0] > 230
    assert "frames" not in opened(tmp_path, encoded(frames[0], kind)).facts


def test_a_wide_gamut_is_turned_to_srgb_for_judges_and_kept_for_people(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    # a profile that does not fit the pixels is passed over, as browsers do
    odd = opened(tmp_path, encoded(scene(1, 64), "PNG", icc_profile=profile))
    assert PLUG.measure(odd)["brightness"] == pytest.approx(measured(tmp_path, scene(1, 64))["brightness"], abs=0.5)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    good = opened(tmp_path, encoded(scene(1, 64), "PNG", icc_profile=srgb))
    with Image.open(PLUG.preview(good, tmp_path / "shown")["view"]) as shown:
        assert shown.info["icc_profile"] == srgb


@pytest.mark.parametrize("size", [(1, 1), (2, 1), (1, 400), (400, 1), (3, 3), (7, 9), (16, 16), (33, 20), (2000, 3)])
@pytest.mark.parametrize("fill", ["flat", "noise", "black", "white"])
def test_tiny_thin_and_flat_images_give_finite_values(size: tuple[int, int], fill: str, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    values = {
        "flat": np.full((*size[::-1], 3), 127),
        "black": np.zeros((*size[::-1], 3)),
        "white": np.full((*size[::-1], 3), 255),
    }
    image = of(values[fill] if fill in values else random.integers(0, 256, (*size[::-1], 3)))
    found = opened(tmp_path, image)
    known = {measure.name for measure in PLUG.measures}
    for value in (PLUG.measure(found), PLUG.relate(found, "a red boat", found)):
        assert value
        assert set(value) <= known
        assert all(math.isfinite(number) for number in value.values())


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("seed", [11, 12])
def test_a_measure_follows_the_change_it_names(name: str, seed: int, tmp_path: Path) -> None:
    change, strengths, sign = CHANGES[name]
    start = scene(seed)
    values = [measured(tmp_path, change(start, strength))[name] for strength in strengths]
    steps = np.diff(values) * sign
    assert (steps > -1e-6).all(), values
    assert steps.sum() > 1e-3, values


def test_every_measure_is_given_for_an_ordinary_picture_and_none_besides(tmp_path: Path) -> None:
    found = opened(tmp_path, scene(21))
    names = {measure.name for measure in PLUG.measures if not measure.relative}
    # lines along two directions, and so a tilt, are not found in every picture
    assert names - set(PLUG.measure(found)) <= {"tilt"}
    relative = {measure.name for measure in PLUG.measures if measure.relative}
    assert set(PLUG.relate(found, "a red disc on a blue ground", opened(tmp_path, scene(22)))) == relative
    assert PLUG.relate(found, "something", None) == {}
    assert len({measure.name for measure in PLUG.measures}) == len(PLUG.measures) >= 60


def test_an_edit_is_measured_against_the_prompts_image(tmp_path: Path) -> None:
    before = scene(5, 256)
    touched = before.copy()
    touched.paste((30, 200, 60), (20, 20, 80, 80))
    context = opened(tmp_path, before)
    same, local, other = (
        PLUG.relate(opened(tmp_path, image), "", context) for image in (before, touched, scene(6, 256))
    )
    assert same["likeness"] == pytest.approx(1.0, abs=1e-6)
    assert same["unchanged_share"] == 1.0
    assert same["likeness"] > local["likeness"] > other["likeness"]
    assert same["edges_kept"] > local["edges_kept"] > other["edges_kept"]
    assert local["unchanged_share"] == pytest.approx(1 - (60 / 256) ** 2, abs=0.03)
    assert same["change_size"] < local["change_size"] < other["change_size"]
    assert local["change_focus"] > other["change_focus"]
    red = PLUG.relate(opened(tmp_path, of(np.asarray(before) * np.array([1.0, 0.5, 0.5]))), "", context)
    assert red["colour_shift"] > same["colour_shift"]
    wide = PLUG.relate(opened(tmp_path, before.resize((512, 256))), "", context)
    assert wide["reframing"] == pytest.approx(1.0)


def test_the_colours_that_the_prompt_names_are_looked_for(tmp_path: Path) -> None:
    boat = Image.new("RGB", (100, 100), (40, 90, 200))
    boat.paste((210, 30, 35), (30, 40, 70, 80))
    found = opened(tmp_path, boat)
    fitting = PLUG.relate(found, "A red boat on a blue lake", None)["named_colours"]
    assert fitting > 0.85
    assert PLUG.relate(found, "A green boat on a yellow lake", None)["named_colours"] < 0.05
