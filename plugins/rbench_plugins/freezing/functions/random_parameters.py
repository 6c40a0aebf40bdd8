"""Selects what stays as drawn by the rule that ``freezing/random_parameters.py`` describes."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

from rbench import UserError, classifier_parameters, norm_parameters
from rbench_plugins.freezing.random_parameters import RandomParametersOptions


def select(
    network: nn.Module, generator: Generator, options: RandomParametersOptions
) -> dict[str, Tensor]:
    """Masks of ``count`` entries, uniformly of all that are neither in a norm nor the classifier.

    ``all,!random_parameters`` lets them learn alone (Frankle et al., arXiv 2003.00152, section 4,
    which picks them channel by channel).
    """
    norms = norm_parameters(network)
    parameters = dict(network.named_parameters())
    count = options.count or sum(parameters[name].numel() for name in norms)
    if not count:
        raise UserError("--freeze random_parameters: the network has no norms; say how many: count")
    others = {
        name: parameter
        for name, parameter in parameters.items()
        if name not in norms | classifier_parameters(network)
    }
    sizes = [parameter.numel() for parameter in others.values()]
    if count > sum(sizes):
        raise UserError(f"--freeze random_parameters: there are {sum(sizes):,}, not {count:,}")
    mask = torch.zeros(sum(sizes), dtype=torch.bool)
    mask[torch.randperm(len(mask), generator=generator)[:count]] = True
    parts = zip(others, mask.split(sizes), strict=True)
    return {name: part.view(others[name].shape) for name, part in parts if torch.any(part)}
