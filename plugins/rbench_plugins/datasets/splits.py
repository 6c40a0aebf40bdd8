"""Find the images of a folder, by split and class."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rbench import FoundFile, UserError
from rbench_plugins.datasets.reading import NOT_IMAGES, SUFFIXES, shown


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

    Classes are the names of the class folders, in timm's order, so that an exported network and a
    network of timm's number them alike. Both splits must have the same classes. Names that differ
    only in their Unicode normalization are equal (macOS and Linux store "é" differently).
    """
    train = root / "train"
    if not train.is_dir():
        found = ", ".join(sorted(entry.name for entry in _entries(str(root)))[:6]) or "nothing"
        raise UserError(f"{root} has no folder train/ (there is {shown(found)})")
    present = [root / name for name in held_out if (root / name).is_dir()]
    if not present:
        wanted = " or ".join(f"{name}/" for name in held_out)
        raise UserError(f"{root} has no folder {wanted} beside train/")
    classes = _classes(train)
    test = next((folder for folder in present if any(_folders(folder))), present[0])
    others = _classes(test)
    if others.keys() != classes.keys():
        only = [f"only {train.name}/ has {name}" for name in sorted(classes.keys() - others.keys())]
        only += [f"only {test.name}/ has {name}" for name in sorted(others.keys() - classes.keys())]
        raise UserError(
            f"{root}: train/ has {len(classes)} classes and {test.name}/ has {len(others)}: "
            f"{'; '.join(only[:3])}{' ...' if len(only) > 3 else ''}"
        )
    order = sorted(classes, key=natural_key)
    folders = [[found[name] for name in order] for found in (classes, others)]
    return _split(train, folders[0]), _split(test, folders[1]), order


def natural_key(name: str) -> tuple[list[str | int], str]:
    """The order of timm's ``natural_key``, with the name itself to tell equal keys apart.

    Case is ignored and runs of digits are numbers: 1, 2, 10.
    """
    parts = re.split(r"(\d+)", name.lower())
    return [int(part) if at % 2 else part for at, part in enumerate(parts)], name


def plain(folder: Path) -> Split:
    """All images below ``folder``, without classes (every target is 0)."""
    found = list(_images(str(folder)))
    if not found:
        raise UserError(f"{folder} holds no image")
    return Split(folder.name, folder, folder, found, [0] * len(found))


def _entries(folder: str) -> list[os.DirEntry[str]]:
    """What is in ``folder`` by name, without hidden files and what is known not to be images."""
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise UserError(f"cannot read the folder {shown(folder)}: {error.strerror}") from error
    return [e for e in found if not e.name.startswith(".") and e.name not in NOT_IMAGES]


def _is_dir(entry: os.DirEntry[str]) -> bool:
    """Whether it is a folder or a link to one; False for a link to itself or to nothing."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _folders(folder: Path) -> Iterator[str]:
    for entry in _entries(str(folder)):
        if _is_dir(entry):
            yield entry.name
        elif entry.is_symlink() and not os.path.exists(entry.path) and "." not in entry.name:
            raise UserError(
                f"the class folder {shown(entry.path)} is a link to a folder that does not exist"
            )


def _classes(folder: Path) -> dict[str, str]:
    """The names of the class folders by their normalized names."""
    names: dict[str, str] = {}
    for name in _folders(folder):
        normal = unicodedata.normalize("NFC", shown(name))
        if normal in names:
            raise UserError(
                f"{folder} has two class folders named {normal}, which differ only in their "
                "Unicode normalization"
            )
        names[normal] = name
    if not names:
        what = "has no class folders" if _entries(str(folder)) else "is empty"
        raise UserError(f"{folder} {what}; expected {folder.name}/<class>/<image>")
    return names


def _split(folder: Path, class_folders: Sequence[str]) -> Split:
    files: list[FoundFile] = []
    targets: list[int] = []
    for target, name in enumerate(class_folders):
        found = list(_images(os.path.join(folder, name)))
        if not found:
            raise UserError(f"the class folder {shown(folder / name)} holds no image")
        files += found
        targets += [target] * len(found)
    return Split(folder.name, folder, folder.parent, files, targets)


def _images(folder: str, above: tuple[tuple[int, int], ...] = ()) -> Iterator[FoundFile]:
    """All images below ``folder``, sorted as their paths are: ``a/1.png`` before ``a.png``.

    A link to nothing is among them: reading it is an error, which ``skip_bad`` can leave out.
    """
    here = os.stat(folder)
    inside = (*above, (here.st_dev, here.st_ino))
    if inside[-1] in above:
        raise UserError(f"{shown(folder)} is a link to a folder that contains it")
    for entry in _entries(folder):
        if _is_dir(entry):
            yield from _images(entry.path, inside)
        elif entry.name.lower().endswith(SUFFIXES):
            try:
                status = entry.stat()
            except OSError:
                status = entry.stat(follow_symlinks=False)
            yield FoundFile.of(entry.path, status)
