"""The CIFAR-ResNet as a model of timm's, so that exported folders open with ``timm.create_model``.

timm itself has no ResNet with a 3x3 stem of stride 1 and no pooling (its ResNet and ByobNet stems
halve the image), so the architecture is registered here under ``rbench_resnet_cifar``::

    import timm, rbench_plugins.layers.timm_entry
    timm.create_model("local-dir:exported", pretrained=True)

LC-blocks in a timm model (``lc_resnet18d``) fold into that very model, which timm opens alone.
"""

from __future__ import annotations

from typing import Any

from timm.models import build_model_with_cfg, generate_default_cfgs, register_model
from torch import nn

from rbench_plugins.layers.cifar_resnet import CifarResNet

__all__ = ["rbench_resnet_cifar"]

default_cfgs = generate_default_cfgs(
    {
        "rbench_resnet_cifar.untrained": {
            "input_size": (3, 32, 32),
            "fixed_input_size": False,
            "interpolation": "bilinear",
            "crop_pct": 1.0,
            "first_conv": "conv1",
            "classifier": "fc",
            "num_classes": 10,
        }
    }
)


@register_model  # type: ignore[untyped-decorator]
def rbench_resnet_cifar(pretrained: bool = False, **kwargs: Any) -> nn.Module:
    """``depth``, ``width``, ``kernel_size``, ``shortcut``, ``in_chans``, ``num_classes``."""
    model: nn.Module = build_model_with_cfg(
        CifarResNet, "rbench_resnet_cifar", pretrained, **kwargs
    )
    return model
