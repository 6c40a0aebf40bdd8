"""Models that draw filters themselves say which layer these are of: LC-blocks, CNN-DCNs."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from rbench_plugins.architectures.functions import cnn_dcn, resnet_lc
from rbench_plugins.architectures.resnet_lc import ResNetLCOptions
from rbench_plugins.initializers.covariance import CovarianceOptions
from rbench_plugins.initializers.functions.covariance import covariance
from rbench_plugins.layers.cnn_dcn.options import CnnDcnOptions
from rbench_plugins.layers.lc.make import LCMaker, put_lc_blocks
from rbench_plugins.layers.lc.options import LCOptions
from torch import Tensor, nn
from torch.nn import functional as F

from rbench import BuildContext, Layer, RunSpec
from rbench.network.draw import Drawing, WeightSampler
from rbench.spec.chosen import Chosen
from tests.initializers.test_initializers import BY_NAME


def sampler(name: str) -> WeightSampler:
    return WeightSampler(Chosen(BY_NAME[name], BY_NAME[name].options()), 0)


def center_share(weight: Tensor) -> float:
    """The part of the filters' energy that is at the center tap."""
    taps = weight.detach().double().square().flatten(0, 1).sum(0)
    return float(taps[1, 1] / taps.sum())


def expected_share(depth: float) -> float:
    """That part by the initializer's formula at a relative depth."""
    o = CovarianceOptions()
    variances = covariance((3, 3), o.s0 + o.v * depth + o.a * depth**2 / 2).diagonal()
    return float(variances[4] / variances.sum())


@pytest.mark.parametrize("execution", ["unfolded", "compact"])
def test_covariance_sees_the_depth_of_lc_blocks(execution: Any) -> None:
    options = ResNetLCOptions(depth=14, width=16, expansion=32, execution=execution)
    network = resnet_lc.build(BuildContext(draw=sampler("covariance")), options)
    blocks: list[Any] = [m for m in network.modules() if hasattr(m, "drawn_filters")]
    assert len(blocks) == 13
    for index in (0, 6, 12):
        filters = blocks[index].drawn_filters(10_000).view(-1, 1, 3, 3)
        assert center_share(filters) == pytest.approx(expected_share(index / 12), abs=0.02)


def test_every_lc_block_is_named_and_counted() -> None:
    asked: list[Layer] = []

    def draw(weight: Tensor, stream: str, layer: Layer | None = None) -> None:
        assert layer is not None
        asked.append(layer)

    network = nn.Sequential(
        nn.Conv2d(4, 8, 3, stride=2), nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 3, groups=8)
    )
    put_lc_blocks(network, LCMaker(LCOptions(expansion=2), BuildContext(draw=draw)))
    first, last = (Layer(name=name, index=i, count=2) for i, name in enumerate("02"))
    assert [(x.name, x.index, x.count) for x in asked] == [
        (x.name, x.index, x.count) for x in (first, first, last, last)
    ]
    assert [(x.stride, x.groups) for x in asked[1:3]] == [(2, 1), (1, 8)]
    assert [(x.fan_in, x.fan_out) for x in asked[1:3]] == [(36, 72), (9, 9)]


def test_dirac_makes_each_slice_of_a_depthwise_lc_block_the_identity() -> None:
    network = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False))
    options = LCOptions(expansion=2, execution="unfolded")
    put_lc_blocks(network, LCMaker(options, BuildContext(draw=sampler("dirac"))))
    block: Any = network[0]
    images = torch.rand(2, 8, 5, 5)
    maps = F.conv2d(images, block.spatial, padding=1, groups=8)
    assert torch.equal(maps, images.repeat_interleave(2, dim=1))


def test_all_networks_of_a_cnn_dcn_are_of_one_distribution() -> None:
    drawn = sampler("covariance")
    context = BuildContext(name="rrvgg", num_classes=0, draw=drawn)
    network = cnn_dcn.vgg16(context, CnnDcnOptions(depth=3, width=32))
    drawing = Drawing(network, RunSpec(model="rrvgg", init="covariance"), (3, 32, 32))
    by_engine = drawing.draw(drawn, drawing.chosen)
    seen: list[Layer] = []
    fill = network.draw
    network.draw = lambda weight, layer, number: seen.append(layer) or fill(weight, layer, number)
    before = [p.detach().clone() for p in network.parameters()]
    network.redraw(0)
    assert all(map(torch.equal, before, network.parameters()))
    network.redraw(1)
    count = len(by_engine)
    assert seen == [*by_engine, *by_engine]
    for index, (weight, old) in enumerate(zip(network.parameters(), before, strict=True)):
        assert not torch.equal(weight, old)
        if weight.shape[:2] == (32, 32):  # enough kernels for the share
            assert center_share(weight) == pytest.approx(
                expected_share(index / (count - 1)), abs=0.04
            )
