"""Norms and the classifier learn; known as ``batchnorm`` before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rbench import FreezingRule, NoOptions, classifier_parameters, norm_parameters
from rbench_plugins.freezing.tensors import everything

if TYPE_CHECKING:
    from torch import Generator, nn


def select(network: nn.Module, generator: Generator, options: NoOptions) -> set[str]:
    """Everything but norms and classifier."""
    return (
        everything(network)
        - norm_parameters(network, buffers=True)
        - classifier_parameters(network)
    )


COMPONENT = FreezingRule(
    name="all_but_norms_and_head",
    summary="Norms and the classifier learn and nothing else.",
    select=select,
    formerly=("batchnorm",),
    revision=2,  # 1 knew torch's norms only
)
