"""The built-in architectures, a file each."""

from __future__ import annotations

from rbench import Architecture, ArchitectureFamily
from rbench_plugins.architectures import (
    cnn_dcn,
    convmixer,
    dip_skip,
    fixed_basis,
    lc_timm,
    random_cnn,
    resnet14,
    resnet_cifar,
    resnet_lc,
    small_cnns,
    supermask,
    timm_models,
)

COMPONENTS: list[Architecture | ArchitectureFamily] = [
    *cnn_dcn.COMPONENTS.values(),
    convmixer.COMPONENT,
    dip_skip.COMPONENT,
    fixed_basis.COMPONENT,
    fixed_basis.FAMILY,
    lc_timm.COMPONENT,
    lc_timm.FAMILY,
    random_cnn.COMPONENT,
    resnet14.COMPONENT,
    resnet_cifar.COMPONENT,
    resnet_cifar.FAMILY,
    resnet_lc.COMPONENT,
    resnet_lc.FAMILY,
    *small_cnns.COMPONENTS.values(),
    supermask.COMPONENT,
    supermask.FAMILY,
    timm_models.COMPONENT,
]
