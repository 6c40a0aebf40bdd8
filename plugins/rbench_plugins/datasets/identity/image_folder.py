"""Which images ``datasets/image_folder.py`` finds: a digest of their contents, without torch."""

from __future__ import annotations

from pathlib import Path

from rbench import DataContext, known_moments
from rbench_plugins.datasets.contents import digests, fits, revision_of
from rbench_plugins.datasets.image_folder import FolderOptions
from rbench_plugins.datasets.published import data_dir
from rbench_plugins.datasets.reading import open_image
from rbench_plugins.datasets.splits import Split, plain, two_splits

HELD_OUT = ("test", "val", "valid", "validation")


def identity(context: DataContext, options: FolderOptions) -> str:
    """A digest of the names and contents of all images.

    Streamed images are evaluated and normalized in another way, which is part of the identity. So
    is that a limited run is normalized by the images that it uses, where the registry does not
    know the whole set.
    """
    root = data_dir(context, "image_folder")
    if is_plain(context, root):
        split = plain(root)
        return revision_of((split,), digests((split,), context.skip_bad))
    train, test, _ = two_splits(root, HELD_OUT)
    content = revision_of((train, test), digests((train, test), context.skip_bad))
    if streamed(context, train, test, options):
        return f"{content} streamed"
    limit = context.limit
    if context.in_chans == 4:
        content += " RGBA"  # once they were read as RGB
    if limit is None or limit >= len(train.files):
        return content
    size = context.img_size or _size_of(train)
    known = known_moments(content, context.in_chans or 3, size)
    return content if known else f"{content} normalized by {limit}"


def streamed(context: DataContext, train: Split, test: Split, options: FolderOptions) -> bool:
    """Whether images are read when they are needed."""
    if options.stream is not None:
        return options.stream
    return not fits((train, test), context.img_size or _size_of(train), context.in_chans or 3)


def _size_of(split: Split) -> tuple[int, int]:
    """(height, width) of the first image."""
    first = open_image(Path(split.files[0].path))
    return first.height, first.width


def is_plain(context: DataContext, root: Path) -> bool:
    """Whether the task needs no classes and there are none."""
    return not context.labels and not (root / "train").is_dir()
