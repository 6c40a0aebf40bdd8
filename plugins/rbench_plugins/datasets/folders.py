"""Images of a folder, loaded into memory or streamed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL.Image import Image
from timm.data import create_transform

from rbench import Choice, DataContext, FileImages, FoundFile, MemoryImages, UserError, fit_image
from rbench_plugins.datasets.contents import MOST_IN_MEMORY
from rbench_plugins.datasets.decoded import (
    Decoded,
    cache_place,
    checked,
    checked_place,
    decoded,
    read_decoded,
)
from rbench_plugins.datasets.memory import Moments, moments_of
from rbench_plugins.datasets.reading import Mode, check_image, mode_for, open_image, shown
from rbench_plugins.datasets.splits import Split

LARGE_FILE = 16 * 1024


@dataclass(frozen=True)
class Loaded:
    """Decoded images of a split, and for files that cannot be read, by index, the reason."""

    images: MemoryImages
    skipped: dict[int, str]
    moments: Moments


def load(
    split: Split,
    found: Sequence[bytes],
    context: DataContext,
    size: tuple[int, int] | None,
    choice: Choice | None = None,
) -> Loaded:
    """Decode ``split``, whose files have the digests ``found``, or take it from the cache.

    Each image is cropped to the shape of ``size`` (height, width) and resized; with None all
    images must have one size. A broken image is a UserError unless ``context.skip_bad``. Of a
    ``choice`` only so many files are decoded that there are ``choice.count`` readable images.
    """
    names = split.names()
    reader = _Reader(size, mode_for(context.in_chans))

    def place(indices: Sequence[int]) -> Path:
        return cache_place([names[i] for i in indices], [found[i] for i in indices], reader)

    def decode(indices: Sequence[int]) -> Decoded:
        files = [split.files[i] for i in indices]
        return decoded(place(indices), lambda: _decode(files, reader, split, context.skip_bad))

    indices: Sequence[int] = range(len(names))
    if choice is None:
        part = decode(indices)
    elif whole := read_decoded(place(indices)):
        indices = choice.pick_around(whole.skipped.keys())
        part = whole.only(indices)
    else:
        part, bad = decode(indices := choice.pick()), set[int]()
        while len(part.used) < choice.count and len(indices) < len(names):
            bad |= {indices[at] for at in part.skipped}
            part = decode(indices := choice.pick_around(bad))
    skipped = {
        indices[at]: text.replace("{}", shown(split.files[indices[at]].path))
        for at, text in part.skipped.items()
    }
    for text in skipped.values() if not context.skip_bad else ():
        raise UserError(f"{text} (--skip-bad goes on without it)")
    used = [indices[at] for at in part.used]
    if not used:
        raise UserError(f"{split.folder} has no image that can be read")
    targets = torch.tensor([split.targets[index] for index in used], dtype=torch.int64)
    images = MemoryImages(part.pixels, targets, [shown(names[index]) for index in used])
    return Loaded(images, skipped, part.moments or moments_of(part.pixels))


def _decode(files: Sequence[FoundFile], reader: _Reader, split: Split, skip_bad: bool) -> Decoded:
    """Decode ``files``; UserError at the first broken one unless ``skip_bad``."""
    pixels: Any = np.empty((0, 0, 0, 0), dtype=np.uint8)
    used: list[int] = []
    skipped: dict[int, str] = {}
    for index, (file, result) in enumerate(zip(files, _each(reader, files), strict=True)):
        if isinstance(result, UserError):
            if not skip_bad:
                raise UserError(f"{result} (--skip-bad goes on without it)") from result
            skipped[index] = str(result).replace(shown(file.path), "{}")
            continue
        if not used:
            pixels = np.empty((len(files), *result.shape), dtype=np.uint8)
            _must_fit(pixels.nbytes, split)
        elif result.shape != pixels.shape[1:]:
            raise UserError(
                f"images have different sizes: {shown(file.path)} is {result.shape[2]}x"
                f"{result.shape[1]}, those before it are {pixels.shape[3]}x{pixels.shape[2]}; "
                "choose one with --img-size"
            )
        pixels[len(used)] = result
        used.append(index)
    tensor = torch.from_numpy(pixels[: len(used)])
    return Decoded(tensor, used, skipped, moments_of(tensor) if used else None)


def usable(
    split: Split, found: Sequence[bytes], skip_bad: bool, choice: Choice | None, check: bool
) -> tuple[Split, dict[int, str]]:
    """``split`` without what cannot be read, and the reasons by index; as :func:`load` chooses.

    With ``check`` every image that is used is decoded once, before anything is trained on it, and
    what was found is kept in the cache.
    """
    names = split.names()

    def broken(indices: Sequence[int]) -> dict[int, str]:
        if not check:
            return {}
        files = [split.files[i] for i in indices]
        place = checked_place([names[i] for i in indices], [found[i] for i in indices])
        found_bad = checked(place, lambda: _check(files))
        return {indices[at]: text for at, text in found_bad.items()}

    indices: Sequence[int] = range(len(names)) if choice is None else choice.pick()
    bad = broken(indices)
    while choice is not None and bad and len(indices) < len(names):
        indices = choice.pick_around(bad.keys())
        more = broken(indices)
        if more == bad:
            break
        bad = more
    skipped = {
        index: text.replace("{}", shown(split.files[index].path)) for index, text in bad.items()
    }
    for text in skipped.values() if not skip_bad else ():
        raise UserError(f"{text} (--skip-bad goes on without it)")
    kept = [index for index in indices if index not in bad]
    if not kept:
        raise UserError(f"{split.folder} has no image that can be read")
    files = [split.files[index] for index in kept]
    return replace(split, files=files, targets=[split.targets[i] for i in kept]), skipped


def _check(files: Sequence[FoundFile]) -> dict[int, str]:
    """What is wrong with those of ``files`` that cannot be decoded, by index."""

    def read(file: FoundFile) -> str | None:
        try:
            check_image(Path(file.path))
        except UserError as error:
            return str(error).replace(shown(file.path), "{}")
        return None

    bad: dict[int, str] = {}
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        step = 4096  # not a million futures at once
        for start in range(0, len(files), step):
            for at, text in enumerate(pool.map(read, files[start : start + step])):
                if text is not None:
                    bad[start + at] = text
    return bad


def stream(split: Split, size: tuple[int, int], in_chans: int, crop_pct: float) -> FileImages:
    """``split`` read when needed; evaluated as timm does: shorter side, then center crop."""
    prepare = create_transform(
        (in_chans, *size),
        is_training=False,
        use_prefetcher=False,
        interpolation="bicubic",
        crop_pct=crop_pct,
        mean=(0.0,) * in_chans,
        std=(1.0,) * in_chans,
    )
    opener = _Opener([file.path for file in split.files], mode_for(in_chans))
    return FileImages(opener, prepare, split.targets, list(map(shown, split.names())))


@dataclass(frozen=True)
class _Opener:
    paths: Sequence[str]
    mode: Mode

    def __call__(self, index: int) -> Image:
        return open_image(Path(self.paths[index]), self.mode)


@dataclass(frozen=True)
class _Reader:
    size: tuple[int, int] | None
    mode: Mode

    def __call__(self, path: Path) -> Any | UserError:
        """Pixels (C, H, W), or what is wrong with the file."""
        try:
            image = open_image(path, self.mode)
        except UserError as error:
            return error
        array = np.asarray(image if self.size is None else fit_image(image, self.size))
        return array[None] if array.ndim == 2 else array.transpose(2, 0, 1)


def _each(read: Callable[[Path], Any], files: Sequence[FoundFile]) -> Iterator[Any]:
    """``read`` of every file in order; threads only where files are large.

    Pillow releases the interpreter lock while it decodes, but for an icon of a kilobyte handing
    over costs more than it gains: two threads need 1.3 times one thread's time.
    """
    paths = [Path(file.path) for file in files]
    if sum(file.size for file in files) < LARGE_FILE * len(files):
        yield from map(read, paths)
        return
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        step = 256  # not all at once: results wait in memory
        for start in range(0, len(paths), step):
            yield from pool.map(read, paths[start : start + step])


def _must_fit(size: int, split: Split) -> None:
    if size > MOST_IN_MEMORY:
        raise UserError(
            f"{split.folder} needs {size / 1024**3:.1f} GiB in memory; choose a smaller --img-size "
            "or the option stream=true"
        )
