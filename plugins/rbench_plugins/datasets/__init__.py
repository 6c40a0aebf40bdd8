"""The built-in datasets, a file each."""

from __future__ import annotations

from rbench import Dataset, DatasetFamily
from rbench_plugins.datasets import (
    cifar10,
    cifar100,
    content_style,
    digits,
    fashion_mnist,
    image_folder,
    imagenet,
    photographs,
    plain_folder,
    svhn,
    timm_readers,
)

COMPONENTS: list[Dataset | DatasetFamily] = [
    cifar10.COMPONENT,
    cifar100.COMPONENT,
    content_style.COMPONENT,
    digits.COMPONENT,
    fashion_mnist.COMPONENT,
    image_folder.COMPONENT,
    imagenet.COMPONENT,
    photographs.COMPONENT,
    plain_folder.COMPONENT,
    svhn.COMPONENT,
    timm_readers.FAMILY,
]
