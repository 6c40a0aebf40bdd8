"""The classifier, as timm's ``get_classifier`` has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rbench import FreezingRule, NoOptions, classifier_parameters

if TYPE_CHECKING:
    from torch import Generator, nn


def select(network: nn.Module, generator: Generator, options: NoOptions) -> set[str]:
    """The classifier's weights and biases; of a network that does not say, the last linear layer's.

    Both of a distilled DeiT's.
    """
    return classifier_parameters(network)


COMPONENT = FreezingRule(
    name="head",
    summary="The classifier stays as drawn.",
    select=select,
    revision=2,  # 1 was the name pattern "head"
)
