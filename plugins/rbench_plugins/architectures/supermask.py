"""A network whose weights stay random and of which a mask is learned: ``supermask_resnet18``."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import Field, model_validator

from rbench import Architecture, ArchitectureFamily, Options
from rbench_plugins.architectures import bases
from rbench_plugins.architectures.bases import BaseKwargs


class SupermaskOptions(Options):
    """Which weights are masked, how they are drawn, and the network they belong to."""

    mask: Literal["edge_popup", "bernoulli"] = Field(
        "edge_popup",
        description="edge_popup: the weights of the largest scores (Ramanujan et al. 2020); "
        "bernoulli: drawn by learned probabilities (Zhou et al. 2019)",
    )
    keep: float = Field(
        0.5, gt=0, le=1, description="edge_popup: share of each layer's weights that is kept"
    )
    magnitude: bool = Field(
        True, description="edge_popup: rank scores by |s|, as the authors' code does, or by s"
    )
    distribution: Literal[
        "signed_constant", "kaiming_normal", "kaiming_uniform", "xavier_normal", "default"
    ] = Field("signed_constant", description="of the frozen weights; --init replaces it")
    scale_fan: bool = Field(
        False,
        description="draw as if fan_in were smaller by the share that the mask keeps: keep, or for "
        "bernoulli sigmoid(logit)",
    )
    affine: bool = Field(False, description="norms with learnable scale and shift")
    bias: bool = Field(False, description="masked layers keep their biases, which learn")
    layers: Literal["all", "convolutions", "spatial"] = Field(
        "all", description="what is masked; all: first layer and classifier included"
    )
    logit: float = Field(0.0, description="bernoulli: where the logits start")
    evaluate: Literal["rounded", "expected"] = Field(
        "rounded", description="bernoulli, in evaluation: rounded probabilities, or themselves"
    )
    rescale: bool = Field(
        False, description="bernoulli: multiply by number of weights over number kept"
    )
    base: str = Field("resnet18", description="the network; supermask_NAME means base=NAME")
    base_kwargs: BaseKwargs = Field({}, description="options of the base")

    @model_validator(mode="after")
    def _fits(self) -> SupermaskOptions:
        of = {"edge_popup": {"keep", "magnitude"}, "bernoulli": {"logit", "evaluate", "rescale"}}
        for mask, fields in of.items():
            defaults = {name: type(self).model_fields[name].default for name in fields}
            unread = sorted(name for name in fields if getattr(self, name) != defaults[name])
            if unread and mask != self.mask:
                raise ValueError(f"{unread[0]} is for mask={mask}; leave it out with {self.mask}")
        if self.scale_fan and not self.kept:
            raise ValueError(f"scale_fan: with logit={self.logit} the mask keeps nothing")
        return self

    @property
    def kept(self) -> float:
        """The share of the weights that a mask keeps, at the start of the training."""
        return self.keep if self.mask == "edge_popup" else (1 + math.tanh(self.logit / 2)) / 2


def _architecture(name: str, **defaults: str) -> Architecture:
    return Architecture(
        name=name,
        summary="Random weights that stay; a mask over them is learned (edge-popup, Bernoulli).",
        build="rbench_plugins.architectures.functions.supermask:build",
        options=SupermaskOptions,
        defaults=defaults,
        title="{base}",
    )


COMPONENT = _architecture("supermask")


def member(name: str) -> Architecture | None:
    """``supermask_NAME`` for every NAME that has a plain network."""
    base = bases.prefixed("supermask_", name)
    return None if base is None else _architecture(name, base=base)


FAMILY = ArchitectureFamily(
    name="supermask_*",
    summary="Learned masks over frozen random weights, in timm's models and CIFAR-ResNets.",
    names=lambda: ["supermask_resnet18", "supermask_resnet_cifar_20_16"],
    member=member,
)
