"""The built-in datasets, a file each."""

from __future__ import annotations

from rbench import Dataset
from rbench_plugins.datasets import cifar10, cifar100, digits, fashion_mnist, svhn

COMPONENTS: list[Dataset] = [
    cifar10.COMPONENT,
    cifar100.COMPONENT,
    digits.COMPONENT,
    fashion_mnist.COMPONENT,
    svhn.COMPONENT,
]
