"""1x1 convolutions, the combinations of channels."""

from __future__ import annotations

from rbench import FreezingRule

COMPONENT = FreezingRule(
    name="pointwise",
    summary="1x1 convolutions stay as drawn, those of shortcuts included.",
    select="rbench_plugins.freezing.functions.convolutions:pointwise",
)
