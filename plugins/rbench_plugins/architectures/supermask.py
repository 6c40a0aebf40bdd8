"""A network whose weights stay random and of which a mask is learned: ``supermask_resnet18``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from rbench import Architecture, ArchitectureFamily, BuildContext, Options, UserError
from rbench_plugins.architectures import bases
from rbench_plugins.architectures.bases import BaseKwargs

if TYPE_CHECKING:
    from torch import nn


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
        False, description="draw as if fan_in were keep times as large, for the mask's sake"
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


def build(context: BuildContext, options: SupermaskOptions) -> nn.Module:
    """The base with frozen random weights W, and per weight a score (or logit) that learns.

    Weights and scores are drawn from streams of the run's seed and the layer's name. Layers that
    are not masked, and parameters such as position embeddings, learn as in the base.
    """
    from torch import nn

    from rbench import generator, is_spatial, reparametrize
    from rbench_plugins.layers import masks

    if context.pretrained:
        raise UserError("--pretrained: a supermask is learned over random weights; leave it out")
    if context.draw is not None and "distribution" in options.model_fields_set:
        raise UserError(
            f"distribution={options.distribution} and --init both say how weights are drawn"
        )
    network = bases.build(options.base, options.base_kwargs, context)

    def masked(layer: nn.Module, name: str) -> nn.Module | None:
        if options.layers != "all" and isinstance(layer, nn.Linear):
            return None
        if options.layers == "spatial" and not is_spatial(layer):
            return None
        weight = layer.weight
        assert isinstance(weight, nn.Parameter)
        fan = masks.fan_in(weight) * (options.keep if options.scale_fan else 1)
        stream = generator(context.seed, "supermask", name, "weight")
        masks.draw(weight, options.distribution, fan, stream)
        weight.requires_grad_(False)
        if not options.bias:
            layer.register_parameter("bias", None)
        if options.mask == "bernoulli":
            return masks.BernoulliMask(
                weight, options.logit, evaluate=options.evaluate, rescale=options.rescale
            )
        scores = generator(context.seed, "supermask", name, "scores")
        return masks.EdgePopup(weight, options.keep, scores, magnitude=options.magnitude)

    if not reparametrize(network, masked):
        raise UserError(f"base={options.base} has none of the layers={options.layers} to mask")
    if not options.affine:
        for module in network.modules():
            _without_affine(module)
    return network


def _without_affine(module: nn.Module) -> None:
    """Take scale and shift from a norm layer: as ``affine=False`` builds it."""
    from torch import nn

    norms = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
    if isinstance(module, norms):
        for name in ("weight", "bias"):
            if getattr(module, name, None) is not None:
                module.register_parameter(name, None)


SUMMARY = "Random weights that stay; a mask over them is learned (edge-popup, Bernoulli)."
COMPONENT = Architecture(
    name="supermask", summary=SUMMARY, build=build, options=SupermaskOptions, title="{base}"
)


def member(name: str) -> Architecture | None:
    """``supermask_NAME`` for every NAME that has a plain network."""
    base = bases.prefixed("supermask_", name)
    if base is None:
        return None
    return Architecture(
        name=name,
        summary=SUMMARY,
        build=build,
        options=SupermaskOptions,
        title="{base}",
        defaults={"base": base},
    )


FAMILY = ArchitectureFamily(
    name="supermask_*",
    summary="Learned masks over frozen random weights, in timm's models and CIFAR-ResNets.",
    names=lambda: ["supermask_resnet18", "supermask_resnet_cifar_20_16"],
    member=member,
)
