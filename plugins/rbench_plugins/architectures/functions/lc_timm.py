"""Builds the network that ``architectures/lc_timm.py`` describes."""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from rbench import BuildContext, UserError
from rbench_plugins.architectures import timm_models
from rbench_plugins.architectures.functions.timm_models import build as timm_model
from rbench_plugins.architectures.lc_timm import LCModelOptions
from rbench_plugins.architectures.timm_models import TimmOptions
from rbench_plugins.layers.lc.make import LCMaker, put_lc_blocks


def build(context: BuildContext, options: LCModelOptions) -> nn.Module:
    """timm's model under timm's own initialization; LC-blocks draw PyTorch's default."""
    if context.pretrained:
        raise UserError("--pretrained: published filters are not LC-blocks; leave it out")
    if timm_models.member(options.base) is None:
        raise UserError(f"base={options.base}: timm has no such model")
    maker = LCMaker(options, context)
    network = timm_model(
        replace(context, name=options.base), TimmOptions.model_validate(options.base_kwargs)
    )
    put_lc_blocks(network, maker)
    return network
