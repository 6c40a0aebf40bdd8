"""Options of a recipe against the same training by hand."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

import rbench as rb
from rbench.errors import UserError
from rbench.plugin.data import Batch
from rbench.plugin.recipe import Training
from rbench.runner.batches import training_batches
from rbench.runner.distributed import sync_batch_norms
from rbench.runner.optimizer import make_optimizer, make_scheduler, unused_options
from rbench.runner.training import train
from tests.runner.test_training import CPU, context, data, linear, mean_square, recipe


def trained(network: nn.Module, training: Training) -> nn.Module:
    batches = training_batches(data(), training, seed=0, device=CPU)
    train(network, batches, mean_square, context(training))
    return network


def by_hand(
    network: nn.Module,
    training: Training,
    optimizer: torch.optim.Optimizer,
    step: Callable[[Batch], None],
) -> nn.Module:
    """Two epochs in the order of rbench's batches, at a constant rate."""
    batches = training_batches(data(), training, seed=0, device=CPU)
    for epoch in range(training.epochs):
        for batch in batches.epoch(epoch):
            optimizer.zero_grad()
            step(batch)
            optimizer.step()
    return network


def equal(a: nn.Module, b: nn.Module, atol: float = 1e-6) -> bool:
    pairs = zip(a.state_dict().values(), b.state_dict().values(), strict=True)
    return all(torch.allclose(x, y, atol=atol) for x, y in pairs)


def test_clip_grad_clips_the_norm_over_all_parameters() -> None:
    training = recipe(clip_grad=0.05, sched="none", momentum=0.0, lr=0.1)
    reference = linear()
    norms = []

    def step(batch: Batch) -> None:
        mean_square(reference, batch).backward()
        norms.append(float(nn.utils.clip_grad_norm_(reference.parameters(), 0.05)))

    by_hand(reference, training, torch.optim.SGD(reference.parameters(), lr=0.1), step)
    assert equal(trained(linear(), training), reference)
    assert max(norms) > 0.05, "nothing was clipped"


def test_opt_eps_and_opt_betas_reach_the_optimizer() -> None:
    training = recipe(opt="adamw", opt_eps=1e-2, opt_betas=(0.5, 0.8), sched="none")
    reference = linear()
    adam = torch.optim.AdamW(
        reference.parameters(), lr=0.01, eps=1e-2, betas=(0.5, 0.8), weight_decay=0.0
    )
    by_hand(reference, training, adam, lambda batch: mean_square(reference, batch).backward())
    network = trained(linear(), training)
    assert equal(network, reference)
    assert not equal(network, trained(linear(), recipe(opt="adamw", sched="none")))


def test_options_that_the_optimizer_lacks_are_noted() -> None:
    training = recipe(opt="sgd", opt_eps=1e-3, opt_betas=(0.9, 0.99))
    ready = context(training)
    notes: list[str] = []
    ready.note = notes.append
    batches = training_batches(data(), training, seed=0, device=CPU)
    train(linear(), batches, mean_square, ready)
    assert [note.split()[0] for note in notes] == ["opt_eps", "opt_betas"]
    assert not unused_options(linear(), recipe(opt="adamw", opt_eps=1e-3, opt_betas=(0.9, 0.99)))
    assert unused_options(linear(), recipe(opt="adamw", momentum=0.8))
    assert not unused_options(linear(), recipe(opt="adamw"))


@pytest.mark.parametrize("name", ["sgd", "nesterov", "momentum", "sgdw"])
def test_sgd_without_momentum_is_gradient_descent(name: str) -> None:
    """torch refuses Nesterov's form, which is timm's default, without momentum."""
    reference = linear()
    training = recipe(opt=name, momentum=0.0, sched="none")
    sgd = torch.optim.SGD(reference.parameters(), lr=0.01)
    by_hand(reference, training, sgd, lambda batch: mean_square(reference, batch).backward())
    assert equal(trained(linear(), training), reference)


def test_what_the_optimizer_refuses_is_one_line() -> None:
    with pytest.raises(UserError, match="--opt adamw: Invalid beta parameter"):
        make_optimizer(linear(), recipe(opt="adamw", opt_betas=(0.9, 2.0)))


