"""Every model of timm under its own name, with the papers' low-resolution form."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from pydantic import ConfigDict, Field

from rbench import Architecture, ArchitectureFamily, Options
from rbench_plugins.architectures.timm_names import timm_names


class TimmOptions(Options):
    """``low_res`` is rbench's; everything else goes to timm's constructor as it is."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="allow")
    low_res: bool | None = Field(
        None,
        description="3x3 stem of stride 1, for small images; none: below 64 pixels, but not with "
        "--pretrained, whose stem has other filters",
    )
    second_stride: int | None = Field(
        None,
        ge=1,
        le=2,
        description="stride of the second stage in the low-resolution form of a MobileNet or "
        "EfficientNet; none: timm's, 2 (P2's MobileNetV2 for small images has 1)",
    )
    stem_pool: bool = Field(
        True, description="keep the 3x3/2 max pool after the low-resolution stem (P2's code does)"
    )


def member(name: str) -> Architecture | None:
    """timm's model ``name``, with or without the tag of its weights (``resnet50.a1_in1k``)."""
    if name.split(".")[0] not in timm_names():
        return None
    return Architecture(
        name=name,
        summary="A model of timm; options are passed to its constructor.",
        build="rbench_plugins.architectures.functions.timm_models:build",
        options=TimmOptions,
        pretrained=True,
        # Since CondConv2d's kernels are known as such, --freeze spatial and --init reach them.
        revision=2 if "_cc_" in name else 1,
    )


def names() -> Iterable[str]:
    """All names, without weight tags."""
    return timm_names()


COMPONENT = ArchitectureFamily(
    name="timm",
    summary="Every model of timm by its timm name (resnet50, mobilenetv2_100, convnext_tiny).",
    names=names,
    member=member,
)
