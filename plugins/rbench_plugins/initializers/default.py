"""PyTorch's own distribution for convolutions, which P2 uses (section 3; facts B1)."""

from __future__ import annotations

from rbench import Initializer

COMPONENT = Initializer(
    name="default",
    summary="PyTorch's default for convolutions: U(+-1/sqrt(fan_in)).",
    draw="rbench_plugins.initializers.functions.default:draw",
)
