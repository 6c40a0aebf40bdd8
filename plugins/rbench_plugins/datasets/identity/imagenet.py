"""Which images ``datasets/imagenet.py`` finds: a digest of their contents, without torch."""

from __future__ import annotations

from rbench import DataContext
from rbench_plugins.datasets.contents import sampled_revision
from rbench_plugins.datasets.imagenet import ImageNetOptions
from rbench_plugins.datasets.published import data_dir
from rbench_plugins.datasets.splits import two_splits

HELD_OUT = ("val", "validation")


def identity(context: DataContext, options: ImageNetOptions) -> str:
    """A digest of all names and sizes and of a sample of the contents.

    ImageNet is passed around at several resolutions under the same names.
    """
    root = data_dir(context, "imagenet")
    return sampled_revision(two_splits(root, HELD_OUT)[:2])
