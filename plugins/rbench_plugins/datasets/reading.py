"""Read any image file as 8-bit RGB, or say in one line which file is wrong and why."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rbench import UserError

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_PIXELS = 178_000_000
SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
"""A file so named has to be an image; another is passed over where it is none."""


class NoImage(UserError):
    """A file that is no image at all, as far as its content tells."""


def open_image(path: Path) -> Image:
    """The image in ``path`` as 8-bit RGB, upright by its EXIF orientation.

    Grey, palette and CMYK are converted; 16-bit and [0, 1] float images are scaled, not clipped;
    transparency is laid over white; of an animation it is the first frame. UserError, in one
    line that names the file, for what cannot be opened, is broken off, or has over 178 megapixels.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's: a large image, broken EXIF
            with Image.open(path) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise _too_large(path)
                image.load()
                return _rgb(ImageOps.exif_transpose(image), path)
    except UnidentifiedImageError as error:
        raise NoImage(f"{path} is not an image") from error
    except Image.DecompressionBombError as error:
        raise _too_large(path) from error
    except OSError as error:
        if error.errno is not None:
            raise UserError(f"cannot read {path}: {error.strerror}") from error
        raise UserError(f"cannot read {path}: {_line(error)}") from error
    except UserError:
        raise
    except (SyntaxError, ValueError, IndexError, EOFError, MemoryError) as error:
        # Pillow's decoders raise any of these on broken files.
        raise UserError(f"cannot read {path}: broken image ({_line(error)})") from error


def find_images(folder: Path) -> list[Path]:
    """Every file below ``folder`` that may be an image, sorted; hidden files left out."""
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder")
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def readable(
    paths: Iterable[Path], skip_bad: bool, skipped: list[str]
) -> Iterator[tuple[Path, Image]]:
    """Those of ``paths`` that :func:`open_image` reads, with their images, one after another.

    A file that is no image and is not named like one (a README, a list of labels) is left out
    in any case; an image that is broken, or whose name promises one, only with ``skip_bad``, and
    is otherwise a UserError. The complaints on what is left out go to ``skipped``.
    """
    for path in paths:
        try:
            image = open_image(path)
        except UserError as error:
            stranger = isinstance(error, NoImage) and path.suffix.lower() not in SUFFIXES
            if not (skip_bad or stranger):
                raise UserError(f"{error} (--skip-bad goes on without it)") from error
            skipped.append(str(error))
        else:
            yield path, image


def _rgb(image: Image, path: Path) -> Image:
    """8-bit RGB of an image of any mode."""
    from PIL import Image as images

    if image.mode.startswith("I") or image.mode == "F":
        return _deep(image, path).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = images.new("RGBA", image.size, (255, 255, 255, 255))
        return images.alpha_composite(white, image).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _deep(image: Image, path: Path) -> Image:
    """8-bit grey of a grey image of 16 or 32 bits; ``convert`` would clip it at 255."""
    import numpy as np
    from PIL import Image as images

    values = np.asarray(image, dtype=np.float64)
    low, high = float(values.min()), float(values.max())
    top = 1.0 if image.mode == "F" and high <= 1 else 255.0 if image.mode == "F" else 65535.0
    if not (np.isfinite(values).all() and low >= 0 and high <= top):
        raise UserError(
            f"cannot read {path}: grey values from {low:g} to {high:g}, neither 8-bit nor 16-bit"
        )
    return images.fromarray(np.rint(values * (255 / top)).astype(np.uint8))


def _too_large(path: Path) -> UserError:
    return UserError(f"{path} has too many pixels: at most {MOST_PIXELS // 10**6} million")


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:150] or type(error).__name__
