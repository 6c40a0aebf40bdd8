"""A network whose spatial filters are learned combinations of a fixed basis: ``basis_resnet18``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from rbench import Architecture, ArchitectureFamily, Options
from rbench_plugins.architectures import bases
from rbench_plugins.architectures.bases import BaseKwargs


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


def _architecture(name: str, **defaults: str) -> Architecture:
    return Architecture(
        name=name,
        summary="Filters are learned combinations of a fixed basis (DCT, Fourier-Bessel, ...).",
        build="rbench_plugins.architectures.functions.fixed_basis:build",
        options=BasisOptions,
        defaults=defaults,
        title="{base}",
        pretrained=lambda options: bases.takes_pretrained(options.base),
    )


COMPONENT = _architecture("basis")


def member(name: str) -> Architecture | None:
    """``basis_NAME`` for every NAME that has a plain network."""
    base = bases.prefixed("basis_", name)
    return None if base is None else _architecture(name, base=base)


FAMILY = ArchitectureFamily(
    name="basis_*",
    summary="Learned combinations of fixed kernels, in timm's models and CIFAR-ResNets.",
    names=lambda: ["basis_resnet18", "basis_resnet_cifar_20_16"],
    member=member,
)
