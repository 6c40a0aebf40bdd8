"""The form that P2's code gives off-the-shelf networks on 32-pixel images.

The stem becomes one 3x3 convolution of stride 1; ResNets keep their 3x3/2 max pool unless told
otherwise.
"""

from __future__ import annotations

from torch import nn

from rbench import UserError


def low_resolution(
    network: nn.Module, *, keep_pool: bool = True, second_stride: int | None = None
) -> bool:
    """Replace the stem in place; False where the network has none that is known here.

    Known are timm's ResNet family (``conv1``) and its MobileNet/EfficientNet family
    (``conv_stem``). The new filters are drawn as timm draws them: He normal over fan-out.
    ``second_stride`` replaces the stride of stage 2 of a MobileNet or EfficientNet; UserError
    where the network has no such stage, or no max pool that ``keep_pool`` False takes out.
    """
    for name in ("conv1", "conv_stem"):
        stem = getattr(network, name, None)
        if isinstance(stem, nn.Conv2d):
            setattr(network, name, _small(stem))
            break
        if isinstance(stem, nn.Sequential) and isinstance(stem[0], nn.Conv2d):
            # The deep stem of the "d" ResNets: only its first convolution strides.
            stem[0] = _small(stem[0])
            break
    else:
        return False
    if second_stride is not None and not _set_second_stride(network, second_stride):
        raise UserError("second_stride: this model has no stages of inverted residual blocks")
    if not keep_pool:
        if not hasattr(network, "maxpool"):
            raise UserError("stem_pool: this model has no max pool behind its stem")
        network.maxpool = nn.Identity()
    return True


def _set_second_stride(network: nn.Module, stride: int) -> bool:
    """Set the stride of the first depthwise convolution of stage 2 of a MobileNet or EfficientNet.

    False where the network has no such stage. The weights keep their shapes.
    """
    stages = getattr(network, "blocks", None)
    if not isinstance(stages, nn.Sequential) or len(stages) < 2:
        return False
    stage = stages[1]
    first = stage[0] if isinstance(stage, nn.Sequential) else stage
    conv = getattr(first, "conv_dw", None)
    if not isinstance(conv, nn.Conv2d):
        return False
    conv.stride = (stride, stride)
    return True


def _small(stem: nn.Conv2d) -> nn.Conv2d:
    conv = nn.Conv2d(
        stem.in_channels, stem.out_channels, 3, stride=1, padding=1, bias=stem.bias is not None
    )
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)
    return conv
