"""Opens the dataset that ``datasets/plain_folder.py`` describes."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch

from rbench import DataContext, ImageData, MemoryImages, UserError, fit_image
from rbench_plugins.datasets.identity.plain_folder import candidates, root_folder, split_folders
from rbench_plugins.datasets.memory import channelled, check_bytes, moments_of
from rbench_plugins.datasets.plain_folder import PlainFolderOptions
from rbench_plugins.datasets.reading import find_images, mode_for, readable, shown


def open_plain_folder(context: DataContext, options: PlainFolderOptions) -> ImageData:
    """Every image below the folder, by name; 224x224 RGB where nothing else is asked for.

    A folder ``train/`` beside ``test/`` or ``val/`` holds the images that a DCN is trained on;
    otherwise all images are test images. Each is cropped to the shape asked for and resized.
    Files that are not images are left out and named; broken images are an error unless
    ``skip_bad``.
    """
    root = root_folder(context)
    size = context.img_size or (224, 224)
    skipped: list[str] = []
    train_folder, test_folder = split_folders(root)
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


def _load(
    folder: Path,
    size: tuple[int, int],
    context: DataContext,
    limit: int | None,
    skipped: list[str],
) -> MemoryImages:
    paths = find_images(folder)
    if limit is not None and limit < len(named := candidates(folder)):
        # Those that take the place of unreadable ones come after.
        first = [named[len(named) * number // limit] for number in range(limit)]
        paths = list(dict.fromkeys([*first, *named]))
    found: list[tuple[Path, Any]] = []
    total = 0
    mode = mode_for(4 if context.in_chans == 4 else None)
    for path, image in readable(paths, context.skip_bad, skipped, mode):
        array = np.asarray(fit_image(image, size))
        total += array.nbytes
        check_bytes(total, str(folder), size, "choose a smaller --img-size")
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
