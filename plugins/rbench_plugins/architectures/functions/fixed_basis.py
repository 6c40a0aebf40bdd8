"""Builds the network that ``architectures/fixed_basis.py`` describes."""

from __future__ import annotations

import torch
from torch import nn

from rbench import BuildContext, UserError, generator, is_spatial, reparametrize, stored_weight
from rbench_plugins.architectures import bases
from rbench_plugins.architectures.fixed_basis import BasisOptions
from rbench_plugins.layers import fixed_basis

LINEAR = ("sgd", "momentum")


def build(context: BuildContext, options: BasisOptions) -> nn.Module:
    """The base with every spatial convolution's weight combined; all else as in the base.

    Coefficients and random bases are drawn from streams of the run's seed and the layer's name.
    With published weights (``--pretrained``) filters start as their nearest combinations.
    """
    if context.draw is not None:
        raise UserError("--init draws filters, and basis_* draws coefficients: leave it out")
    training = context.training
    linear = training is None or (training.opt.lower() in LINEAR and training.clip_grad is None)
    if options.learn == "preconditioned" and not linear:
        raise UserError("learn=preconditioned is exact for --opt sgd without --clip-grad only")
    network = bases.build(options.base, options.base_kwargs, context)
    fields = ("basis", "count", "level", "norm", "sigma", "order")
    shape = fixed_basis.BasisShape(**{name: getattr(options, name) for name in fields})
    drawn: dict[str, torch.Tensor] = {}

    def combined(layer: nn.Module, name: str) -> nn.Module | None:
        if not is_spatial(layer):
            return None
        weight = layer.weight
        assert isinstance(weight, torch.Tensor)
        if weight.ndim != 4 or isinstance(layer, nn.modules.conv._ConvTransposeNd):
            raise UserError(f"no basis for the {type(layer).__name__} at {name}, only for Conv2d")
        size = (int(weight.shape[2]), int(weight.shape[3]))
        made = fixed_basis.kernels(size, shape, generator(context.seed, "basis", name, "kernels"))
        start = fixed_basis.Combined(made)
        if context.pretrained:
            coefficients = start.right_inverse(weight.detach())
        else:
            stream = generator(context.seed, "basis", name, "coefficients")
            numbers = (int(weight.shape[0]), int(weight.shape[1]), len(made))
            coefficients = fixed_basis.draw_coefficients(
                numbers, made, options.distribution, stream
            )
        if options.learn == "coefficients":
            drawn[name] = coefficients
            return start
        with torch.no_grad():
            weight.copy_(start(coefficients))
        return fixed_basis.Preconditioned(made) if options.learn == "preconditioned" else None

    changed = reparametrize(network, combined)
    for name, coefficients in drawn.items():
        with torch.no_grad():
            stored_weight(network.get_submodule(name)).copy_(coefficients)
    if not changed and options.learn != "plain":
        raise UserError(f"base={options.base} has no spatial convolution for a basis")
    return network