@pytest.mark.parametrize("apart", [True, False])
def test_filter_bias_and_bn_spares_vectors_weight_decay(apart: bool) -> None:
    """At a gradient of zero, weight decay of 0.5 at rate 0.1 leaves 1 - 0.05 of a parameter."""
    network = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))
    before = {name: value.detach().clone() for name, value in network.named_parameters()}
    training = recipe(lr=0.1, momentum=0.0, weight_decay=0.5, filter_bias_and_bn=apart)
    optimizer = make_optimizer(network, training)
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for name, parameter in network.named_parameters():
        kept = 1.0 if apart and parameter.ndim == 1 else 0.95
        assert torch.allclose(parameter, before[name] * kept), name


def rates(training: Training, steps: int) -> Iterator[float]:
    optimizer = make_optimizer(linear(), training)
    scheduler = make_scheduler(optimizer, training, steps)
    for step in range(steps * training.epochs):
        scheduler.step_update(step)
        yield optimizer.param_groups[0]["lr"]


def test_warmup_lr_and_min_lr_are_the_ends_of_the_schedule() -> None:
    training = recipe(
        epochs=6, lr=0.1, warmup_epochs=2, warmup_lr=0.01, min_lr=0.02, sched="cosine"
    )
    steps = 5
    for step, rate in enumerate(rates(training, steps)):
        if step < 2 * steps:
            expected = 0.01 + (0.1 - 0.01) * step / (2 * steps)
        else:
            # timm's cosine goes on beneath the warmup: it starts at step 0, not at its end.
            expected = 0.02 + 0.5 * (0.1 - 0.02) * (1 + math.cos(math.pi * step / (6 * steps)))
        assert rate == pytest.approx(expected), step


def test_decay_epochs_and_decay_rate_are_the_stairs_of_sched_step() -> None:
    training = recipe(epochs=7, lr=0.1, sched="step", decay_epochs=2, decay_rate=0.3)
    steps = 5
    for step, rate in enumerate(rates(training, steps)):
        assert rate == pytest.approx(0.1 * 0.3 ** (step // (2 * steps))), step


def poly(step: int, steps: int) -> float:
    return (1 - step / steps) ** 0.5


@pytest.mark.parametrize(
    ("option", "shape"),
    [
        ({"sched": "poly", "decay_rate": 0.5}, poly),
        ({"sched": "none"}, lambda step, steps: 1.0),
        ({"sched": "cosine"}, lambda step, steps: 0.5 * (1 + math.cos(math.pi * step / steps))),
    ],
)
def test_schedules_follow_their_formula(
    option: dict[str, object], shape: Callable[[int, int], float]
) -> None:
    training = recipe(epochs=3, lr=0.1, **option)
    for step, rate in enumerate(rates(training, 5)):
        assert rate == pytest.approx(0.1 * shape(step, 15)), step


@pytest.mark.parametrize(("model", "noted"), [("test_resnet", False), ("resnet_cifar", True)])
def test_drop_path_is_noted_where_there_is_no_path_to_drop(
    model: str, noted: bool, tmp_path: Path
) -> None:
    (record,) = rb.run(
        model=model,
        dataset="digits",
        limit=64,
        metrics=[],
        output=tmp_path,
        epochs=1,
        drop_path=0.3,
    )
    assert any("drop_path = 0.3 has no effect" in note for note in record.notes) is noted


def test_sync_bn_needs_gpus() -> None:
    with pytest.raises(UserError, match="--sync-bn needs GPUs"):
        sync_batch_norms(nn.Sequential(nn.BatchNorm2d(3)), context(recipe(sync_bn=True)))


@pytest.mark.slow
def test_a_compiled_step_trains_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[nn.Module] = []
    real = torch.compile
    monkeypatch.setattr(torch, "compile", lambda module: compiled.append(module) or real(module))
    pair = [trained(linear(), recipe(torchcompile=asked)) for asked in (True, False)]
    assert len(compiled) == 1
    assert equal(*pair)
    assert type(pair[0]) is nn.Linear


@pytest.mark.slow
def test_without_a_compiler_torchcompile_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """In a process of its own: torch keeps what it found out about the compiler."""
    monkeypatch.setenv("CXX", str(tmp_path / "none"))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))
    line = "run --model resnet_cifar --dataset digits --limit 64 --epochs 1 --metrics top1"
    ended = subprocess.run(
        [sys.executable, "-m", "rbench", *line.split(), "--torchcompile"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 2
    last = ended.stderr.strip().splitlines()[-1]
    assert last.startswith("rbench: --torchcompile: torch.compile failed: ")
    assert "C++ compiler" in last
