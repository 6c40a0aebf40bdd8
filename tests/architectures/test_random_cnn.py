from __future__ import annotations

import math

import pytest
import torch
from pydantic import ValidationError
from rbench_plugins.architectures.random_cnn import COMPONENT, RandomCNNOptions
from rbench_plugins.layers.random_cnn import ChannelMean, RandomCNN, ZeroInsertion
from torch import nn
from torch.nn import functional as F

from rbench import BuildContext, UserError


def build(seed: int = 0, in_chans: int = 3, **options: object) -> RandomCNN:
    network = COMPONENT.build(
        BuildContext(seed=seed, in_chans=in_chans), RandomCNNOptions.model_validate(options)
    )
    assert isinstance(network, RandomCNN)
    return network


def weights(network: nn.Module) -> list[torch.Tensor]:
    return [m.weight for m in network.modules() if isinstance(m, nn.Conv2d)]


def test_is_definition_1() -> None:
    """ReLU, 1/sqrt(N) after all convolutions but the last, mean: by hand."""
    network, images = build(depth=4, widths=[5, 7, 6]), torch.rand(2, 3, 9, 8)
    w = weights(network)
    assert [tuple(x.shape[:2]) for x in w] == [(5, 3), (7, 5), (6, 7)]
    maps = F.conv2d(images, w[0], padding=1).relu() / math.sqrt(5)
    maps = F.conv2d(maps, w[1], padding=1).relu() / math.sqrt(7)
    expected = F.conv2d(maps, w[2], padding=1).relu().mean(1, keepdim=True)
    assert torch.allclose(network(images), expected, atol=1e-7)
    assert all(m.bias is None for m in network.modules() if isinstance(m, nn.Conv2d))


def test_pools_and_zero_insertion() -> None:
    for kind in ("l2", "average", "max"):
        network = build(depth=4, width=4, pools=[1], upsamplings=[2], pool=kind, scaled=False)
        images, w = torch.rand(1, 3, 8, 8), weights(network)
        maps = F.conv2d(images, w[0], padding=1).relu()
        if kind == "l2":
            maps = (F.avg_pool2d(maps**2, 2) * 4).sqrt()
        else:
            maps = F.avg_pool2d(maps, 2) if kind == "average" else F.max_pool2d(maps, 2)
        maps = F.conv2d(maps, w[1], padding=1).relu()
        big = torch.zeros(1, 4, 8, 8)
        big[..., ::2, ::2] = maps
        expected = F.conv2d(big, w[2], padding=1).relu().mean(1, keepdim=True)
        assert torch.allclose(network(images), expected, atol=1e-6)


def test_zero_insertion_and_mean() -> None:
    x = torch.tensor([[[[1.0, 2.0]]]])
    assert ZeroInsertion(3)(x)[0, 0].tolist() == [[1, 0, 0, 2, 0, 0], [0] * 6, [0] * 6]
    assert ChannelMean()(torch.tensor([[[[1.0]], [[5.0]]]])).tolist() == [[[[3.0]]]]


@pytest.mark.parametrize(
    ("law", "excess"), [("normal", 0), ("uniform", -1.2), ("logistic", 1.2), ("laplace", 3)]
)
def test_laws_have_the_std_asked_for(law: str, excess: float) -> None:
    w = weights(build(law=law, std=0.3, width=120, depth=3))[1].detach().double()
    n = w.numel()
    assert n == 129600
    assert float(w.mean()) == pytest.approx(0, abs=5 * 0.3 / math.sqrt(n))
    assert float(w.std()) == pytest.approx(0.3, rel=0.02)
    assert float((w**4).mean() / w.var() ** 2 - 3) == pytest.approx(excess, abs=0.25)


def test_draws_come_from_the_seed_and_nothing_else() -> None:
    before = torch.random.get_rng_state()
    one, same, other = build(seed=1), build(seed=1), build(seed=2)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(weights(one)[0], weights(same)[0])
    assert not torch.equal(weights(one)[0], weights(other)[0])


def test_redraw_and_as_drawn() -> None:
    network = build(bias=True)
    old = [p.clone() for p in network.parameters()]
    assert network.as_drawn
    network.redraw(1)
    assert network.as_drawn
    assert all(not torch.equal(a, b) for a, b in zip(old, network.parameters(), strict=True))
    network.redraw(0)
    assert all(torch.equal(a, b) for a, b in zip(old, network.parameters(), strict=True))
    with torch.no_grad():
        weights(network)[0].mul_(2)
    assert not network.as_drawn


def test_stride_and_padding() -> None:
    images = torch.rand(1, 3, 8, 8)
    assert build(kernel=2, stride=2)(images).shape == (1, 1, 4, 4)
    assert build(kernel=3, stride=2, padding=1)(images).shape == (1, 1, 4, 4)
    assert build(kernel=4)(images).shape == (1, 1, 8, 8)
    assert build(kernel=3, padding="valid")(images).shape == (1, 1, 6, 6)
    with pytest.raises(UserError, match="padding same goes with stride 1"):
        build(kernel=3, stride=2)


@pytest.mark.parametrize(
    "options",
    [
        {"width": 1},
        {"widths": [4, 1]},
        {"widths": []},
        {"depth": 1},
        {"padding": -1},
        {"pools": [1]},
        {"depth": 3, "upsamplings": [0]},
        {"law": "cauchy"},
        {"std": 0},
    ],
)
def test_bad_options(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        build(**options)
