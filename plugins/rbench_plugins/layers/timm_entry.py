"""Networks that timm lacks as models of timm's: exported folders open with ``timm.create_model``.

timm itself has no network with a 3x3 stem of stride 1 (its stems halve the image), so two are
registered here: ``rbench_resnet_cifar``, and ``rbench_low_resolution``, which is any of timm's
in its low-resolution form::

    import timm, rbench_plugins.layers.timm_entry
    timm.create_model("local-dir:exported", pretrained=True)

LC-blocks in a timm model (``lc_resnet18d``) fold into that very model, which timm opens alone.
"""

from __future__ import annotations

from typing import Any

import timm
from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from torch import nn

from rbench_plugins.layers.cifar_resnet import CifarResNet
from rbench_plugins.layers.low_resolution import low_resolution

__all__ = ["rbench_low_resolution", "rbench_resnet_cifar"]

_CFG = {
    "input_size": (3, 32, 32),
    "fixed_input_size": False,
    "interpolation": "bilinear",
    "crop_pct": 1.0,
    "first_conv": "conv1",
    "classifier": "fc",
    "num_classes": 10,
}
default_cfgs = generate_default_cfgs(
    {"rbench_resnet_cifar.untrained": _CFG, "rbench_low_resolution.untrained": _CFG}
)


@register_model  # type: ignore[untyped-decorator]
def rbench_resnet_cifar(pretrained: bool = False, **kwargs: Any) -> nn.Module:
    """``depth``, ``width``, ``kernel_size``, ``shortcut``, ``in_chans``, ``num_classes``."""
    model: nn.Module = build_model_with_cfg(
        CifarResNet, "rbench_resnet_cifar", pretrained, **kwargs
    )
    return model


@register_model  # type: ignore[untyped-decorator]
def rbench_low_resolution(pretrained: bool = False, **kwargs: Any) -> nn.Module:
    """timm's model ``base`` in its low-resolution form; the other arguments are the base's own."""
    model: nn.Module = build_model_with_cfg(_small, "rbench_low_resolution", pretrained, **kwargs)
    return model


def _small(
    base: str, keep_pool: bool = True, second_stride: int | None = None, **kwargs: Any
) -> nn.Module:
    network: nn.Module = timm.create_model(base, **kwargs)
    low_resolution(network, keep_pool=keep_pool, second_stride=second_stride)
    return network
