"""Folders of images by class: what lies in them, and into memory or onto a stream with it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rbench import DataContext, FoundFile, UserError, content_digests, content_revision
from rbench_plugins.datasets.reading import SUFFIXES, fit, open_image

if TYPE_CHECKING:
    from PIL.Image import Image

    from rbench import FileImages, MemoryImages

MOST_IN_MEMORY = 2 * 1024**3
LARGE_FILE = 16 * 1024


@dataclass(frozen=True)
class Split:
    """The images of one split, ordered by class and name, and the index of each one's class."""

    name: str
    folder: Path
    base: Path
    files: Sequence[FoundFile]
    targets: Sequence[int]

    @cached_property
    def paths(self) -> list[Path]:
        """The images' paths."""
        return [Path(file.path) for file in self.files]

    @property
    def bytes(self) -> int:
        """The size of all files together."""
        return sum(file.size for file in self.files)

    def names(self) -> list[str]:
        """Paths relative to ``base``, with slashes."""
        start = len(os.path.join(self.base, ""))
        return [file.path[start:].replace(os.sep, "/") for file in self.files]


def two_splits(root: Path, held_out: Sequence[str]) -> tuple[Split, Split, list[str]]:
    """``train/`` and the first of ``held_out`` that has class folders, and the class names.

    Classes are the sorted names of the class folders; both splits must have the same.
    """
    train = root / "train"
    if not train.is_dir():
        found = ", ".join(sorted(entry.name for entry in os.scandir(root))[:6]) or "nothing"
        raise UserError(f"{root} has no folder train/ (there is {found})")
    present = [root / name for name in held_out if (root / name).is_dir()]
    if not present:
        wanted = " or ".join(f"{name}/" for name in held_out)
        raise UserError(f"{root} has no folder {wanted} beside train/")
    classes = _classes(train)
    test = next((folder for folder in present if any(_folders(folder))), present[0])
    if (others := _classes(test)) != classes:
        only = [f"only {train.name}/ has {name}" for name in sorted(set(classes) - set(others))]
        only += [f"only {test.name}/ has {name}" for name in sorted(set(others) - set(classes))]
        raise UserError(
            f"{root}: train/ has {len(classes)} classes and {test.name}/ has {len(others)}: "
            f"{'; '.join(only[:3])}{' ...' if len(only) > 3 else ''}"
        )
    return _split(train, classes), _split(test, classes), classes


def plain(folder: Path) -> Split:
    """All images below ``folder``, without classes (every target is 0)."""
    found = _sorted(_images(str(folder)))
    if not found:
        raise UserError(f"{folder} holds no image")
    return Split(folder.name, folder, folder, found, [0] * len(found))


def digests(splits: Sequence[Split], skip_bad: bool) -> list[list[bytes]]:
    """The SHA-256 of every file, by split."""
    files = [file for split in splits for file in split.files]
    found = iter(content_digests(splits[0].base, files, skip_bad))
    return [[next(found) for _ in split.files] for split in splits]


def revision_of(splits: Sequence[Split], skip_bad: bool) -> str:
    """A revision from the names and the contents of all files."""
    found = digests(splits, skip_bad)
    names = [name for split in splits for name in split.names()]
    return content_revision(names, [digest for part in found for digest in part])


def load(
    split: Split, context: DataContext, size: tuple[int, int] | None
) -> tuple[MemoryImages, list[str], list[int]]:
    """Decode ``split``; return the images, why others were left out, and which files are used.

    Each image is cropped to the shape of ``size`` (height, width) and resized; with None all
    images must have one size. A broken image is a UserError unless ``context.skip_bad``.
    """
    import numpy as np
    import torch

    from rbench import MemoryImages

    read = _Reader(size, context.in_chans or 3)
    pixels: Any = None
    targets: list[int] = []
    kept: list[str] = []
    skipped: list[str] = []
    used: list[int] = []
    for index, (path, target, name, result) in enumerate(
        zip(split.paths, split.targets, split.names(), _each(read, split), strict=True)
    ):
        if isinstance(result, UserError):
            if not context.skip_bad:
                raise UserError(f"{result} (--skip-bad goes on without it)") from result
            skipped.append(str(result))
            continue
        array = result
        if pixels is None:
            pixels = np.empty((len(split.paths), *array.shape), dtype=np.uint8)
            _must_fit(pixels.nbytes, split)
        elif array.shape != pixels.shape[1:]:
            raise UserError(
                f"images have different sizes: {path} is {array.shape[2]}x{array.shape[1]}, those "
                f"before it are {pixels.shape[3]}x{pixels.shape[2]}; choose one with --img-size"
            )
        pixels[len(targets)] = array
        targets.append(target)
        kept.append(name)
        used.append(index)
    if pixels is None:
        raise UserError(f"{split.folder} has no image that can be read")
    images = MemoryImages(
        torch.from_numpy(pixels[: len(targets)]), torch.tensor(targets, dtype=torch.int64), kept
    )
    return images, skipped, used


