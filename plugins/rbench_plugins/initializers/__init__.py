"""The built-in initializers, a file each."""

from __future__ import annotations

from rbench import Initializer
from rbench_plugins.initializers import (
    default,
    delta_orthogonal,
    kaiming,
    laplace,
    logistic,
    normal,
    orthogonal,
    uniform,
)

COMPONENTS: list[Initializer] = [
    default.COMPONENT,
    delta_orthogonal.COMPONENT,
    kaiming.COMPONENT,
    laplace.COMPONENT,
    logistic.COMPONENT,
    normal.COMPONENT,
    orthogonal.COMPONENT,
    uniform.COMPONENT,
]
