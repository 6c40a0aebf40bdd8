from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rbench_plugins.datasets.reading import check_image, find_images, mode_for, open_image, readable

from rbench import UserError, fit_image

RAMP = np.linspace(0, 255, 64 * 48).reshape(48, 64)


def _rgb(seed: int = 0) -> Image.Image:
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, (48, 64, 3), dtype=np.uint8))


def _pixels(path: Path) -> np.ndarray:
    image = open_image(path)
    assert image.mode == "RGB"
    return np.asarray(image).astype(float)


@pytest.mark.parametrize("suffix", ["png", "bmp", "webp", "tif"])
def test_rgb_comes_back_as_it_is(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    _rgb().save(path, lossless=True)
    np.testing.assert_array_equal(_pixels(path), np.asarray(_rgb()))


def test_grey_has_three_equal_channels(tmp_path: Path) -> None:
    Image.fromarray(RAMP.astype(np.uint8)).save(tmp_path / "g.png")
    np.testing.assert_array_equal(
        _pixels(tmp_path / "g.png"), np.repeat(RAMP.astype(np.uint8)[..., None], 3, axis=2)
    )


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bit_is_scaled_and_not_clipped(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"deep.{suffix}"
    Image.fromarray((RAMP * 257).astype(np.uint16)).save(path)
    assert np.abs(_pixels(path) - RAMP[..., None]).max() <= 1


def test_float_tiff_of_unit_range_is_scaled(tmp_path: Path) -> None:
    Image.fromarray((RAMP / 255).astype(np.float32)).save(tmp_path / "f.tif")
    assert np.abs(_pixels(tmp_path / "f.tif") - RAMP[..., None]).max() <= 0.5


def test_values_of_no_known_range_are_named(tmp_path: Path) -> None:
    Image.fromarray((RAMP - 9).astype(np.float32)).save(tmp_path / "f.tif")
    with pytest.raises(UserError, match=r"f\.tif.*from -9"):
        open_image(tmp_path / "f.tif")


def test_cmyk_is_converted(tmp_path: Path) -> None:
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "c.jpg", quality=100)
    red = _pixels(tmp_path / "c.jpg")[4, 4]
    assert red[0] > 240
    assert red[1:].max() < 15


def test_alpha_lies_over_white(tmp_path: Path) -> None:
    Image.new("RGBA", (4, 4), (200, 0, 0, 0)).save(tmp_path / "a.png")
    assert (_pixels(tmp_path / "a.png") == 255).all()
    Image.new("LA", (4, 4), (0, 128)).save(tmp_path / "la.png")
    assert np.abs(_pixels(tmp_path / "la.png") - 127).max() <= 1


def test_palette_with_a_transparent_colour(tmp_path: Path) -> None:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 10, 20, 30])
    image.putpixel((0, 0), 0)
    image.save(tmp_path / "p.png", transparency=0)
    pixels = _pixels(tmp_path / "p.png")
    assert pixels[0, 0].tolist() == [255, 255, 255]
    assert pixels[2, 2].tolist() == [10, 20, 30]


def test_the_first_frame_of_an_animation(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (6, 5), color) for color in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    assert _pixels(tmp_path / "a.gif")[0, 0].tolist() == [255, 0, 0]


def test_exif_orientation_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by 90 degrees
    _rgb().save(tmp_path / "r.jpg", exif=exif)
    assert open_image(tmp_path / "r.jpg").size == (48, 64)


