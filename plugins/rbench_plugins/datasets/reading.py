"""Read any image file as 8-bit pixels, or say in one line which file is wrong and why."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from PIL import Image as images
from PIL import ImageOps, UnidentifiedImageError
from PIL.Image import Image

from rbench import UserError

T = TypeVar("T")
MOST_PIXELS = 178_000_000
SUFFIXES = (
    *(".bmp", ".gif", ".jfif", ".jpeg", ".jpg"),
    *(".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"),
)
"""A file with such a name must be an image; any other file is left out if it is not."""
NOT_IMAGES = ("@eaDir", "__MACOSX")
"""Folders in which network storage and archives keep thumbnails and file attributes."""
Mode = Literal["L", "RGB", "RGBA"]


class NoImage(UserError):
    """A file that is not an image at all, as far as its content tells."""


def mode_for(in_chans: int | None) -> Mode:
    """How files are read for ``--in-chans``; None: RGB. UserError where that cannot be had."""
    modes: dict[int | None, Mode] = {None: "RGB", 1: "L", 3: "RGB", 4: "RGBA"}
    if in_chans not in modes:
        raise UserError(
            f"--in-chans {in_chans}: image files are read as 1 (grey), 3 (RGB) or 4 (RGBA) channels"
        )
    return modes[in_chans]


def open_image(path: Path, mode: Mode = "RGB") -> Image:
    """The image in ``path`` with 8 bits a channel, upright by its EXIF orientation.

    Grey, palette and CMYK images are converted. For the modes RGB and L transparency is laid over
    white; for RGBA it is kept, and an image without it is opaque. Of an animation it is the first
    frame. Grey images of 16 bits are divided by 65535 and float images in [0, 1] multiplied by
    255: 12-bit data in 16-bit files stays as dark as it is stored, since nothing in such a file
    says how many bits are used. 32-bit integer TIFFs have no known range and are refused.

    UserError, in one line that names the file, for what cannot be opened, is truncated, or has
    over 178 megapixels.
    """

    def read(image: Image) -> Image:
        image.load()
        found = _eight_bits(ImageOps.exif_transpose(image), image.format, path, mode)
        return found.convert("L") if mode == "L" else found

    return _open(path, read)


def check_image(path: Path) -> None:
    """UserError where :func:`open_image` would raise one; faster than it for JPEG files.

    A JPEG file is decoded completely, but to an eighth of its size.
    """

    def read(image: Image) -> None:
        if image.format == "JPEG":
            image.draft("RGB", (1, 1))
            image.load()
        else:
            image.load()
            _eight_bits(image, image.format, path, "RGB")

    _open(path, read)


def _open(path: Path, read: Callable[[Image], T]) -> T:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's: a large image, broken EXIF
            with images.open(path) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise _too_large(path)
                return read(image)
    except UnidentifiedImageError as error:
        raise NoImage(f"{shown(path)} is not an image") from error
    except images.DecompressionBombError as error:
        raise _too_large(path) from error
    except OSError as error:
        why = error.strerror if error.errno is not None else _line(error)
        raise UserError(f"cannot read {shown(path)}: {why}") from error
    except UserError:
        raise
    except (SyntaxError, ValueError, IndexError, EOFError, MemoryError) as error:
        # Pillow's decoders raise any of these on broken files.
        raise UserError(f"cannot read {shown(path)}: broken image ({_line(error)})") from error


def shown(path: Path | str) -> str:
    """``path`` as text that can be printed and stored: bytes that are not UTF-8 as ``\\xff``."""
    return os.fsencode(path).decode(errors="backslashreplace")


def find_images(folder: Path) -> list[Path]:
    """Every file below ``folder`` that may be an image, sorted; hidden files left out."""
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder")

    def left_out(part: str) -> bool:
        return part.startswith(".") or part in NOT_IMAGES

    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(map(left_out, path.relative_to(folder).parts))
    )


def readable(
    paths: Iterable[Path], skip_bad: bool, skipped: list[str], mode: Mode = "RGB"
) -> Iterator[tuple[Path, Image]]:
    """Those of ``paths`` that :func:`open_image` reads, with their images, one after another.

    A file that is not an image and is not named like one (a README, a list of labels) is left out
    in any case. A broken image, or a file that is only named like one, is left out with
    ``skip_bad`` and is otherwise a UserError. The reasons are appended to ``skipped``.
    """
    for path in paths:
        try:
            image = open_image(path, mode)
        except UserError as error:
            stranger = isinstance(error, NoImage) and path.suffix.lower() not in SUFFIXES
            if not (skip_bad or stranger):
                raise UserError(f"{error} (--skip-bad goes on without it)") from error
            skipped.append(str(error))
        else:
            yield path, image


def _eight_bits(image: Image, format: str | None, path: Path, mode: Mode) -> Image:
    """8-bit RGB, or RGBA for that mode, of an image of any mode."""
    if image.mode.startswith("I") or image.mode == "F":
        image = _deep(image, format, path).convert("RGB")
    elif image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        if mode != "RGBA":
            white = images.new("RGBA", image.size, (255, 255, 255, 255))
            image = images.alpha_composite(white, image).convert("RGB")
    elif image.mode != "RGB":
        image = image.convert("RGB")
    return image.convert("RGBA") if mode == "RGBA" else image


def _deep(image: Image, format: str | None, path: Path) -> Image:
    """8-bit grey of a grey image of 16 or 32 bits; ``convert`` would clip it at 255."""
    if image.mode == "I" and format == "TIFF":
        raise UserError(
            f"cannot read {shown(path)}: 32-bit integer grey values have no known range; save the "
            "image with 8 or 16 bits"
        )
    values = np.asarray(image, dtype=np.float64)
    low, high = float(values.min()), float(values.max())
    top = 1.0 if image.mode == "F" and high <= 1 else 255.0 if image.mode == "F" else 65535.0
    if not (np.isfinite(values).all() and low >= 0 and high <= top):
        raise UserError(
            f"cannot read {shown(path)}: grey values from {low:g} to {high:g}, neither 8-bit nor "
            "16-bit"
        )
    return images.fromarray(np.rint(values * (255 / top)).astype(np.uint8))


def _too_large(path: Path) -> UserError:
    return UserError(f"{shown(path)} has too many pixels: at most {MOST_PIXELS // 10**6} million")


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:150] or type(error).__name__
