"""Weight gradients of strided convolutions on maps of one pixel, in bfloat16 on the CPU."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from rbench.runner.cpu_bfloat16 import in_float32


@pytest.mark.parametrize("channels_last", [False, True])
def test_taps_that_see_only_padding_get_no_gradient(channels_last: bool) -> None:
    layout = torch.channels_last if channels_last else torch.contiguous_format
    generator = torch.Generator().manual_seed(0)
    for _ in range(5):
        conv = nn.Conv2d(64, 128, 3, stride=2, padding=1, bias=False).to(memory_format=layout)
        images = torch.randn(8, 64, 1, 1, generator=generator).to(memory_format=layout)
        # What the gradient would hold where nobody writes it.
        poison = [torch.full((1 << 16,), float("nan")) for _ in range(40)]
        del poison
        with in_float32(conv), torch.autocast("cpu", dtype=torch.bfloat16):
            output = conv(images)
            output.float().square().sum().backward()
        assert output.dtype == torch.float32
        assert conv.weight.grad is not None
        outer = conv.weight.grad.clone()
        outer[..., 1, 1] = 0
        assert not outer.any()
        expected = torch.einsum("no,ni->oi", 2 * output.flatten(1), images.flatten(1))
        assert torch.allclose(conv.weight.grad[..., 1, 1], expected, rtol=1e-4, atol=1e-4)


def test_larger_maps_and_frozen_filters_stay_in_bfloat16() -> None:
    conv = nn.Conv2d(4, 4, 3, stride=2, padding=1)
    frozen = nn.Conv2d(4, 4, 3, stride=2, padding=1).requires_grad_(False)
    with in_float32(nn.Sequential(conv, frozen)), torch.autocast("cpu", dtype=torch.bfloat16):
        assert conv(torch.zeros(1, 4, 4, 4)).dtype == torch.bfloat16
        assert frozen(torch.zeros(1, 4, 1, 1)).dtype == torch.bfloat16
        assert conv(torch.zeros(1, 4, 1, 1)).dtype == torch.float32
    assert not conv._forward_hooks
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert conv(torch.zeros(1, 4, 1, 1)).dtype == torch.bfloat16
