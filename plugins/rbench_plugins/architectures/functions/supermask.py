"""Builds the network that ``architectures/supermask.py`` describes."""

from __future__ import annotations

from torch import nn

from rbench import BuildContext, UserError, generator, is_spatial, reparametrize
from rbench_plugins.architectures import bases
from rbench_plugins.architectures.supermask import SupermaskOptions
from rbench_plugins.layers import masks


def build(context: BuildContext, options: SupermaskOptions) -> nn.Module:
    """The base with frozen random weights W, and per weight a score (or logit) that learns.

    Weights and scores are drawn from streams of the run's seed and the layer's name. Layers that
    are not masked, and parameters such as position embeddings, learn as in the base.
    """
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
        fan = masks.fan_in(weight) * (options.kept if options.scale_fan else 1)
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
    norms = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
    if isinstance(module, norms):
        for name in ("weight", "bias"):
            if getattr(module, name, None) is not None:
                module.register_parameter(name, None)
