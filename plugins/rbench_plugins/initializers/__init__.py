"""The built-in initializers, a file each."""

from __future__ import annotations

from rbench import Initializer
from rbench_plugins.initializers import (
    conv_aware,
    covariance,
    default,
    delta_orthogonal,
    dirac,
    kaiming,
    laplace,
    lecun,
    logistic,
    lsuv,
    normal,
    orthogonal,
    signed_constant,
    sparse,
    structured,
    trunc_normal,
    uniform,
    xavier,
    zero,
)

COMPONENTS: list[Initializer] = [
    conv_aware.COMPONENT,
    covariance.COMPONENT,
    default.COMPONENT,
    delta_orthogonal.COMPONENT,
    dirac.COMPONENT,
    kaiming.COMPONENT,
    laplace.COMPONENT,
    lecun.COMPONENT,
    logistic.COMPONENT,
    lsuv.COMPONENT,
    normal.COMPONENT,
    orthogonal.COMPONENT,
    signed_constant.COMPONENT,
    sparse.COMPONENT,
    structured.COMPONENT,
    trunc_normal.COMPONENT,
    uniform.COMPONENT,
    xavier.COMPONENT,
    zero.COMPONENT,
]
