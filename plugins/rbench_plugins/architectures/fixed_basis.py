"""A network whose spatial filters are learned combinations of a fixed basis: ``basis_resnet18``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, model_validator

from rbench import Architecture, ArchitectureFamily, BuildContext, Options, UserError
from rbench_plugins.architectures import bases
from rbench_plugins.architectures.bases import BaseKwargs

if TYPE_CHECKING:
    from torch import nn


class BasisOptions(Options):
    """The basis, what of it learns, and the network it is for."""

    basis: Literal["dct", "fourier_bessel", "gaussian", "random", "orthonormal"] = Field(
        "dct",
        description="dct: harmonic blocks; fourier_bessel: DCFNet; gaussian: its derivatives; "
        "random: uniform kernels; orthonormal: random and orthonormal",
    )
    count: int | None = Field(
        None, ge=1, description="kernels, the smoothest; none: all (fourier_bessel, random: 6)"
    )
    level: int | None = Field(
        None, ge=1, description="dct: frequencies u + v below it; level L <= k has L(L+1)/2"
    )
    norm: Literal["l1", "l2"] = Field(
        "l1", description="dct: kernels of unit sum of magnitudes, or of unit length"
    )
    sigma: float = Field(0.7, gt=0, description="gaussian: width in pixels")
    order: int = Field(4, ge=0, le=8, description="gaussian: highest order of the derivatives")
    distribution: Literal["he", "lecun"] = Field(
        "he", description="of the coefficients: combined filters as He's, or DCFNet's own"
    )
    learn: Literal["coefficients", "preconditioned", "plain"] = Field(
        "coefficients",
        description="preconditioned: a plain network from the same weights that under SGD trains "
        "exactly as the coefficients do; plain: that network without the preconditioner",
    )
    base: str = Field("resnet18", description="the network; basis_NAME means base=NAME")
    base_kwargs: BaseKwargs = Field({}, description="options of the base")

    @model_validator(mode="after")
    def _fits(self) -> BasisOptions:
        if self.level is not None and self.basis != "dct":
            raise ValueError(f"level is for basis=dct; basis={self.basis} takes count")
        return self


LINEAR = ("sgd", "momentum")


def build(context: BuildContext, options: BasisOptions) -> nn.Module:
    """The base with every spatial convolution's weight combined; all else as in the base.

    Coefficients and random bases are drawn from streams of the run's seed and the layer's name.
    With published weights (``--pretrained``) filters start as their nearest combinations.
    """
    import torch
    from torch import nn

    from rbench import generator, is_spatial, reparametrize, stored_weight
    from rbench_plugins.layers import fixed_basis

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


SUMMARY = "Filters are learned combinations of a fixed basis (DCT, Fourier-Bessel, random ...)."
COMPONENT = Architecture(
    name="basis", summary=SUMMARY, build=build, options=BasisOptions, title="{base}"
)


def member(name: str) -> Architecture | None:
    """``basis_NAME`` for every NAME that has a plain network."""
    base = bases.prefixed("basis_", name)
    if base is None:
        return None
    return Architecture(
        name=name,
        summary=SUMMARY,
        build=build,
        options=BasisOptions,
        defaults={"base": base},
        title="{base}",
    )


FAMILY = ArchitectureFamily(
    name="basis_*",
    summary="Learned combinations of fixed kernels, in timm's models and CIFAR-ResNets.",
    names=lambda: ["basis_resnet18", "basis_resnet_cifar_20_16"],
    member=member,
)
