"""A fault of bfloat16 convolutions on the CPU, kept away from training.

oneDNN's weight gradient of a strided k x k convolution on maps one pixel wide leaves the taps that
see nothing but padding unwritten: they hold what was in memory, now and then NaN. Such maps come
up in networks for large images on small ones, such as a ResNet on 8-pixel digits.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


@contextmanager
def in_float32(network: nn.Module) -> Iterator[None]:
    """Run learnable strided convolutions on maps one pixel wide in float32, under CPU autocast."""
    handles = []
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module.weight.requires_grad and max(module.stride) > 1:
            guard = _Guard()
            handles += [
                module.register_forward_pre_hook(guard.enter),
                module.register_forward_hook(guard.leave, always_call=True),
            ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


class _Guard:
    """Turns autocast off around one call of a convolution, where its maps ask for it."""

    def __init__(self) -> None:
        self._context: torch.autocast | None = None

    def enter(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> Any:
        (maps,) = inputs
        if min(maps.shape[-2:]) > 1 or not torch.is_autocast_enabled("cpu"):
            return None
        self._context = torch.autocast("cpu", enabled=False)
        self._context.__enter__()
        return (maps.float(),)

    def leave(self, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        if self._context is not None:
            self._context.__exit__(None, None, None)
            self._context = None


__all__ = ["in_float32"]