@pytest.mark.slow
def test_a_hundred_megapixels(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    Image.new("1", (10_000, 10_000)).save(tmp_path / "big.png", compress_level=1)
    assert fit_image(open_image(tmp_path / "big.png"), (32, 32)).size == (32, 32)
    assert not recwarn.list
    Image.new("1", (20_000, 20_000)).save(tmp_path / "huge.png", compress_level=1)
    with pytest.raises(UserError, match=r"huge\.png has too many pixels"):
        open_image(tmp_path / "huge.png")


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "tif", "webp", "bmp"])
@pytest.mark.parametrize("part", [0.0, 0.02, 0.5, 0.9])
def test_broken_files_are_named_in_one_line(tmp_path: Path, suffix: str, part: float) -> None:
    path = tmp_path / f"broken.{suffix}"
    _rgb().save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(UserError) as caught:
        open_image(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_files_folders_and_texts(tmp_path: Path) -> None:
    (tmp_path / "t.png").write_text("no image")
    with pytest.raises(UserError, match=r"t\.png is not an image"):
        open_image(tmp_path / "t.png")
    with pytest.raises(UserError, match=r"absent\.png: No such file"):
        open_image(tmp_path / "absent.png")
    with pytest.raises(UserError, match="cannot read"):
        open_image(tmp_path)


def test_a_mixed_folder(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    _rgb().save(tmp_path / "sub" / "a.png")
    _rgb().save(tmp_path / "b.jpg")
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    (tmp_path / "README.txt").write_text("hello")
    (tmp_path / ".hidden.png").write_text("x")
    paths = find_images(tmp_path)
    assert [path.name for path in paths] == ["README.txt", "b.jpg", "broken.jpg", "a.png"]
    skipped: list[str] = []
    with pytest.raises(UserError, match=r"broken\.jpg.*--skip-bad"):
        list(readable(paths, False, skipped))
    assert len(skipped) == 1
    skipped.clear()
    good = [path for path, _ in readable(paths, True, skipped)]
    assert [path.name for path in good] == ["b.jpg", "a.png"]
    assert ["README.txt" in skipped[0], "broken.jpg" in skipped[1]] == [True, True]


@pytest.mark.parametrize("size", [(1, 500), (500, 1), (1, 1), (30, 20)])
def test_fit_takes_any_shape(size: tuple[int, int]) -> None:
    assert fit_image(Image.new("RGB", size, "green"), (24, 16)).getpixel((8, 12)) == (0, 128, 0)


@pytest.mark.parametrize("size", [(66, 29), (29, 66), (262, 225), (225, 262)])
def test_fit_stays_inside_where_rounding_leaves_the_image(size: tuple[int, int]) -> None:
    scale = min(size) / 224
    assert (min(size) - 224 * scale) / 2 < 0  # what Pillow would refuse
    assert fit_image(Image.new("RGB", size, "green"), (224, 224)).getpixel((0, 0)) == (0, 128, 0)


def test_fit_crops_the_centre() -> None:
    picture = Image.fromarray(np.tile(np.arange(100, dtype=np.uint8), (20, 1)))
    row = np.asarray(fit_image(picture, (20, 20)))[10]
    np.testing.assert_array_equal(row, np.arange(40, 60))


def test_integer_tiffs_of_32_bits_are_refused(tmp_path: Path) -> None:
    """Their range is unknown: read as 16 bits, an image of values up to 255 is black."""
    for dtype in (np.int32, np.int16):
        values = np.arange(64, dtype=dtype).reshape(8, 8) * 4
        Image.fromarray(values.astype(np.int32)).save(tmp_path / "x.tif")
        with pytest.raises(UserError, match=r"x.tif: 32-bit integer grey values have no known r"):
            open_image(tmp_path / "x.tif")


def test_sixteen_bits_are_divided_by_their_range_however_few_are_used(tmp_path: Path) -> None:
    values = np.full((4, 4), 4095, dtype=np.uint16)  # the largest value of 12 bits
    Image.fromarray(values).save(tmp_path / "x.png")
    assert open_image(tmp_path / "x.png").getpixel((0, 0)) == (16, 16, 16)


def test_rgba_keeps_transparency_and_rgb_lays_it_over_white(tmp_path: Path) -> None:
    Image.new("RGBA", (4, 4), (10, 20, 30, 0)).save(tmp_path / "x.png")
    assert open_image(tmp_path / "x.png", "RGBA").getpixel((0, 0)) == (10, 20, 30, 0)
    assert open_image(tmp_path / "x.png").getpixel((0, 0)) == (255, 255, 255)
    Image.new("L", (4, 4), 7).save(tmp_path / "y.png")
    assert open_image(tmp_path / "y.png", "RGBA").getpixel((0, 0)) == (7, 7, 7, 255)
    with pytest.raises(UserError, match=r"--in-chans 5: image files are read as 1 \(grey\), 3"):
        mode_for(5)


@pytest.mark.parametrize("name", ["x.jpg", "x.png", "x.webp"])
def test_the_quick_check_finds_what_opening_finds(tmp_path: Path, name: str) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / name
    Image.fromarray(rng.integers(0, 256, (90, 120, 3), dtype=np.uint8)).save(path)
    check_image(path)
    whole = path.read_bytes()
    for part in (0.02, 0.3, 0.9):
        path.write_bytes(whole[: int(len(whole) * part)])
        with pytest.raises(UserError) as opened:
            open_image(path)
        with pytest.raises(UserError) as checked:
            check_image(path)
        assert str(checked.value) == str(opened.value)


def test_names_that_are_not_utf8_are_shown(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png"))
    path.write_bytes(b"no image")
    with pytest.raises(UserError, match=r"caf\\xe9.png is not an image$") as error:
        open_image(path)
    str(error.value).encode()
