"""What is frozen stays the same bits: tensors, entries and statistics, under every optimizer."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from rbench.network.frozen import Frozen, hold, is_held
from tests.helpers.freezing import Net, freeze, frozen_by


def train(frozen: Frozen, steps: int = 3, opt: str = "sgd", **options: Any) -> nn.Module:
    """Steps of timm's optimizer on random images, with weight decay."""
    from timm.optim import create_optimizer_v2

    network = frozen.network
    draws = torch.Generator().manual_seed(1)
    given = {"lr": 0.1, "weight_decay": 0.1, **options}
    optimizer = create_optimizer_v2(network, opt, **given)
    network.train()
    for _ in range(steps):
        loss = network(torch.randn(8, 3, 8, 8, generator=draws)).square().sum()
        loss.backward()
        frozen.before_step()
        optimizer.step()
        frozen.after_step()
        optimizer.zero_grad()
    return network


def state(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


OPTIMIZERS = {
    "sgd": {"momentum": 0.9},
    "adam": {},
    "adamw": {},
    "lamb": {},
    "rmsprop": {},
    "adafactor": {},
    "muon": {},
}


@pytest.mark.parametrize("opt", OPTIMIZERS)
def test_masked_entries_keep_their_bits_and_the_others_learn(opt: str) -> None:
    frozen = frozen_by(Net(), "fraction", freeze_kwargs={"fraction": {"p": 0.4}})
    with torch.no_grad():
        frozen.network.stem.weight[0, 0, 0] = torch.tensor([-0.0, 1e-45, 3e38])  # type: ignore[index, operator, union-attr]
    frozen = Frozen(frozen.network, frozen.fixed)
    before = state(frozen.network)
    after = state(train(frozen, opt=opt, **OPTIMIZERS[opt]))
    for name, mask in frozen.fixed.items():
        assert mask is not None
        bits = [tensors[name].view(torch.int32) for tensors in (before, after)]
        assert torch.equal(bits[0][mask], bits[1][mask]), name
        assert not torch.equal(before[name][~mask], after[name][~mask]), name


def test_without_the_restoring_weight_decay_would_move_them() -> None:
    frozen = frozen_by(Net(), "fraction")
    before = state(frozen.network)
    frozen.after_step = lambda: None  # type: ignore[method-assign]
    after = state(train(frozen))
    mask = frozen.fixed["stem.weight"]
    assert mask is not None
    assert not torch.equal(before["stem.weight"][mask], after["stem.weight"][mask])


def test_a_masks_gradient_is_that_of_the_entries_that_learn() -> None:
    """Three steps of plain SGD against the same by hand in float64."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(192, 3)).double()
    frozen = frozen_by(network, "fraction", freeze_kwargs={"fraction": {"p": 0.3}})
    mask = frozen.fixed["1.weight"]
    assert mask is not None
    weight, bias = (t.detach().clone() for t in network.parameters())
    draws = torch.Generator().manual_seed(1)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, weight_decay=0.1)
    velocity = [torch.zeros_like(weight), torch.zeros_like(bias)]
    for _ in range(3):
        images = torch.randn(8, 192, generator=draws, dtype=torch.float64)
        network(images).square().sum().backward()
        frozen.before_step()
        optimizer.step()
        frozen.after_step()
        optimizer.zero_grad()
        error = 2 * (images @ weight.T + bias)
        gradients = [(error.T @ images) * ~mask + 0.1 * weight, error.sum(0) + 0.1 * bias]
        velocity = [0.9 * v + g for v, g in zip(velocity, gradients, strict=True)]
        weight = torch.where(mask, weight, weight - 0.01 * velocity[0])
        bias = bias - 0.01 * velocity[1]
    assert torch.allclose(network[1].weight, weight, rtol=1e-12)
    assert torch.allclose(network[1].bias, bias, rtol=1e-12)


def moved(frozen: Frozen) -> set[str]:
    """Names of tensors that training changed."""
    before = state(frozen.network)
    after = state(train(frozen))
    return {name for name in before if not torch.equal(before[name], after[name])}


STATISTICS = {"running_mean", "running_var", "num_batches_tracked"}


def test_a_frozen_norm_keeps_its_statistics() -> None:
    changed = moved(frozen_by(Net(), "stem", "bn"))
    assert not {name for name in changed if name.startswith("bn.")}
    assert {f"plain.{name}" for name in STATISTICS} <= changed


def test_no_freeze_stats_lets_them_move() -> None:
    changed = moved(frozen_by(Net(), "stem", "bn", freeze_stats=False))
    assert {name for name in changed if name.startswith("bn.")} == {f"bn.{n}" for n in STATISTICS}


def test_half_a_frozen_norm_keeps_measuring() -> None:
    assert {f"bn.{name}" for name in STATISTICS} <= moved(frozen_by(Net(), "bn.bias"))


def test_all_but_the_head_moves_the_head_alone() -> None:
    assert moved(frozen_by(Net(), "all", "!head")) == {"head.weight", "head.bias"}


def test_norms_alone_learn_and_measure() -> None:
    changed = moved(frozen_by(Net(), "all_but_norms"))
    assert changed >= {f"{norm}.{name}" for norm in ("bn", "plain") for name in STATISTICS}
    assert {name.split(".")[0] for name in changed} == {"bn", "plain", "last"}


@pytest.mark.parametrize("old", [False, True])
def test_spectral_normalization_stands_still_with_its_weight(old: bool) -> None:
    def network() -> Net:
        net = Net()
        normalize = nn.utils.spectral_norm if old else parametrizations.spectral_norm
        net.stem = normalize(net.stem)
        return net

    changed = moved(frozen_by(network(), "spatial"))
    assert not {name for name in changed if name.startswith("stem.")}
    assert {name for name in moved(frozen_by(network(), "head")) if name.endswith("_u")}


def test_a_held_module_trains_what_is_inside_of_it() -> None:
    outer = nn.Sequential(nn.Dropout(), nn.Sequential(nn.Dropout()))
    hold(outer[1])
    outer.train()
    assert [outer[0].training, outer[1].training, outer[1][0].training] == [True, False, True]
    copied = copy.deepcopy(outer).train()
    assert is_held(copied[1])
    assert not copied[1].training
    assert copied[1][0].training


def test_the_report_says_what_learns() -> None:
    report = freeze(Net(), ["all_but_norms"])
    assert report.learns == "norms"
    assert report.learnable.count == 16 + 10
    assert report.buffers == []
    assert freeze(Net(), ["none"]).learns == "everything"
    assert freeze(Net(), ["all"]).learns == "nothing"
    assert freeze(Net(), ["all"]).statistics is True
    report = freeze(Net(), ["all", "!fraction", "!head"])
    assert report.learns == (
        "part of the spatial convolutions, part of the 1x1 convolutions, "
        "part of the linear layers, classifier"
    )
    assert {f"bn.{name}" for name in STATISTICS} <= set(report.buffers)
    assert "stem.weight" in report.learnable.names
    assert "stem.weight" in report.frozen.names


def test_the_fingerprint_sees_statistics_and_entries() -> None:
    from rbench.network.frozen import fingerprint

    frozen = frozen_by(Net(), "all", "!fraction")
    one = fingerprint(frozen.tensors())
    train(frozen)
    assert fingerprint(frozen.tensors()) == one
    frozen.network.bn.running_mean.add_(1e-7)  # type: ignore[operator, union-attr]
    other = fingerprint(frozen.tensors())
    assert other != one
    mask = frozen.fixed["stem.weight"]
    assert mask is not None
    with torch.no_grad():
        frozen.network.stem.weight[~mask] += 1  # type: ignore[index, operator, union-attr]
        assert fingerprint(frozen.tensors()) == other
        frozen.network.stem.weight[mask] += 1  # type: ignore[index, operator, union-attr]
    assert fingerprint(frozen.tensors()) != other


def test_what_is_fixed_follows_the_memory_format_of_its_parameter() -> None:
    frozen = frozen_by(Net(), "fraction")
    frozen.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    before = state(frozen.network)
    after = state(train(frozen))
    mask = frozen.fixed["stem.weight"]
    assert mask is not None
    assert torch.equal(before["stem.weight"][mask], after["stem.weight"][mask])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_a_mask_of_any_dtype_and_memory_format(
    dtype: torch.dtype, memory_format: torch.memory_format
) -> None:
    """Against ``where`` and ``masked_fill``; a gradient that is not finite is zeroed as well."""
    draws = torch.Generator().manual_seed(2)
    layer = nn.Conv2d(4, 6, 3).to(dtype)
    mask = torch.rand(layer.weight.shape, generator=draws) < 0.5
    before = layer.weight.detach().clone()
    frozen = Frozen(layer, {"weight": mask})
    layer.to(memory_format=memory_format)
    gradient = torch.randn(mask.shape, generator=draws).to(dtype)
    gradient[0] = float("nan")
    layer.weight.grad = gradient.clone()
    frozen.before_step()
    assert torch.equal(layer.weight.grad.isnan(), gradient.isnan() & ~mask)
    expected = gradient.masked_fill(mask, 0).nan_to_num(7)
    assert torch.equal(layer.weight.grad.nan_to_num(7), expected)
    with torch.no_grad():
        layer.weight.add_(1)
    frozen.after_step()
    assert torch.equal(layer.weight, torch.where(mask, before, before + 1))
    assert layer.weight.is_contiguous(memory_format=memory_format)
