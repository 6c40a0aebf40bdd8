"""CIFAR-100: 60,000 32x32 color images in a hundred classes (Krizhevsky 2009)."""

from __future__ import annotations

from rbench import Dataset

COMPONENT = Dataset(
    name="cifar100",
    title="CIFAR-100",
    summary="CIFAR-100, the publisher's Python files (50,000 train, 10,000 test).",
    open="rbench_plugins.datasets.functions.cifar:cifar100",
    recipe="lowres",
)
