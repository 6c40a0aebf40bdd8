"""Folders of images by class: what lies in them, and into memory or onto a stream with it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rbench import DataContext, UserError
from rbench_plugins.datasets.reading import SUFFIXES, fit, open_image

if TYPE_CHECKING:
    from PIL.Image import Image

    from rbench import FileImages, MemoryImages

MOST_IN_MEMORY = 2 * 1024**3
MOST_HASHED = 1024**3
LARGE_FILE = 16 * 1024


@dataclass(frozen=True)
class Split:
    """Files of one split, by class and name: paths, their classes' indices, bytes in all."""

    name: str
    folder: Path
    base: Path
    paths: Sequence[Path]
    targets: Sequence[int]
    sizes: Sequence[int]

    def names(self) -> list[str]:
        """Paths relative to ``base``, with slashes."""
        return [path.relative_to(self.base).as_posix() for path in self.paths]


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
    found = sorted(_images(folder))
    if not found:
        raise UserError(f"{folder} holds no image")
    paths, sizes = [path for path, _ in found], [size for _, size in found]
    return Split(folder.name, folder, folder, paths, [0] * len(found), sizes)


def load(
    split: Split, context: DataContext, size: tuple[int, int] | None
) -> tuple[MemoryImages, list[str], list[bytes]]:
    """Decode ``split``; returns the images, complaints on those left out, the files' hashes.

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
    hashes: list[bytes] = []
    for path, target, name, result in zip(
        split.paths, split.targets, split.names(), _each(read, split), strict=True
    ):
        if isinstance(result, UserError):
            if not context.skip_bad:
                raise UserError(f"{result} (--skip-bad goes on without it)") from result
            skipped.append(str(result))
            continue
        array, digest = result
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
        hashes.append(name.encode() + b"\0" + digest)
    if pixels is None:
        raise UserError(f"{split.folder} has no image that can be read")
    images = MemoryImages(
        torch.from_numpy(pixels[: len(targets)]), torch.tensor(targets, dtype=torch.int64), kept
    )
    return images, skipped, hashes


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


def revision_by_size(splits: Sequence[Split]) -> str:
    """A revision from names and sizes of all files, for sets too large to read twice."""
    digest = hashlib.sha256()
    for split in splits:
        for name, size in zip(split.names(), split.sizes, strict=True):
            digest.update(f"{name}\0{size}\n".encode())
    return f"names+sizes:{digest.hexdigest()[:32]}"


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

    def __call__(self, path: Path) -> tuple[Any, bytes] | UserError:
        """Pixels (C, H, W) and SHA-256 of the file; a complaint comes back as a value."""
        import numpy as np

        try:
            image = open_image(path)
            digest = hashlib.sha256(path.read_bytes()).digest()
        except UserError as error:
            return error
        if self.in_chans == 1:
            image = image.convert("L")
        if self.size is not None and (image.height, image.width) != self.size:
            image = fit(image, self.size)
        array = np.asarray(image)
        return (array[None] if array.ndim == 2 else array.transpose(2, 0, 1)), digest


def _each(read: Callable[[Path], Any], split: Split) -> Iterator[Any]:
    """``read`` of every path in order; threads only where files are large.

    Pillow lets go of the interpreter while it decodes, but for an icon of a kilobyte handing
    over costs more than it brings: two threads need 1.3 times one thread's time.
    """
    if sum(split.sizes) < LARGE_FILE * len(split.paths):
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
    paths: list[Path] = []
    targets: list[int] = []
    sizes: list[int] = []
    for target, name in enumerate(classes):
        found = sorted(_images(folder / name))
        if not found:
            raise UserError(f"the class folder {folder / name} holds no image")
        paths += [path for path, _ in found]
        sizes += [size for _, size in found]
        targets += [target] * len(found)
    return Split(folder.name, folder, folder.parent, paths, targets, sizes)


def _images(folder: Path) -> Iterator[tuple[Path, int]]:
    for entry in os.scandir(folder):
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _images(Path(entry.path))
        elif entry.name.lower().endswith(SUFFIXES):
            yield Path(entry.path), entry.stat().st_size
