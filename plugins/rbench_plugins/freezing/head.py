"""The classifier, as timm has it: ``get_classifier`` and the names in ``pretrained_cfg``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rbench import FreezingRule, NoOptions, classifier_parameters

if TYPE_CHECKING:
    from torch import Generator, nn


def select(network: nn.Module, generator: Generator, options: NoOptions) -> set[str]:
    """The classifier's tensors; of a network that does not say, the last linear layer's.

    Both of a distilled DeiT's, the auxiliary one of VOLO, and the norm that is part of the
    classifier in LeViT, RepViT and iFormer: see :func:`rbench.classifier_parameters`.
    """
    return classifier_parameters(network, buffers=True)


COMPONENT = FreezingRule(
    name="head",
    summary="The classifier stays as drawn, with auxiliary ones and a norm inside of it.",
    select=select,
    revision=2,  # 1 was the name pattern "head"
)
