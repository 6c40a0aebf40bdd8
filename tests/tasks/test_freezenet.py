"""FreezeNet and SNIP: scores against a formula, and what does not learn stays bit by bit."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from rbench_plugins.tasks.functions.freezenet import choose, saliencies
from torch import nn

from rbench import Batch, generator
from rbench.network.frozen import Frozen, FrozenWeightsMoved
from tests.conftest import Rbench


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))


def test_the_largest_scores_over_the_whole_network_learn() -> None:
    draws = generator(0, "scores")
    scores = {
        "0.weight": torch.rand(8, 6, generator=draws),
        "3.weight": 10 + torch.rand(3, 8, generator=draws),
    }
    masks = choose(scores, 24 / 72)
    assert masks["0.weight"].all()
    assert not masks["3.weight"].any()
    learns = ~choose(scores, 30 / 72)["0.weight"]
    assert int(learns.sum()) == 6
    assert scores["0.weight"][learns].min() > scores["0.weight"][~learns].max()


def test_entries_that_the_engine_fixes_are_neither_scored_nor_counted() -> None:
    scores = {"a": torch.tensor([[9.0, 8.0], [7.0, 1.0]]), "b": torch.tensor([[6.0, 2.0]])}
    free = {"a": torch.tensor([[False, True], [False, True]]), "b": torch.ones(1, 2).bool()}
    masks = choose(scores, 0.5, free)
    assert masks["a"].tolist() == [[False, False], [False, True]]
    assert masks["b"].tolist() == [[False, True]]


@pytest.mark.parametrize("optimizer_name", ["SGD", "Adam", "AdamW"])
def test_entries_stay_under_any_optimizer(optimizer_name: str) -> None:
    net = network()
    scores = {n: torch.rand(p.shape) for n, p in net.named_parameters() if p.ndim > 1}
    parameters = dict(net.named_parameters())
    masks = choose(scores, 0.25)
    before = {n: parameters[n].detach().clone() for n in masks}
    keep = Frozen(net, {"0.bias": None, "3.weight": torch.eye(3, 8) == 1})
    keep.fix(masks)
    masks["3.weight"] = masks["3.weight"] | (torch.eye(3, 8) == 1)
    options = {"momentum": 0.9} if optimizer_name == "SGD" else {}
    optimizer = getattr(torch.optim, optimizer_name)(
        net.parameters(), 0.1, weight_decay=0.1, **options
    )
    for _ in range(5):
        optimizer.zero_grad()
        net(torch.rand(16, 6)).square().sum().backward()
        keep.before_step()
        optimizer.step()
        keep.after_step()
    for name, mask in masks.items():
        assert torch.equal(parameters[name][mask], before[name][mask])
        assert not torch.equal(parameters[name], before[name])
    keep.check()
    assert keep.ever_learning() == []
    assert keep.fixed_entries().keys() == masks.keys()
    assert all(torch.equal(keep.fixed_entries()[n], mask) for n, mask in masks.items())
    assert not keep.begin_epoch(0)
    with torch.no_grad():
        parameters["3.weight"][0, 0] += 1
    with pytest.raises(FrozenWeightsMoved):
        keep.check()


def test_what_a_task_fixed_stays_when_a_later_epoch_lets_the_tensor_learn() -> None:
    net = network()
    keep = Frozen(net, {"0.weight": None, "3.weight": None}, stages={1: {"0.weight": None}})
    chosen = torch.zeros(8, 6, dtype=torch.bool)
    chosen[0] = True
    keep.fix({"0.weight": chosen})
    assert keep.fixed_entries() == {}
    assert keep.begin_epoch(1)
    assert keep.fixed_entries().keys() == {"0.weight"}
    assert torch.equal(keep.fixed_entries()["0.weight"], chosen)
    assert torch.equal(keep.entries()["0.weight"], chosen)
    keep.check()


def run(rbench: Rbench, output: str, *options: str, freeze: str = "none") -> dict[str, object]:
    words = ["run", "--task", "freezenet", "--model", "resnet_cifar_8_8", "--dataset", "digits"]
    words += ["--epochs", "2", "--metrics", "top1", "cost", "--device", "cpu", "--freeze", freeze]
    words += ["--output", output, "--save-weights", "--task-kwargs", "learn=0.05", *options]
    done = rbench(*words)
    assert done.returncode == 0, done.stderr
    (path,) = Path.cwd().joinpath(output).glob("*.json")
    found: dict[str, object] = json.loads(path.read_text())
    return found


def measure(rbench: Rbench, folder: str) -> dict[str, object]:
    output = f"{folder}-again"
    done = rbench("measure", folder, "--metrics", "top5", "--output", output, "--device", "cpu")
    assert done.returncode == 0, done.stderr
    (path,) = Path.cwd().joinpath(output).glob("*.json")
    found: dict[str, object] = json.loads(path.read_text())
    return found


@pytest.mark.slow
def test_the_task_trains_few_weights_and_prunes_or_keeps_the_rest(rbench: Rbench) -> None:
    from safetensors.torch import load_file

    for output, options in (
        ("kept", ()),
        ("pruned", ("pruned=true",)),
        ("drawn", ("random=true",)),
    ):
        record = run(rbench, output, *options)
        details = record["details"]
        assert isinstance(details, dict)
        assert details["weights_that_learn"] == round(0.05 * details["weights"])
        # Norms and the classifier's bias learn, too.
        cost = {m["name"]: m["value"] for m in cast(Any, record["metrics"])}
        others = cost["stored_parameters"] - details["weights"]
        assert cost["learnable_parameters"] == details["weights_that_learn"] + others
        freeze = cast(Any, record["freeze"])
        assert freeze["learnable"]["count"] == cost["learnable_parameters"]
        assert freeze["frozen"]["count"] == details["weights"] - details["weights_that_learn"]
        assert freeze["learns"].startswith("part of the spatial convolutions, ")
        assert freeze["frozen"]["sha256"] == freeze["sha256_after"] is not None
        (weights,) = Path.cwd().joinpath(output).glob("*/weights.safetensors")
        state = load_file(weights)
        zeros = sum(int((w == 0).sum()) for n, w in state.items() if w.ndim > 1)
        if output == "pruned":
            assert zeros == details["weights"] - details["weights_that_learn"]
        else:
            assert zeros == 0
        measured = measure(rbench, output)
        same = ("result_sha256", "network_sha256", "freeze", "details", "history")
        assert {k: measured[k] for k in same} == {k: record[k] for k in same}


@pytest.mark.slow
def test_what_the_engine_freezes_is_not_counted(rbench: Rbench) -> None:
    record = run(rbench, "frozen", freeze="spatial")
    details = record["details"]
    assert isinstance(details, dict)
    # Two 1x1 shortcuts (8 x 16, 16 x 32) and the classifier (32 x 10).
    assert details["weights"] == 8 * 16 + 16 * 32 + 32 * 10
    freeze = record["freeze"]
    assert isinstance(freeze, dict)
    assert freeze["frozen"]["sha256"] == freeze["sha256_after"]


@pytest.mark.slow
def test_single_entries_that_the_engine_freezes_stay_and_are_not_counted(rbench: Rbench) -> None:
    words = ["pruned=true", "--freeze-kwargs", "fraction.p=0.5", "fraction.unit=weight"]
    details = cast(Any, run(rbench, "entries", *words, freeze="fraction")["details"])
    whole = cast(Any, run(rbench, "whole")["details"])
    assert details["weights"] == pytest.approx(whole["weights"] / 2, rel=0.2)
    assert details["weights_that_learn"] == round(0.05 * details["weights"])


def test_scores_are_the_sensitivity_to_a_factor_on_each_weight() -> None:
    """SNIP's definition: |d loss / d c| at c = 1, where c multiplies one weight."""
    net = network().eval().double()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    images = torch.rand(16, 6, 1, 1, dtype=torch.float64, generator=generator(0, "x"))
    labels = torch.arange(16) % 3
    context = SimpleNamespace(
        network=nn.Sequential(nn.Flatten(), net),
        device=torch.device("cpu"),
        training=None,
        data=SimpleNamespace(mean=(0.0,), std=(1.0,)),
        training_batches=lambda: SimpleNamespace(epoch=lambda number: [Batch(images, labels)]),
    )
    scores = saliencies(cast("Any", context))
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    net.train()

    def loss() -> float:
        with torch.no_grad():
            return nn.functional.cross_entropy(net(images.flatten(1)), labels).item()

    step = 1e-5
    for name, layer in (("1.0.weight", net[0]), ("1.3.weight", net[3])):
        for entry in ((0, 0), (2, 5)):
            value = layer.weight[entry].item()
            losses = []
            for sign in (1, -1):
                with torch.no_grad():
                    layer.weight[entry] = value * (1 + sign * step)
                losses.append(loss())
            with torch.no_grad():
                layer.weight[entry] = value
            sensitivity = abs(losses[0] - losses[1]) / (2 * step)
            assert float(scores[name][entry]) == pytest.approx(sensitivity, rel=1e-4, abs=1e-9)


