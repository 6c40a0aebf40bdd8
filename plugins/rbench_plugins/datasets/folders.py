"""Folders of images by class: what lies in them, and into memory or onto a stream with it."""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rbench import (
    DataContext,
    FoundFile,
    UserError,
    content_digests,
    content_revision,
    fit_image,
)
from rbench_plugins.datasets.decoded import Decoded, cache_place, decoded, read_decoded
from rbench_plugins.datasets.memory import Moments, moments_of
from rbench_plugins.datasets.reading import SUFFIXES, open_image

if TYPE_CHECKING:
    from PIL.Image import Image

    from rbench import Choice, FileImages, MemoryImages

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
    found = list(_images(str(folder)))
    if not found:
        raise UserError(f"{folder} holds no image")
    return Split(folder.name, folder, folder, found, [0] * len(found))


def digests(splits: Sequence[Split], skip_bad: bool) -> list[list[bytes]]:
    """The SHA-256 of every file, by split."""
    files = [file for split in splits for file in split.files]
    found = iter(content_digests(splits[0].base, files, skip_bad))
    return [[next(found) for _ in split.files] for split in splits]


def revision_of(
    splits: Sequence[Split],
    found: Sequence[Sequence[bytes]],
    left_out: Sequence[Container[int]] = (),
) -> str:
    """A revision from the names and digests of all files but those that are left out."""
    names: list[str] = []
    parts: list[bytes] = []
    for split, some, without in zip(splits, found, left_out or [()] * len(splits), strict=True):
        for index, (name, digest) in enumerate(zip(split.names(), some, strict=True)):
            if index not in without:
                names.append(name)
                parts.append(digest)
    return content_revision(names, parts)


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
    import torch

    from rbench import MemoryImages

    names = split.names()
    reader = _Reader(size, context.in_chans or 3)

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
        indices[at]: text.replace("{}", split.files[indices[at]].path)
        for at, text in part.skipped.items()
    }
    for text in skipped.values() if not context.skip_bad else ():
        raise UserError(f"{text} (--skip-bad goes on without it)")
    used = [indices[at] for at in part.used]
    if not used:
        raise UserError(f"{split.folder} has no image that can be read")
    targets = torch.tensor([split.targets[index] for index in used], dtype=torch.int64)
    images = MemoryImages(part.pixels, targets, [names[index] for index in used])
    return Loaded(images, skipped, part.moments or moments_of(part.pixels))


def _decode(files: Sequence[FoundFile], reader: _Reader, split: Split, skip_bad: bool) -> Decoded:
    """Decode ``files``; UserError at the first broken one unless ``skip_bad``."""
    import numpy as np
    import torch

    pixels: Any = np.empty((0, 0, 0, 0), dtype=np.uint8)
    used: list[int] = []
    skipped: dict[int, str] = {}
    for index, (file, result) in enumerate(zip(files, _each(reader, files), strict=True)):
        if isinstance(result, UserError):
            if not skip_bad:
                raise UserError(f"{result} (--skip-bad goes on without it)") from result
            skipped[index] = str(result).replace(file.path, "{}")
            continue
        if not used:
            pixels = np.empty((len(files), *result.shape), dtype=np.uint8)
            _must_fit(pixels.nbytes, split)
        elif result.shape != pixels.shape[1:]:
            raise UserError(
                f"images have different sizes: {file.path} is {result.shape[2]}x"
                f"{result.shape[1]}, those before it are {pixels.shape[3]}x{pixels.shape[2]}; "
                "choose one with --img-size"
            )
        pixels[len(used)] = result
        used.append(index)
    tensor = torch.from_numpy(pixels[: len(used)])
    return Decoded(tensor, used, skipped, moments_of(tensor) if used else None)


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
    return FileImages(
        _Opener([file.path for file in split.files], in_chans),
        prepare,
        split.targets,
        split.names(),
    )


def fits(splits: Sequence[Split], size: tuple[int, int], in_chans: int) -> bool:
    """Whether all images at ``size`` take less than 2 GiB."""
    images = sum(len(split.files) for split in splits)
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
    paths: Sequence[str]
    in_chans: int

    def __call__(self, index: int) -> Image:
        image = open_image(Path(self.paths[index]))
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
            image = fit_image(image, self.size)
        array = np.asarray(image)
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
        found = list(_images(os.path.join(folder, name)))
        if not found:
            raise UserError(f"the class folder {folder / name} holds no image")
        files += found
        targets += [target] * len(found)
    return Split(folder.name, folder, folder.parent, files, targets)


def _images(folder: str) -> Iterator[FoundFile]:
    """All images below ``folder``, sorted as their paths are: ``a/1.png`` before ``a.png``."""
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from _images(entry.path)
        elif entry.name.lower().endswith(SUFFIXES):
            yield FoundFile.of(entry.path, entry.stat())
