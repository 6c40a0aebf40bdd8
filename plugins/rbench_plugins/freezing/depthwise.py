"""Depthwise convolutions, which filter each channel by itself."""

from __future__ import annotations

from rbench import FreezingRule

COMPONENT = FreezingRule(
    name="depthwise",
    summary="Depthwise convolutions stay as drawn.",
    select="rbench_plugins.freezing.functions.convolutions:depthwise",
)