def lc_run(rbench: Rbench, *options: str) -> Any:
    """Frozen LC-blocks of expansion 8 under the task's default execution, auto."""
    words = ["run", "--task", "freezenet", "--model", "resnet_lc_8_8x8", "--dataset", "digits"]
    words += ["--freeze", "spatial", "--epochs", "1", "--device", "cpu", "--limit", "64"]
    return rbench(*words, "--batch-size", "32", "--task-kwargs", "learn=0.05", *options)


def test_weights_of_lc_blocks_are_chosen_only_where_they_are_kept(rbench: Rbench) -> None:
    done = lc_run(rbench)
    assert done.returncode == 2, done.stderr
    assert "choosing single weights: conv1.weight stands for other numbers" in done.stderr
    assert "--model-kwargs execution=folded" in done.stderr
    done = lc_run(rbench, "--model-kwargs", "execution=folded", "--output", "folded")
    assert done.returncode == 0, done.stderr
    (path,) = Path.cwd().joinpath("folded").glob("*.json")
    details = json.loads(path.read_text())["details"]
    # The 1x1 weights of 7 LC-blocks, c_out times 8 c_out, two shortcuts and the classifier.
    pointwise = 8 * (8**2 * 3 + 16**2 * 2 + 32**2 * 2)
    assert details["weights"] == pointwise + 8 * 16 + 16 * 32 + 32 * 10
