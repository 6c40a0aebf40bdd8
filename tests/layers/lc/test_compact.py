"""The compact form of an LC-block trains as the whole block does, in float64."""

from __future__ import annotations

import math

import pytest
import torch
from rbench_plugins.layers.lc.block import LCBlock
from rbench_plugins.layers.lc.compact import LCCompact, factor, pays
from rbench_plugins.layers.lc.draw import Source
from rbench_plugins.layers.lc.shape import ConvShape
from torch import Tensor, nn
from torch.nn import functional as F

from rbench import Layer
from rbench.seeds import generator

SOURCE = Source(seed=7, name="layer1.0.conv1")
SHAPES = [
    pytest.param(ConvShape(c_in=3, c_out=4, kernel=(3, 3), padding=(1, 1)), 17, id="plain"),
    pytest.param(
        ConvShape(c_in=2, c_out=6, kernel=(5, 5), stride=(2, 2), padding=(2, 2)), 10, id="k5-stride"
    ),
    pytest.param(ConvShape(c_in=1, c_out=2, kernel=(7, 7), padding=(3, 3), bias=True), 40, id="k7"),
    pytest.param(
        ConvShape(c_in=4, c_out=6, kernel=(3, 3), padding=(1, 1), groups=2), 9, id="groups"
    ),
    pytest.param(
        ConvShape(c_in=4, c_out=4, kernel=(3, 3), stride=(2, 2), groups=4, bias=True, same=True),
        30,
        id="depthwise-same",
    ),
]


def whole(shape: ConvShape, expansion: int, source: Source = SOURCE) -> LCBlock:
    return LCBlock(shape, expansion, source).double()


def compact(shape: ConvShape, expansion: int, source: Source = SOURCE) -> LCCompact:
    """The block, its weights not rounded to float32."""
    block = LCCompact(shape, expansion, source).double()
    exact = factor(shape, expansion, source, torch.float64).filters(shape)
    with torch.no_grad():
        block.spatial.copy_(exact.spatial)
        block.pointwise.copy_(exact.pointwise)
    return block


def train(
    blocks: list[LCBlock], momentum: float, nesterov: bool, decay: float, clip: float | None = None
) -> None:
    """120 steps on a curved loss with a changing rate, each block with an optimizer of its own."""
    optimizers = [
        torch.optim.SGD(
            [p for p in block.parameters() if p.requires_grad],
            lr=0.01,
            momentum=momentum,
            nesterov=nesterov,
            weight_decay=decay,
        )
        for block in blocks
    ]
    draws = generator(3, "steps")
    for step in range(120):
        x = torch.randn(2, blocks[0].shape.c_in, 9, 8, dtype=torch.float64, generator=draws)
        target = x.mean(dim=(1, 2, 3), keepdim=True) + 0.3
        for block, optimizer in zip(blocks, optimizers, strict=True):
            optimizer.param_groups[0]["lr"] = 0.1 * (1 + math.cos(math.pi * step / 120))
            y = block(x).sin()
            F.smooth_l1_loss(y, target.expand_as(y)).backward()
            if clip is not None:
                nn.utils.clip_grad_norm_(block.parameters(), clip)
            optimizer.step()
            optimizer.zero_grad()


@pytest.mark.parametrize(("momentum", "nesterov", "decay"), [(0.0, False, 0.0), (0.9, True, 1e-2)])
@pytest.mark.parametrize(("shape", "expansion"), SHAPES)
def test_compact_trains_all_filters(
    shape: ConvShape, expansion: int, momentum: float, nesterov: bool, decay: float
) -> None:
    large, small = whole(shape, expansion), compact(shape, expansion)
    assert small.spatial.numel() < large.spatial.numel()
    start, filters = large.combined_weight().detach(), large.spatial.detach().clone()
    torch.testing.assert_close(small.combined_weight(), start, atol=1e-6, rtol=0)
    train([large, small], momentum, nesterov, decay)
    trained = large.combined_weight()
    assert (trained - start).abs().max() > 0.02
    assert (large.spatial - filters).abs().max() > 1e-3
    torch.testing.assert_close(small.combined_weight(), trained, atol=1e-10, rtol=0)
    x = torch.randn(2, shape.c_in, 9, 8, dtype=torch.float64, generator=generator(1, "x"))
    torch.testing.assert_close(small(x), large(x), atol=1e-9, rtol=0)
    torch.testing.assert_close(small.gram_matrix(), large.gram_matrix(), atol=1e-9, rtol=0)
    now = large.spatial.detach().reshape(-1, shape.taps)
    for n in (5, len(now)):
        torch.testing.assert_close(small.drawn_filters(n), now[:n].float(), atol=1e-6, rtol=0)


@pytest.mark.parametrize("learning", ["spatial", "pointwise"])
def test_either_half_may_be_frozen_and_gradients_clipped(learning: str) -> None:
    shape, expansion = SHAPES[0].values
    blocks = [whole(shape, expansion), compact(shape, expansion)]
    for block in blocks:
        for name, parameter in block.named_parameters():
            parameter.requires_grad_(name == learning)
    start = blocks[0].combined_weight().detach()
    train(blocks, 0.9, True, 1e-2, clip=0.05)
    assert (blocks[0].combined_weight() - start).abs().max() > 0.01
    torch.testing.assert_close(
        blocks[1].combined_weight(), blocks[0].combined_weight(), atol=1e-10, rtol=0
    )


def test_an_initializer_may_repeat_its_filters() -> None:
    """Z_0 has dependent columns then, and no Cholesky factor."""

    def draw(weight: Tensor, stream: str, layer: Layer) -> None:
        weight.zero_()
        weight[:, :, 1, 1] = 0.1
        weight[0, 0, 0, 0] = 0.2 * int(stream.rpartition("/")[2])

    source = Source(seed=7, name="conv1", draw=draw)
    shape, expansion = SHAPES[0].values
    blocks = [whole(shape, expansion, source), compact(shape, expansion, source)]
    train(blocks, 0.9, True, 1e-2)
    torch.testing.assert_close(
        blocks[1].combined_weight(), blocks[0].combined_weight(), atol=1e-7, rtol=0
    )


def test_it_counts_what_it_stands_for_and_pays_where_it_is_smaller() -> None:
    shape = ConvShape(c_in=64, c_out=64, kernel=(3, 3))
    assert pays(shape, 128)
    assert next(e for e in range(1, 20) if pays(shape, e)) == 11  # 64 + 576 rows are 10 x 64
    small = ConvShape(c_in=2, c_out=4, kernel=(3, 3))
    block = LCCompact(small, 50, SOURCE)
    assert block.spatial.shape == (22, 2, 3, 3)
    sizes = {name: p.numel() for name, p in LCBlock(small, 50, SOURCE).named_parameters()}
    assert block.represented() == sizes
