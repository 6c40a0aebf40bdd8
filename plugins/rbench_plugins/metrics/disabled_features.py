"""Share of features that their norm layer switches off (Frankle, Schwab and Morcos 2021).

Networks whose norms alone learn drive the scale of part of their features to zero.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, JsonValue

from rbench import Metric, MetricContext, MetricValue, Options, Outcome

if TYPE_CHECKING:
    from torch import Tensor, nn

NAME = "disabled_features"


class DisabledOptions(Options):
    """Options of ``disabled_features``."""

    threshold: float = Field(0.01, gt=0, description="a feature with a smaller |gamma| is off")


def measure(
    outcome: Outcome, context: MetricContext, options: DisabledOptions
) -> list[MetricValue]:
    """Percentage of the scales gamma of all norm layers with |gamma| < ``threshold``.

    ``n`` is the number of scales; ``details`` has the percentage by layer.
    """
    import torch

    layers = scales(outcome.network)
    if not layers:
        context.note(f"{NAME}: the network has no norm layer with a scale")
        return []
    off = {name: (scale.abs() < options.threshold).double() for name, scale in layers.items()}
    share = 100 * float(torch.cat(list(off.values())).mean())
    details: dict[str, JsonValue] = {
        name: round(100 * float(flags.mean()), 4) for name, flags in off.items()
    }
    n = sum(len(flags) for flags in off.values())
    return [MetricValue(name=NAME, value=share, unit="%", n=n, details=details)]


def scales(network: nn.Module) -> dict[str, Tensor]:
    """The scale (channels,) of each batch, group, layer and instance norm, by layer name."""
    from torch import nn

    kinds = (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm)
    return {
        name: module.weight.detach().flatten()
        for name, module in network.named_modules()
        if isinstance(module, kinds) and getattr(module, "weight", None) is not None
    }


COMPONENT = Metric(
    name=NAME,
    summary="Percentage of features that a norm layer switches off: |gamma| below 0.01.",
    measure=measure,
    options=DisabledOptions,
)
