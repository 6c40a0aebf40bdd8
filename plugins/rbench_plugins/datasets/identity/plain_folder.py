"""Which images ``datasets/plain_folder.py`` finds: a digest of their contents, without torch."""

from __future__ import annotations

from pathlib import Path

from rbench import DataContext, FoundFile, UserError, content_digests, content_revision
from rbench_plugins.datasets.plain_folder import PlainFolderOptions
from rbench_plugins.datasets.reading import SUFFIXES, find_images

HELD_OUT = ("test", "val", "valid", "validation")


def identity(context: DataContext, options: PlainFolderOptions) -> str:
    """A digest of the names and contents of all files."""
    root = root_folder(context)
    files = [FoundFile.of(str(path), path.stat()) for path in find_images(root)]
    names = [file.path[len(str(root)) + 1 :] for file in files]
    content = content_revision(names, content_digests(root, files, context.skip_bad))
    if options.images is not None and options.images < len(candidates(split_folders(root)[1])):
        content += f" {options.images} evenly spaced"
    return content


def root_folder(context: DataContext) -> Path:
    """``--data-dir``; UserError where it is not a folder."""
    if context.data_dir is None:
        raise UserError("the dataset plain_folder needs --data-dir, or RBENCH_DATA")
    if not context.data_dir.is_dir():
        raise UserError(f"--data-dir {context.data_dir} is not a folder")
    return context.data_dir


def split_folders(root: Path) -> tuple[Path | None, Path]:
    """The folders of training and test images; None: all images are test images."""
    held_out = next((root / name for name in HELD_OUT if (root / name).is_dir()), None)
    if held_out is not None and (root / "train").is_dir():
        return root / "train", held_out
    return None, root


def candidates(folder: Path) -> list[Path]:
    """The files that are named like images; all files where none is."""
    paths = find_images(folder)
    named = [path for path in paths if path.suffix.lower() in SUFFIXES]
    return named or paths
