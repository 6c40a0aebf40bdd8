from __future__ import annotations

import pytest
import torch
from rbench_plugins.architectures.cnn_dcn import COMPONENTS
from rbench_plugins.architectures.functions.random_cnn import build
from rbench_plugins.architectures.random_cnn import RandomCNNOptions
from rbench_plugins.layers.cnn_dcn.options import CnnDcnOptions
from rbench_plugins.layers.random_cnn import ChannelMean
from rbench_plugins.theory.read_network import read_stack
from rbench_plugins.theory.stack import Conv, Pool, Upsample, Window
from torch import nn

from rbench import BuildContext, UserError

RRVGG_MEAN = COMPONENTS["rrvgg_mean"]

IMAGE = torch.rand(1, 3, 16, 16)


def random_cnn(**options: object) -> nn.Module:
    return build(BuildContext(), RandomCNNOptions.model_validate(options))


def test_reads_random_cnn() -> None:
    stack = read_stack(
        random_cnn(depth=4, width=16, pools=[1], upsamplings=[2], std=0.2, slope=0.1, bias=True),
        IMAGE,
    )
    first, pool, second, up, last = stack.layers
    assert isinstance(first, Conv)
    assert isinstance(second, Conv)
    assert isinstance(last, Conv)
    assert first.window == Window((3, 3), (1, 1), (1, 1, 1, 1))
    assert (first.width, first.scale, last.scale) == (16, 0.25, 1.0)
    assert second.std == pytest.approx(0.2, rel=0.1)
    assert (first.slope, first.bias, first.gaussian) == (0.1, True, True)
    assert pool == Pool("l2", Window((2, 2), (2, 2)))
    assert up == Upsample(2)
    assert stack.depth == 4


@pytest.mark.parametrize("kind", ["average", "max"])
def test_reads_pools(kind: str) -> None:
    assert read_stack(random_cnn(depth=3, pools=[1], pool=kind), IMAGE).pools == {kind}


def test_even_kernels_pad_as_torch_does() -> None:
    network = random_cnn(kernel=4)
    (conv,) = read_stack(network, IMAGE).convs
    torch.nn.init.ones_(network.layers[0].weight)  # type: ignore[union-attr, arg-type, index]
    expected = conv.window.sum(IMAGE.sum(1))
    assert torch.allclose(network(IMAGE)[:, 0], expected, rtol=1e-5)


def test_reads_the_order_of_execution_and_skips_what_does_nothing() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mean = ChannelMean()
            self.second = nn.Sequential(nn.Conv2d(4, 5, 1), nn.ReLU(), nn.Identity())
            self.pool = nn.MaxPool2d(2)
            self.first = nn.Sequential(nn.Conv2d(3, 4, 3), nn.LeakyReLU(0.2))
            self.up = nn.Upsample(scale_factor=2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.mean(self.second(self.up(self.pool(self.first(x)))))

    layers = read_stack(Odd(), IMAGE).layers
    assert [type(layer).__name__ for layer in layers] == ["Conv", "Pool", "Upsample", "Conv"]
    assert layers[2] == Upsample(2, nearest=True)
    assert layers[0].slope == 0.2  # type: ignore[union-attr]


def test_tells_laws_apart() -> None:
    assert not read_stack(random_cnn(law="uniform"), IMAGE).convs[0].gaussian


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([nn.Conv2d(3, 4, 3), nn.ReLU()], "end in the mean"),
        ([nn.Conv2d(3, 4, 3), ChannelMean()], "ReLU after every convolution"),
        ([nn.Conv2d(3, 3, 3, groups=3), nn.ReLU(), ChannelMean()], "plain convolutions"),
        ([nn.Sigmoid(), nn.Conv2d(3, 4, 3), nn.ReLU(), ChannelMean()], "no layer like '0'"),
        ([nn.ReLU(), nn.MaxPool2d(2), ChannelMean()], "ends in a convolution"),
    ],
)
def test_refuses_in_one_line(layers: list[nn.Module], message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        read_stack(nn.Sequential(*layers), IMAGE)
    assert "\n" not in str(caught.value)


def rrvgg_mean(**options: object) -> nn.Module:
    fields = {**RRVGG_MEAN.defaults, **options}
    return RRVGG_MEAN.build(BuildContext(), CnnDcnOptions.model_validate(fields))


def test_reads_the_mean_variant_of_rrvgg() -> None:
    """CD1 is three convolutions and the mean; CD2 has a pool and an insertion; f by the stack."""
    one = read_stack(rrvgg_mean(width=8), IMAGE)
    assert [type(layer).__name__ for layer in one.layers] == ["Conv"] * 3
    two = read_stack(rrvgg_mean(width=8, depth=2, upsampling="nearest"), IMAGE)
    kinds = [type(layer).__name__ for layer in two.layers]
    assert kinds == [*["Conv"] * 2, "Pool", *["Conv"] * 4, "Upsample", "Conv"]
    assert two.pools == {"max"}
    assert two.layers[7] == Upsample(2, nearest=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"last": "conv"}, "last=mean"),
        ({"normalize": "imagenet"}, "normalize=none"),
        ({"depth": 2, "upsampling": "unpool"}, "not unpool"),
        ({"dcn_activation": "none"}, "ReLU after every"),
        ({"depth": 5}, "multiples of 16 pixels, not 24x24"),
    ],
)
def test_refuses_other_cnn_dcns(options: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        read_stack(rrvgg_mean(width=4, **options), torch.rand(1, 3, 24, 24))
