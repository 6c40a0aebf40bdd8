"""The loss network, the objective's gradient, the loop."""

from __future__ import annotations

import pytest
import torch
from rbench_plugins.stylization.loss_network import LossNetwork
from rbench_plugins.stylization.optimize import Objective, optimize
from rbench_plugins.stylization.parametrization import Corrections
from torch.nn import functional as F

from rbench import UserError


def network(**changes: object) -> LossNetwork:
    fields = {
        "inputs": 3,
        "widths": (4, 4, 5, 5),
        "convs": (1, 1, 1, 1),
        "kernel": 3,
        "pooling": "average",
        "seed": 0,
    } | changes
    return LossNetwork(**fields).double()  # type: ignore[arg-type]


def objective(ratio: float = 2.0, kind: str = "gram", **changes: object) -> Objective:
    return Objective(network(**changes), kind, True, (1, 2, 3), 3, ratio)


def images(*shape: int, seed: int = 0) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.rand(shape, generator=draw, dtype=torch.float64)


def run(variable: Corrections, goal: Objective, content, style, **options):
    chosen = {"steps": 20, "optimizer": "adam", "lr": 0.05} | options
    target = goal.target(content, style, True)
    return optimize(variable, lambda v: v, goal, target, **chosen)


def test_a_layer_is_pool_convolution_relu() -> None:
    x = images(2, 3, 8, 8)
    net = network()
    pooled = F.pad(F.avg_pool2d(x, 2), (1, 1, 1, 1), mode="replicate")
    expected = F.conv2d(pooled, net.get_buffer("conv2_1")).relu()
    torch.testing.assert_close(net(x)[0], expected)
    assert [tuple(y.shape) for y in net(x)] == [
        (2, 4, 4, 4),
        (2, 4, 2, 2),
        (2, 5, 1, 1),
        (2, 5, 1, 1),
    ]


def test_calibrated_channels_are_standardized_before_the_relu() -> None:
    x = images(2, 3, 16, 16)
    net = network()
    calibration = net.calibrate(x)
    before = F.conv2d(
        F.pad(F.avg_pool2d(x, 2), (1, 1, 1, 1), mode="replicate"), net.get_buffer("conv2_1")
    )
    std, mean = torch.std_mean(before, (-2, -1), correction=0, keepdim=True)
    expected = (before - mean) / std.maximum(std.mean(1, keepdim=True) / 2)
    assert bool((std > std.mean(1, keepdim=True) / 2).any())
    torch.testing.assert_close(net(x, calibration)[0], expected.relu())


@pytest.mark.parametrize("kind", ["gram", "moments"])
def test_gradient(kind: str) -> None:
    goal = objective(kind=kind)
    content, style = images(1, 3, 8, 8), images(1, 3, 8, 8, seed=1)
    target = goal.target(content, style, True)
    value = images(1, 3, 8, 8, seed=2).requires_grad_()
    assert torch.autograd.gradcheck(lambda v: goal.total(*goal.losses(v, target)), value)


def test_ratio_0_keeps_the_content() -> None:
    content, style = images(1, 3, 16, 16), images(1, 3, 16, 16, seed=1)
    value, trace = run(Corrections(content, (0,)), objective(ratio=0.0), content, style)
    torch.testing.assert_close(value, content)
    assert trace.content == [0.0] * 21


@pytest.mark.parametrize(("optimizer", "lr"), [("adam", 0.05), ("lbfgs", 1.0)])
def test_the_style_comes_nearer(optimizer: str, lr: float) -> None:
    content, style = images(1, 3, 16, 16), images(1, 3, 16, 16, seed=1) ** 3
    variable = Corrections(content, (0, 1), scale=torch.full((1, 1, 1, 1), 0.5).double(), low=0.0)
    goal = objective(ratio=100.0)
    value, trace = run(variable, goal, content, style, optimizer=optimizer, lr=lr)
    assert trace.style[-1] < 0.25 * trace.style[0]
    assert len(trace.style) == len(trace.seconds) == 21
    assert trace.passes >= 20
    assert float(value.min()) >= 0
    again = goal.losses(value, goal.target(content, style, True))[1]
    assert float(again[0]) == pytest.approx(trace.style[-1])


def test_a_pair_in_a_batch_goes_its_own_way() -> None:
    content, style = images(3, 3, 16, 16), images(3, 3, 16, 16, seed=1)
    together, _ = run(Corrections(content, (0, 2)), objective(), content, style)
    alone, _ = run(Corrections(content[1:2], (0, 2)), objective(), content[1:2], style[1:2])
    torch.testing.assert_close(together[1:2], alone)


def test_corrections_are_axes_times_upsampled_coefficients() -> None:
    start, axes = images(1, 3, 5, 6), images(1, 3, 2, seed=1)
    variable = Corrections(start, (0, 1), axes)
    assert [tuple(z.shape) for z in variable.levels] == [(1, 2, 5, 6), (1, 2, 3, 3)]
    torch.testing.assert_close(variable(), start)
    with torch.no_grad():
        variable.levels[1].fill_(2.0)
    moved = start + (2 * axes.sum(2)).view(1, 3, 1, 1)
    torch.testing.assert_close(variable(), moved)
    assert float(Corrections(start, (0,), high=0.5)().detach().max()) == 0.5


def test_vgg16_weights_must_fit() -> None:
    state = {"features.5.weight": torch.zeros(128, 64, 3, 3)}
    with pytest.raises(UserError, match=r"\(128, 64, 3, 3\) for features.5.weight, conv2_1 is"):
        network().load_vgg16(state)
    net = network(inputs=2, widths=(2, 2, 2, 2), convs=(2, 3, 3, 3))
    shapes = {5: 2, 7: 2, 10: 2, 12: 2, 14: 2, 17: 2, 19: 2, 21: 2, 24: 2, 26: 2, 28: 2}
    for index in shapes:
        state[f"features.{index}.weight"] = torch.full((2, 2, 3, 3), float(index))
        state[f"features.{index}.bias"] = torch.full((2,), float(index))
    net.load_vgg16(state)
    assert float(net.get_buffer("conv4_2").mean()) == 19
    assert len(net(images(1, 2, 32, 32))) == 4
