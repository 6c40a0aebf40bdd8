"""The CIFAR-ResNet of He et al. (2016, section 4.2) as P2 varies it: depth 6n + 2, any width."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import timm
from torch import Tensor, nn
from torch.nn import functional as F

from rbench_plugins.layers.lc.shape import ConvShape

MakeConv = Callable[[ConvShape, str], nn.Module]
"""(shape, name in the network) -> the layer that convolves."""


def plain_conv(shape: ConvShape, name: str) -> nn.Module:
    """A convolution under PyTorch's default initialization."""
    return shape.conv()


class OptionA(nn.Module):
    """The shortcut without parameters: every second pixel, new channels zero."""

    def __init__(self, c_in: int, c_out: int, stride: int) -> None:
        super().__init__()
        self.stride, self.before = stride, (c_out - c_in) // 2
        self.after = c_out - c_in - self.before

    def forward(self, maps: Tensor) -> Tensor:
        """(B, c_in, H, W) -> (B, c_out, H/stride, W/stride)."""
        maps = maps[:, :, :: self.stride, :: self.stride]
        return F.pad(maps, (0, 0, 0, 0, self.before, self.after))


class Block(nn.Module):
    """Two convolutions with norms, and a shortcut around them."""

    def __init__(
        self, c_in: int, c_out: int, kernel: int, shortcut: str, make: MakeConv, name: str
    ) -> None:
        super().__init__()
        stride = 1 if c_in == c_out else 2
        self.conv1 = make(_shape(c_in, c_out, kernel, stride), f"{name}.conv1")
        self.bn1 = nn.BatchNorm2d(c_out)
        self.conv2 = make(_shape(c_out, c_out, kernel), f"{name}.conv2")
        self.bn2 = nn.BatchNorm2d(c_out)
        self.downsample: nn.Module | None = None
        if stride == 2 and shortcut == "conv":
            self.downsample = nn.Sequential(
                nn.Conv2d(c_in, c_out, 1, stride, bias=False), nn.BatchNorm2d(c_out)
            )
        elif stride == 2:
            self.downsample = OptionA(c_in, c_out, stride)

    def forward(self, maps: Tensor) -> Tensor:
        """(B, c_in, H, W) -> (B, c_out, H/stride, W/stride)."""
        residual = maps if self.downsample is None else self.downsample(maps)
        maps = F.relu(self.bn1(self.conv1(maps)))
        return F.relu(self.bn2(self.conv2(maps)) + residual)


class CifarResNet(nn.Module):
    """Images (B, in_chans, H, W) to logits (B, num_classes).

    A stem of ``kernel`` x ``kernel`` at stride 1 without pooling, three stages of (depth - 2)/6
    blocks at ``width``, 2 and 4 times ``width`` channels, then mean and classifier. ``shortcut``
    where the shape changes: "conv", 1x1 of stride 2 with a norm; "identity", option A. ``make``
    makes every spatial convolution, the stem's included, and none of the 1x1 shortcuts.
    """

    def __init__(
        self,
        depth: int = 20,
        width: int = 16,
        kernel_size: int = 3,
        shortcut: str = "conv",
        in_chans: int = 3,
        num_classes: int = 10,
        make: MakeConv = plain_conv,
        **unused: Any,
    ) -> None:
        super().__init__()
        assert depth % 6 == 2, depth
        self.shape_args = {
            "depth": depth,
            "width": width,
            "kernel_size": kernel_size,
            "shortcut": shortcut,
            "in_chans": in_chans,
            "num_classes": num_classes,
        }
        self.num_classes, self.num_features = num_classes, 4 * width
        self.conv1 = make(_shape(in_chans, width, kernel_size), "conv1")
        self.bn1 = nn.BatchNorm2d(width)
        c_in = width
        for stage, c_out in enumerate((width, 2 * width, 4 * width), start=1):
            blocks = []
            for index in range((depth - 2) // 6):
                name = f"layer{stage}.{index}"
                blocks.append(Block(c_in, c_out, kernel_size, shortcut, make, name))
                c_in = c_out
            self.add_module(f"layer{stage}", nn.Sequential(*blocks))
        self.fc = nn.Linear(c_in, num_classes) if num_classes else nn.Identity()

    def forward_features(self, images: Tensor) -> Tensor:
        """(B, in_chans, H, W) -> (B, 4 width, H/4, W/4)."""
        maps = F.relu(self.bn1(self.conv1(images)))
        for stage in ("layer1", "layer2", "layer3"):
            maps = self.get_submodule(stage)(maps)
        return maps

    def forward(self, images: Tensor) -> Tensor:
        """Logits, or features where there is no classifier."""
        logits: Tensor = self.fc(self.forward_features(images).mean(dim=(2, 3)))
        return logits

    def timm_form(self) -> nn.Module:
        """The network as timm builds it, for ``timm.models.save_for_hf``; plain convolutions only.

        The architecture has imported :mod:`rbench_plugins.layers.timm_entry`, which registers the
        name; an exported folder opens where that module has been imported.
        """
        model: nn.Module = timm.create_model("rbench_resnet_cifar", **self.shape_args)
        model.load_state_dict(self.state_dict())
        # Its own config holds the constructor's arguments.
        model.timm_module = "rbench_plugins.layers.timm_entry"  # type: ignore[assignment]
        model.timm_arguments = None  # type: ignore[assignment]
        return model.train(self.training)

    def get_classifier(self) -> nn.Module:
        """As timm's models name it."""
        return self.fc


def _shape(c_in: int, c_out: int, kernel: int, stride: int = 1) -> ConvShape:
    half = kernel // 2
    return ConvShape(
        c_in=c_in,
        c_out=c_out,
        kernel=(kernel, kernel),
        stride=(stride, stride),
        padding=(half, half),
    )