def stream(split: Split, size: tuple[int, int], in_chans: int, crop_pct: float) -> FileImages:
    """``split`` read when needed; evaluated as timm does: shorter side, then centre crop."""
    from timm.data import create_transform

    from rbench import FileImages

    prepare = create_transform(
        (in_chans, *size),
        is_training=False,
        use_prefetcher=False,
        interpolation="bicubic",
        crop_pct=crop_pct,
        mean=(0.0,) * in_chans,
        std=(1.0,) * in_chans,
    )
    return FileImages(_Opener(split.paths, in_chans), prepare, split.targets, split.names())


def fits(splits: Sequence[Split], size: tuple[int, int], in_chans: int) -> bool:
    """Whether all images at ``size`` take less than 2 GiB."""
    images = sum(len(split.paths) for split in splits)
    return images * in_chans * size[0] * size[1] < MOST_IN_MEMORY


SAMPLE = 2000


def sampled_revision(splits: Sequence[Split]) -> str:
    """A revision from the names and sizes of all files and the contents of 2,000 of them.

    For a published dataset that is too large to be read only to be named. The 2,000 files are
    evenly spaced. Another resolution or encoding of the same images changes the sizes.
    """
    files = [file for split in splits for file in split.files]
    names = [
        f"{name}\0{file.size}"
        for split in splits
        for name, file in zip(split.names(), split.files, strict=True)
    ]
    chosen = (
        {len(files) * index // SAMPLE for index in range(SAMPLE)}
        if len(files) > SAMPLE
        else range(len(files))
    )
    found = iter(content_digests(splits[0].base, [files[i] for i in sorted(chosen)]))
    parts = [next(found) if i in chosen else b"" for i in range(len(files))]
    return content_revision(names, parts).replace("sha256:", "sample:")


@dataclass(frozen=True)
class _Opener:
    paths: Sequence[Path]
    in_chans: int

    def __call__(self, index: int) -> Image:
        image = open_image(self.paths[index])
        return image.convert("L") if self.in_chans == 1 else image


@dataclass(frozen=True)
class _Reader:
    size: tuple[int, int] | None
    in_chans: int

    def __call__(self, path: Path) -> Any | UserError:
        """Pixels (C, H, W), or what is wrong with the file."""
        import numpy as np

        try:
            image = open_image(path)
        except UserError as error:
            return error
        if self.in_chans == 1:
            image = image.convert("L")
        if self.size is not None and (image.height, image.width) != self.size:
            image = fit(image, self.size)
        array = np.asarray(image)
        return array[None] if array.ndim == 2 else array.transpose(2, 0, 1)


def _each(read: Callable[[Path], Any], split: Split) -> Iterator[Any]:
    """``read`` of every path in order; threads only where files are large.

    Pillow lets go of the interpreter while it decodes, but for an icon of a kilobyte handing
    over costs more than it brings: two threads need 1.3 times one thread's time.
    """
    if split.bytes < LARGE_FILE * len(split.paths):
        yield from map(read, split.paths)
        return
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        step = 256  # not all at once: results wait in memory
        for start in range(0, len(split.paths), step):
            yield from pool.map(read, split.paths[start : start + step])


def _must_fit(size: int, split: Split) -> None:
    if size > MOST_IN_MEMORY:
        raise UserError(
            f"{split.folder} needs {size / 1024**3:.1f} GiB in memory; choose a smaller --img-size "
            "or the option stream=true"
        )


def _folders(folder: Path) -> Iterator[str]:
    for entry in os.scandir(folder):
        if entry.is_dir() and not entry.name.startswith("."):
            yield entry.name


def _classes(folder: Path) -> list[str]:
    names = sorted(_folders(folder))
    if not names:
        what = "is empty" if not any(os.scandir(folder)) else "has no class folders"
        raise UserError(f"{folder} {what}; expected {folder.name}/<class>/<image>")
    return names


def _split(folder: Path, classes: list[str]) -> Split:
    files: list[FoundFile] = []
    targets: list[int] = []
    for target, name in enumerate(classes):
        found = _sorted(_images(os.path.join(folder, name)))
        if not found:
            raise UserError(f"the class folder {folder / name} holds no image")
        files += found
        targets += [target] * len(found)
    return Split(folder.name, folder, folder.parent, files, targets)


def _images(folder: str) -> Iterator[FoundFile]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                yield from _images(entry.path)
            elif entry.name.lower().endswith(SUFFIXES):
                yield FoundFile.of(entry.path, entry.stat())


def _sorted(files: Iterator[FoundFile]) -> list[FoundFile]:
    """By folder and name: ``a/1.png`` before ``a.png``, as paths are sorted."""
    return sorted(files, key=lambda file: file.path.split(os.sep))
