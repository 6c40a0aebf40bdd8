"""Every model family of timm: what all,!head leaves to learn, and that all else stays still.

A sample runs by default; ``pytest -m on_demand tests/freezing/test_timm_families.py`` runs the
other families, which takes about twenty minutes, and for some of them more than 24 GiB of memory.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
import timm
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from rbench import classifier_parameters, generator, spatial_parameters
from rbench.network.draw import Drawing, WeightSampler
from rbench.network.frozen import Frozen
from rbench.network.kernels import mark_kernels
from rbench.plugin.components import Initializer
from rbench.plugin.layer import Layer
from rbench.plugin.options import NoOptions
from rbench.spec.resolve import Chosen
from rbench.spec.run_spec import RunSpec
from tests.helpers.freezing import CATALOG, freeze, frozen_by
from tests.helpers.timm_families import FAMILIES, NORMS_OF_HEADS, SHRUNK

SAMPLE = {"test_byobnet", "test_convnext", "test_nfnet", "test_resnet", "test_vit_relpos"}
ROWS = [
    pytest.param(name, marks=[] if name in SAMPLE else [pytest.mark.on_demand]) for name in FAMILIES
]


def test_the_sample_is_of_the_families() -> None:
    assert set(FAMILIES) >= SAMPLE
    assert len(FAMILIES) == len(set(FAMILIES)) > 90


def build(name: str) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return timm.create_model(name, num_classes=5, **SHRUNK.get(name, {}))


def classifier(name: str, network: Any) -> set[str]:
    """The classifier's parameters as timm's own table of pretrained weights names them.

    With the norms that belong to it, which that table leaves out.
    """
    heads = network.pretrained_cfg["classifier"]
    heads = {heads} if isinstance(heads, str) else set(heads)
    heads |= NORMS_OF_HEADS.get(name, set())
    names = [name for name, _ in network.named_parameters()]
    return {n for n in names if any(n.startswith(f"{head}.") or n == head for head in heads)}


def smallest_size(network: Any) -> tuple[int, int, int]:
    """Channels, height and width of the smallest images that timm says it takes."""
    config = network.pretrained_cfg
    size: tuple[int, int, int] = config["input_size"]
    return size if config.get("fixed_input_size") else config.get("min_input_size") or size


def fill_caches(network: Any) -> None:
    """A forward pass in eval mode: it computes what a network keeps in buffers as a cache.

    ConViT's relative positions are such a buffer, zeros of another shape until the first pass.
    """
    network.eval()
    with torch.no_grad():
        network(torch.zeros(1, *smallest_size(network)))


def three_steps(frozen: Frozen) -> None:
    network: Any = frozen.network
    size = smallest_size(network)
    draws = torch.Generator().manual_seed(1)
    learns = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(learns, lr=0.1, momentum=0.9, weight_decay=0.1)
    network.train()
    with torch.random.fork_rng():
        for _ in range(3):
            output = network(torch.randn(2, *size, generator=draws))
            outputs = output if isinstance(output, tuple | list) else [output]
            sum(o.square().sum() for o in outputs).backward()
            frozen.before_step()
            optimizer.step()
            frozen.after_step()
            optimizer.zero_grad()


def state(network: nn.Module) -> dict[str, Tensor]:
    every = (*network.named_parameters(), *network.named_buffers())
    return {name: tensor.detach().clone() for name, tensor in every}


@pytest.mark.parametrize("name", ROWS)
def test_all_but_the_head(name: str) -> None:
    network = build(name)
    expected = classifier(name, network)
    assert expected
    report = freeze(network, ["all", "!head"])
    assert set(report.learnable.names) == expected
    assert report.learns == "classifier"
    # A frozen tensor that is masked is as still as a whole one.
    frozen = frozen_by(build(name), "all", "!head", "!fraction")
    fill_caches(frozen.network)
    before = state(frozen.network)
    three_steps(frozen)
    after = state(frozen.network)
    for tensor, value in before.items():
        mask = frozen.fixed.get(tensor)
        if tensor in expected or tensor not in frozen.fixed:
            continue
        assert value.shape == after[tensor].shape, tensor
        same = value == after[tensor]
        assert bool((same if mask is None else same[mask]).all()), tensor
        assert mask is None or value.shape == mask.shape


@pytest.mark.parametrize("name", ROWS)
def test_depth_is_0_at_the_first_and_1_at_the_last_drawn_layer(name: str) -> None:
    seen: list[Layer] = []

    def draw(weight: Tensor, generator: Any, options: Any, layer: Layer) -> None:
        seen.append(layer)

    sampler = WeightSampler(Chosen(Initializer(name="n", summary="N.", draw=draw), NoOptions()), 0)
    drawing = Drawing(build(name), RunSpec(model="m", init="n", init_scope="all"), (3, 32, 32))
    drawing.draw(sampler, drawing.chosen)
    assert [layer.index for layer in seen] == list(range(len(seen)))
    assert (seen[0].depth, seen[-1].depth) == (0, 1)
    assert [layer.is_last for layer in seen] == [False] * (len(seen) - 1) + [True]
    assert all(a.depth < b.depth for a, b in itertools.pairwise(seen))


class Convolved(TorchFunctionMode):
    """Collects the leaves that the weights and biases of all ``F.conv*`` were computed from."""

    def __init__(self) -> None:
        super().__init__()
        self.leaves: set[int] = set()

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if getattr(function, "__name__", "").startswith("conv") and function in CONVOLUTIONS:
            given = [*args[1:3], *((kwargs or {}).get(name) for name in ("weight", "bias"))]
            self.leaves |= {leaf for t in given if isinstance(t, Tensor) for leaf in leaves(t)}
        return function(*args, **(kwargs or {}))


CONVOLUTIONS = {
    *(F.conv1d, F.conv2d, F.conv3d),
    *(F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d),
}


def leaves(tensor: Tensor) -> Iterator[int]:
    if tensor.grad_fn is None:
        yield id(tensor)
        return
    seen, waiting = set(), [tensor.grad_fn]
    while waiting:
        node: Any = waiting.pop()
        seen.add(node)
        if hasattr(node, "variable"):
            yield id(node.variable)
        waiting += [n for n, _ in node.next_functions if n is not None and n not in seen]


def convolutions_differ(name: str) -> tuple[set[str], set[str]]:
    """Parameters that convolve and that no rule takes for it; that a rule takes and that do not."""
    network = build(name).eval()
    shape = smallest_size(network)
    mark_kernels(network, shape, lambda text: None)
    rules = [CATALOG.freezing_rule(rule) for rule in ("pointwise", "depthwise")]
    taken = spatial_parameters(network) | {
        tensor
        for rule in rules
        for tensor in rule.select(network, generator(0, "rule"), rule.options())
    }
    called: set[str] = set()
    for prefix, module in network.named_modules():
        module.register_forward_pre_hook(lambda *_, prefix=prefix: called.add(prefix))
    with Convolved() as watch:
        network(torch.rand(1, *shape, generator=torch.Generator().manual_seed(0)))
    used = {n for n, p in network.named_parameters() if id(p) in watch.leaves}
    # What the forward pass leaves out (an auxiliary classifier) is a convolution all the same.
    idle = {n for n in taken - used if n.rpartition(".")[0] not in called}
    return used - taken - classifier_parameters(network), taken - used - idle


@pytest.mark.parametrize("name", ROWS)
def test_what_convolves_is_what_the_rules_take_for_convolutions(name: str) -> None:
    """Against all calls of ``torch.nn.functional.conv*`` in one forward pass."""
    assert convolutions_differ(name) == (set(), set())
