"""The built-in architectures, a file each."""

from __future__ import annotations

from rbench import Architecture, ArchitectureFamily
from rbench_plugins.architectures import (
    lc_timm,
    random_cnn,
    resnet14,
    resnet_cifar,
    resnet_lc,
    timm_models,
)

COMPONENTS: list[Architecture | ArchitectureFamily] = [
    lc_timm.COMPONENT,
    lc_timm.FAMILY,
    random_cnn.COMPONENT,
    resnet14.COMPONENT,
    resnet_cifar.COMPONENT,
    resnet_cifar.FAMILY,
    resnet_lc.COMPONENT,
    resnet_lc.FAMILY,
    timm_models.COMPONENT,
]
