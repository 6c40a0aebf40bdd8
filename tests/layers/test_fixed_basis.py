"""Fixed bases against scipy and finite differences; the plain networks that train alike."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from rbench_plugins.architectures import fixed_basis as architecture
from rbench_plugins.layers import fixed_basis as bases
from scipy.fft import dctn
from torch import Tensor, nn

from rbench import BuildContext, UserError, folded, generator, global_seed
from rbench.plugin.recipe import Training


def kernels(basis: str, k: int = 3, **options: Any) -> Tensor:
    shape = bases.BasisShape(basis=basis, **options)
    return bases.kernels((k, k), shape, generator(0, "basis"))


@pytest.mark.parametrize("size", [(3, 3), (5, 5), (2, 7)])
def test_dct_kernels_are_scipys(size: tuple[int, int]) -> None:
    """Their inner products with an image are its orthonormal DCT-II."""
    image = np.random.default_rng(0).normal(size=size)
    orthonormal = bases.dct(size, norm="l2")
    found = (orthonormal.numpy() * image).sum((1, 2))
    coefficients = dctn(image, norm="ortho")
    order = sorted(np.ndindex(*size), key=lambda p: (p[0] + p[1], p[0]))
    np.testing.assert_allclose(found, [coefficients[p] for p in order], atol=1e-12)
    lengths = bases.dct(size, norm="l1").abs().sum((1, 2))
    torch.testing.assert_close(lengths, torch.ones(len(order), dtype=torch.float64))


def test_levels_of_the_dct() -> None:
    for k in (3, 5):
        for level in range(1, k + 1):
            assert len(kernels("dct", k, level=level)) == level * (level + 1) // 2
        assert len(kernels("dct", k)) == k * k


def test_squared_lengths_of_the_l1_normed_dct() -> None:
    """The gains per frequency of the preconditioner, k = 3: 0.111 for the mean up to 0.25."""
    gains = kernels("dct").square().sum((1, 2))
    assert float(gains[0]) == pytest.approx(1 / 9)
    assert float(gains.max()) == pytest.approx(0.25)


@pytest.mark.parametrize("k", [3, 5, 7])
def test_fourier_bessel(k: int) -> None:
    made = kernels("fourier_bessel", k, count=k * k)
    assert len(made) <= k * k - 1
    assert float(made.square().sum((1, 2)).mean()) == pytest.approx(1)
    torch.testing.assert_close(made[0], made[0].rot90(1, (0, 1)))  # J_0 turns into itself
    torch.testing.assert_close(made[1].rot90(1, (0, 1)).abs(), made[2].abs(), atol=1e-12, rtol=0)
    # The first one is J_0 up to its first zero: 2.405 r at the distance r in units of k/2.
    from scipy.special import j0

    center = k // 2
    ratio = float(made[0][center, center + 1] / made[0][center, center])
    assert ratio == pytest.approx(j0(2.404825557695773 * 2 / k), rel=1e-9)
    assert len(kernels("fourier_bessel", k)) == 6


def test_gaussian_derivatives_are_those_of_finite_differences() -> None:
    made = bases.gaussian_derivatives((5, 5), 1.3, 2)
    assert len(made) == 6

    def gauss(x: float, y: float) -> float:
        return math.exp(-(x * x + y * y) / (2 * 1.3**2))

    h = 1e-4
    axis = np.arange(5) - 2.0
    by_y = np.array([[(gauss(x, y + h) - gauss(x, y - h)) / (2 * h) for y in axis] for x in axis])
    mixed = np.array(
        [
            [
                (
                    gauss(x + h, y + h) - gauss(x + h, y - h)
                    - gauss(x - h, y + h) + gauss(x - h, y - h)
                )
                / (4 * h * h)
                for y in axis
            ]
            for x in axis
        ]
    )  # fmt: skip
    for found, expected in ((made[1], by_y), (made[4], mixed)):
        np.testing.assert_allclose(found, expected / np.linalg.norm(expected), atol=1e-5)


def test_random_bases() -> None:
    flat = kernels("orthonormal").flatten(1)
    torch.testing.assert_close(flat @ flat.T, torch.eye(9, dtype=torch.float64))
    assert kernels("random").shape == (6, 3, 3)
    assert kernels("random").abs().max() <= 0.5
    assert len(kernels("orthonormal", count=4)) == 4


@pytest.mark.parametrize("basis", ["dct", "fourier_bessel", "gaussian", "orthonormal"])
def test_combinations_and_their_least_squares_inverse(basis: str) -> None:
    made = kernels(basis, 5)
    combined = bases.Combined(made).double()
    combined.basis = made.flatten(1)
    coefficients = torch.randn(4, 3, len(made), dtype=torch.float64, generator=generator(0, "w"))
    weight = combined(coefficients)
    expected = torch.einsum("oif,fxy->oixy", coefficients, made)
    torch.testing.assert_close(weight, expected)
    again = combined(combined.right_inverse(weight))
    torch.testing.assert_close(again, weight, atol=1e-9, rtol=0)


def test_coefficients_give_filters_of_hes_variance() -> None:
    made = kernels("dct")
    drawn = bases.draw_coefficients((200, 50, 9), made, "he", generator(0, "w"))
    weight = bases.Combined(made)(drawn)
    assert float(weight.square().mean()) == pytest.approx(2 / (50 * 9), rel=0.02)
    bounds = bases.draw_coefficients((200, 50, 9), made, "lecun", generator(0, "w"))
    assert float(bounds.abs().max()) == pytest.approx(1 / math.sqrt(450), rel=1e-3)


SGD = Training(epochs=1, batch_size=4, lr=0.05, momentum=0.9, weight_decay=0.01)


def build(learn: str, **options: Any) -> nn.Module:
    given = {"base": "resnet_cifar", "base_kwargs": {"depth": 8, "width": 4}, **options}
    context = BuildContext(seed=3, training=SGD)
    with global_seed(3, "weights"):
        network: nn.Module = architecture.COMPONENT.build(
            context, architecture.BasisOptions(learn=learn, **given)
        )
    return network


def train(network: nn.Module, steps: int = 20) -> Tensor:
    x = torch.rand(4, 3, 12, 12, dtype=torch.float64, generator=generator(1, "x"))
    labels = torch.tensor([0, 3, 5, 9])
    optimizer = torch.optim.SGD(
        network.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.01
    )
    for _ in range(steps):
        nn.functional.cross_entropy(network(x), labels).backward()
        optimizer.step()
        optimizer.zero_grad()
    output: Tensor = network.eval()(x)
    return output


@pytest.mark.parametrize(
    "options",
    [{}, {"level": 2}, {"basis": "fourier_bessel"}, {"basis": "random"}, {"basis": "orthonormal"}],
)
def test_coefficients_train_as_the_preconditioned_plain_network(options: dict[str, Any]) -> None:
    """Nesterov SGD with weight decay in float64; and unlike the plain one, save orthonormal."""
    networks = {
        name: build(name, **options) for name in ("coefficients", "preconditioned", "plain")
    }
    starts = {}
    for _name, network in networks.items():
        network.double()
        for module_name, module in network.named_modules():
            if isinstance(module, bases.Combined):  # undo the rounding to float32
                size = (3, 3)
                shape = bases.BasisShape(
                    **{k: v for k, v in options.items() if k in ("basis", "level")}
                )
                layer = module_name.removesuffix(".parametrizations.weight.0")
                stream = generator(3, "basis", layer, "kernels")
                exact = bases.kernels(size, shape, stream)
                module.basis = exact.flatten(1)
                starts[layer] = exact
    plain = dict(networks["coefficients"].named_modules())
    with torch.no_grad():
        for layer, exact in starts.items():
            weight = plain[layer].weight.detach()
            target = networks["preconditioned"].get_submodule(layer).parametrizations.weight
            target.original.copy_(weight)
            rows = exact.flatten(1)
            target[0].metric = rows.T @ rows
            networks["plain"].get_submodule(layer).weight.copy_(weight)
    outputs = {name: train(network) for name, network in networks.items()}
    torch.testing.assert_close(
        outputs["preconditioned"], outputs["coefficients"], atol=1e-8, rtol=0
    )
    difference = (outputs["plain"] - outputs["coefficients"]).abs().max()
    assert (difference < 1e-8) == (options.get("basis") == "orthonormal")


def test_learnable_parameters_and_the_folded_network() -> None:
    network = build("coefficients", level=2).eval()
    plain = build("plain", level=2).eval()
    spatial = [p for n, p in network.named_parameters() if n.endswith("original")]
    assert all(p.shape[-1] == 3 for p in spatial)
    assert sum(p.numel() for p in spatial) * 3 == sum(
        p.numel() for n, p in plain.named_parameters() if p.ndim == 4 and p.shape[-1] == 3
    )
    x = torch.rand(2, 3, 16, 16, generator=generator(0, "x"))
    torch.testing.assert_close(folded(network)(x), network(x), rtol=0, atol=0)
    torch.testing.assert_close(plain(x), network(x), rtol=1e-4, atol=1e-4)


def test_bad_input() -> None:
    with pytest.raises(ValidationError, match="level is for basis=dct"):
        architecture.BasisOptions(basis="random", level=2)
    for context, options, message in (
        (BuildContext(draw=lambda w, s: None), {}, "--init draws filters"),
        (
            BuildContext(training=SGD.model_copy(update={"opt": "adamw"})),
            {"learn": "preconditioned"},
            "exact for --opt sgd",
        ),
        (BuildContext(), {"base": "nothing"}, "base=nothing"),
    ):
        with pytest.raises(UserError, match=message):
            architecture.COMPONENT.build(context, architecture.BasisOptions(**options))  # type: ignore[arg-type]


def test_the_preconditioner_is_that_of_the_basis() -> None:
    made = kernels("dct", level=2)
    rows = made.flatten(1).float()
    weight = torch.randn(4, 3, 3, 3, generator=generator(0, "w")).requires_grad_(True)
    upstream = torch.randn(4, 3, 3, 3, generator=generator(0, "g"))
    result = bases.Preconditioned(made)(weight)
    assert torch.equal(result, weight)
    (result * upstream).sum().backward()
    expected = (upstream.flatten(2) @ rows.T @ rows).view_as(weight)
    torch.testing.assert_close(weight.grad, expected)
