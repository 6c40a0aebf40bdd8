"""Contents and styles: your files or folders, or photographs and textures of scikit-image."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, field_validator

from rbench import DataContext, Dataset, Options, UnknownName, UserError, fit_image
from rbench_plugins.datasets.reading import find_images, open_image, readable

if TYPE_CHECKING:
    from PIL.Image import Image

    from rbench import ImageData, MemoryImages

PHOTOGRAPHS = ("astronaut", "chelsea", "coffee")
TEXTURES = ("brick", "grass", "gravel", "hubble_deep_field", "immunohistochemistry")
EMBEDDED = (*PHOTOGRAPHS, *TEXTURES, "camera", "coins", "rocket", "retina", "cell", "horse")
"""What scikit-image carries in its wheel, without a download."""
SIDE = 160
"""Pixels of the shorter side where no size is asked for and the images are larger."""
LARGEST = 8192


class ContentStyleOptions(Options):
    """Options of ``content_style``. Files are known by their content, not by their path."""

    content: tuple[str, ...] = Field(
        (), exclude=True, description="files, folders, or names of scikit-image's photographs"
    )
    style: tuple[str, ...] = Field(
        (), exclude=True, description="files, folders, or names of scikit-image's textures"
    )
    style_scale: float = Field(
        1.0, ge=0.25, le=4, description="size of the style images, the contents' being 1"
    )

    @field_validator("content", "style", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        # A comma stands between two of them, unless it is part of a file's name.
        return (value,) if Path(value).exists() else tuple(filter(None, value.split(",")))


def open_pairs(context: DataContext, options: ContentStyleOptions) -> ImageData:
    """Contents as ``test``, styles as ``train``; each cropped to one shape and resized.

    That is ``--img-size``, or else: the shape of the contents where all have one, a square where
    they have not; at most 160 pixels on its shorter side. Grey images become RGB.
    """
    import numpy as np
    import torch

    from rbench import ImageData, MemoryImages

    if context.in_chans not in (None, 3):
        raise UserError(f"content_style is in color: --in-chans {context.in_chans} cannot be had")
    skipped: list[str] = []
    contents, styles = sources(context, options, skipped)
    pictures = [_open(source) for source in contents]
    size = context.img_size or _common_size(pictures, context)
    if max(size) > LARGEST:
        raise UserError(f"--img-size {size[0]} {size[1]}: at most {LARGEST} pixels a side")
    scaled = tuple(max(1, round(side * options.style_scale)) for side in size)

    def load(found: list[str | Path], size: tuple[int, ...], opened: list[Image]) -> MemoryImages:
        images = []
        for number, source in enumerate(found):
            image = fit_image(opened[number] if opened else _open(source), (size[0], size[1]))
            images.append(torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1))
        names = [s if isinstance(s, str) else s.stem for s in found]
        return MemoryImages(torch.stack(images), None, names)

    return ImageData(
        name="content_style",
        revision=identity(context, options),
        in_chans=3,
        img_size=(size[0], size[1]),
        train=load(styles, scaled, []),
        test=load(contents, size, pictures),
        mean=(0.5,) * 3,
        std=(0.5,) * 3,
        skipped=skipped,
    )


def identity(context: DataContext, options: ContentStyleOptions) -> str:
    """A digest of all files' contents, contents before styles, each in order."""
    digest = hashlib.sha256()
    for found in sources(context, options, []):
        for source in found:
            if isinstance(source, Path):
                digest.update(hashlib.sha256(_bytes(source)).digest())
            else:
                digest.update(f"scikit-image {source}\0".encode())
        digest.update(b"\n")
    return f"sha256:{digest.hexdigest()[:32]}"


def sources(
    context: DataContext, options: ContentStyleOptions, skipped: list[str]
) -> tuple[list[str | Path], list[str | Path]]:
    """Contents and styles: what the options name, else data_dir's folders, else the embedded."""
    found = []
    for kind, named, embedded in (
        ("content", options.content, PHOTOGRAPHS),
        ("style", options.style, TEXTURES),
    ):
        words: tuple[str, ...] = named
        if not words and context.data_dir is not None:
            folder = context.data_dir / kind
            if not folder.is_dir():
                raise UserError(
                    f"{context.data_dir} has no folder {kind}/; expected content/ and style/, "
                    f"or --dataset-kwargs {kind}=IMAGE,..."
                )
            words = (str(folder),)
        sources: list[str | Path] = []
        for word in words or embedded:
            sources += _source(word, kind, context, skipped)
        found.append(sources)
    return found[0], found[1]


def _source(word: str, kind: str, context: DataContext, skipped: list[str]) -> list[str | Path]:
    """A file, the images of a folder, or an embedded picture."""
    path = Path(word).expanduser()
    if path.is_dir():
        images = [found for found, _ in readable(find_images(path), context.skip_bad, skipped)]
        if not images:
            raise UserError(f"{kind} {word}: the folder has no image")
        return [*images]
    if path.exists():
        return [path]
    if word in EMBEDDED:
        return [word]
    if path.suffix or "/" in word:
        raise UserError(f"{kind} {word}: there is no such file")
    raise UnknownName(f"{kind} image", word, EMBEDDED)


def _open(source: str | Path) -> Image:
    if isinstance(source, Path):
        return open_image(source)
    import skimage.data
    from PIL import Image

    array = getattr(skimage.data, source)()
    if array.dtype == bool:
        array = array.astype("uint8") * 255
    return Image.fromarray(array).convert("RGB")


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error


def _common_size(pictures: list[Image], context: DataContext) -> tuple[int, int]:
    width, height = pictures[0].size
    shapes = {round(p.width / p.height, 2) for p in pictures}
    short = min(SIDE, *(side for p in pictures for side in p.size))
    if len(shapes) > 1:
        context.note(
            f"contents of different shapes are cropped to squares of {short} pixels; --img-size "
            "chooses another size"
        )
        return short, short
    scale = short / min(width, height)
    return max(1, round(height * scale)), max(1, round(width * scale))


COMPONENT = Dataset(
    name="content_style",
    title="contents and styles",
    summary="Content and style images: files, folders, or scikit-image's own.",
    open=open_pairs,
    options=ContentStyleOptions,
    needs_data_dir=False,
    identity=identity,
)
