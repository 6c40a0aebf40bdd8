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


def _architecture(name: str, **defaults: str) -> Architecture:
    return Architecture(
        name=name,
        summary="a timm model whose spatial convolutions are LC-blocks (P2 Table 2)",
        build="rbench_plugins.architectures.functions.lc_timm:build",
        options=LCModelOptions,
        defaults=defaults,
        title="{base}",
        revision=2,
    )


COMPONENT = _architecture("lc")


def member(name: str) -> Architecture | None:
    """``lc_NAME`` for every NAME of a timm model."""
    base = name.removeprefix("lc_")
    known = base != name and timm_models.member(base) is not None
    return _architecture(name, base=base) if known else None


FAMILY = ArchitectureFamily(
    name="lc_*",
    summary="LC-blocks in any timm model: lc_resnet18d, lc_mobilenetv2_100",
    names=lambda: ["lc_resnet18d"],
    member=member,
)
