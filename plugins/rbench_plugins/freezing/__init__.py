"""The built-in freezing rules, a file each."""

from __future__ import annotations

from rbench import FreezingRule
from rbench_plugins.freezing import (
    all_but_norms,
    all_but_norms_and_head,
    all_of_it,
    depthwise,
    fraction,
    head,
    none,
    norms,
    pointwise,
    random_parameters,
    spatial,
)

COMPONENTS: list[FreezingRule] = [
    all_but_norms.COMPONENT,
    all_but_norms_and_head.COMPONENT,
    all_of_it.COMPONENT,
    depthwise.COMPONENT,
    fraction.COMPONENT,
    head.COMPONENT,
    none.COMPONENT,
    norms.COMPONENT,
    pointwise.COMPONENT,
    random_parameters.COMPONENT,
    spatial.COMPONENT,
]
