"""Any timm model with LC-blocks for its spatial convolutions: ``lc_resnet18d`` (P2 Table 2)."""

from __future__ import annotations

from pydantic import Field

from rbench import Architecture, ArchitectureFamily
from rbench_plugins.architectures import timm_models
from rbench_plugins.layers.lc.options import LCOptions


class LCModelOptions(LCOptions):
    """LC-blocks, and the model that gets them."""

    base: str = Field("resnet18d", description="timm model; lc_NAME means base=NAME")
    base_kwargs: dict[str, bool | int | float | str | None] = Field(
        {}, description="options of the base: low_res, stem_pool, timm.create_model's keywords"
    )


SUMMARY = "a timm model whose spatial convolutions are LC-blocks (P2 Table 2)"
REVISION = 2
COMPONENT = Architecture(
    name="lc",
    summary=SUMMARY,
    build="rbench_plugins.architectures.functions.lc_timm:build",
    options=LCModelOptions,
    revision=REVISION,
    title="{base}",
)


def member(name: str) -> Architecture | None:
    """``lc_NAME`` for every NAME of a timm model."""
    base = name.removeprefix("lc_")
    if base == name or timm_models.member(base) is None:
        return None
    return Architecture(
        name=name,
        summary=SUMMARY,
        build="rbench_plugins.architectures.functions.lc_timm:build",
        options=LCModelOptions,
        title="{base}",
        defaults={"base": base},
        revision=REVISION,
    )


FAMILY = ArchitectureFamily(
    name="lc_*",
    summary="LC-blocks in any timm model: lc_resnet18d, lc_mobilenetv2_100",
    names=lambda: ["lc_resnet18d"],
    member=member,
)
