"""Any folder of images without labels, such as those of a reconstruction or stylization."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from rbench import (
    DataContext,
    Dataset,
    FoundFile,
    Options,
    UserError,
    content_digests,
    content_revision,
    fit_image,
)
from rbench_plugins.datasets.reading import SUFFIXES, find_images, mode_for, readable, shown

if TYPE_CHECKING:
    from rbench import ImageData, MemoryImages

HELD_OUT = ("test", "val", "valid", "validation")
MOST_IN_MEMORY = 4 * 1024**3


class PlainFolderOptions(Options):
    """Options of ``plain_folder``."""

    images: int | None = Field(
        None, ge=1, description="number of test images, evenly spaced by name; default: all"
    )


def open_plain_folder(context: DataContext, options: PlainFolderOptions) -> ImageData:
    """Every image below the folder, by name; 224x224 RGB where nothing else is asked for.

    A folder ``train/`` beside ``test/`` or ``val/`` holds the images that a DCN is trained on;
    otherwise all images are test images. Each is cropped to the shape asked for and resized.
    Files that are not images are left out and named; broken images are an error unless
    ``skip_bad``.
    """
    from rbench import ImageData
    from rbench_plugins.datasets.memory import moments_of

    root = _root(context)
    size = context.img_size or (224, 224)
    skipped: list[str] = []
    train_folder, test_folder = _splits(root)
    test = _load(test_folder, size, context, options.images, skipped)
    train = None if train_folder is None else _load(train_folder, size, context, None, skipped)
    if skipped:
        context.note(f"left out {len(skipped)} of the files in {root.name}: {skipped[0]}")
    mean, std = moments_of((train or test).pixels)
    digest = hashlib.sha256()
    for part in (test, train):
        if part is not None:
            digest.update(part.pixels.numpy().tobytes())
    return ImageData(
        name="plain_folder",
        revision=f"pixels:{digest.hexdigest()[:32]}",
        in_chans=test.pixels.shape[1],
        img_size=size,
        train=train,
        test=test,
        mean=mean,
        std=std,
        hflip=0.5,
        skipped=skipped,
    )


def identity(context: DataContext, options: PlainFolderOptions) -> str:
    """A digest of the names and contents of all files."""
    root = _root(context)
    files = [FoundFile.of(str(path), path.stat()) for path in find_images(root)]
    names = [file.path[len(str(root)) + 1 :] for file in files]
    content = content_revision(names, content_digests(root, files, context.skip_bad))
    if options.images is not None and options.images < len(_candidates(_splits(root)[1])):
        content += f" {options.images} evenly spaced"
    return content


def _root(context: DataContext) -> Path:
    if context.data_dir is None:
        raise UserError("the dataset plain_folder needs --data-dir, or RBENCH_DATA")
    if not context.data_dir.is_dir():
        raise UserError(f"--data-dir {context.data_dir} is not a folder")
    return context.data_dir


def _splits(root: Path) -> tuple[Path | None, Path]:
    held_out = next((root / name for name in HELD_OUT if (root / name).is_dir()), None)
    if held_out is not None and (root / "train").is_dir():
        return root / "train", held_out
    return None, root


def _candidates(folder: Path) -> list[Path]:
    """The files that are named like images; all files where none is."""
    paths = find_images(folder)
    named = [path for path in paths if path.suffix.lower() in SUFFIXES]
    return named or paths


def _load(
    folder: Path,
    size: tuple[int, int],
    context: DataContext,
    limit: int | None,
    skipped: list[str],
) -> MemoryImages:
    import numpy as np
    import torch

    from rbench import MemoryImages
    from rbench_plugins.datasets.memory import channelled

    paths = find_images(folder)
    if limit is not None and limit < len(named := _candidates(folder)):
        # Those that take the place of unreadable ones come after.
        first = [named[len(named) * number // limit] for number in range(limit)]
        paths = list(dict.fromkeys([*first, *named]))
    found: list[tuple[Path, Any]] = []
    total = 0
    mode = mode_for(4 if context.in_chans == 4 else None)
    for path, image in readable(paths, context.skip_bad, skipped, mode):
        array = np.asarray(fit_image(image, size))
        total += array.nbytes
        if total > MOST_IN_MEMORY:
            raise UserError(
                f"{folder} needs over {MOST_IN_MEMORY // 1024**3} GiB at {size[1]}x{size[0]} "
                "pixels; choose a smaller --img-size"
            )
        found.append((path, array))
        if len(found) == limit:
            break
    found.sort(key=lambda pair: pair[0])
    arrays = [array for _, array in found]
    if not arrays:
        raise UserError(f"{folder} has no image that can be read")
    pixels = torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2).contiguous()
    names = [shown(path.relative_to(folder).as_posix()) for path, _ in found]
    return MemoryImages(channelled(pixels, context.in_chans), names=names)


COMPONENT = Dataset(
    name="plain_folder",
    title="a folder of images",
    summary="Your own images without labels: any folder, or train/ beside test/ or val/.",
    open=open_plain_folder,
    options=PlainFolderOptions,
    identity=identity,
    recipe="p1_dcn",
)
