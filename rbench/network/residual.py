"""Which layers lie on residual branches, and which end them: read from a backward pass's graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from rbench.errors import UserError, printable


def residual_layers(
    network: nn.Module, owners: Mapping[int, str], shape: tuple[int, ...]
) -> set[str]:
    """Names of the layers whose output is added to something that bypasses them.

    ``owners`` says by the ``id`` of each parameter which layer it belongs to; ``shape`` is that
    of one image (C, H, W). For each sum of two tensors that come from the image, the layers that
    lead to one of them only are on a branch, and the branch with more of them is the residual one.
    UserError where the network does not take an image.
    """
    graph = _Graph(_forward(network, shape), owners)
    return {name for branch in graph.branches() for name in branch.layers}


def last_layers(network: nn.Module, owners: Mapping[int, str], shape: tuple[int, ...]) -> set[str]:
    """Names of the layers that end a residual branch: no other one follows before the sum.

    ``owners`` names the layers that count, as in :func:`residual_layers`. Where a gate multiplies
    the branch (squeeze and excitation), the layer is the one that the gate looks at. A branch
    that several parallel layers end has them all.
    """
    graph = _Graph(_forward(network, shape), owners)
    return {name for branch in graph.branches() for name in graph.last_of(branch)}


class _Branch(NamedTuple):
    """One side of a sum: its last node, what it does not share with the other side, its layers."""

    end: Any
    nodes: frozenset[Any]
    layers: set[str]


class _Graph:
    """The nodes that an output was computed by."""

    def __init__(self, output: Tensor, owners: Mapping[int, str]) -> None:
        self.output, self.owners = output, owners
        self.reach: dict[Any, frozenset[Any]] = {}

    def branches(self) -> Iterator[_Branch]:
        """Of each sum of two tensors that come from the image, the side with more layers."""
        for node in _nodes(self.output):
            if not node.name().startswith("AddBackward"):
                continue
            sides = [side for side, _ in node.next_functions if side is not None]
            if len(sides) != 2:
                continue
            one, other = (_reachable(side, self.reach) for side in sides)
            if not any(_is_image(n) for n in one & other):
                continue
            found = [
                _Branch(end, nodes, _layers(nodes, self.owners))
                for end, nodes in zip(sides, (one - other, other - one), strict=True)
            ]
            most = max(len(branch.layers) for branch in found)
            yield from (branch for branch in found if len(branch.layers) == most)

    def last_of(self, branch: _Branch) -> set[str]:
        """The layers of ``branch`` that no other one of it follows."""
        ends: dict[Any, set[str]] = {}
        seen, waiting = set(), [branch.end]
        while waiting:
            node = waiting.pop()
            if node in seen or node not in branch.nodes:
                continue
            seen.add(node)
            own = self._weights_of(node)
            if own:
                ends[node] = own
            else:
                waiting += [following for following, _ in node.next_functions]
        return {
            name
            for node, names in ends.items()
            if not any(other in _reachable(node, self.reach) for other in ends if other is not node)
            for name in names
        }

    def _weights_of(self, node: Any) -> set[str]:
        """The layers whose weights ``node`` applies to something that comes from the image."""
        inputs = [_reachable(child, self.reach) for child, _ in node.next_functions if child]
        own = [nodes for nodes in inputs if not any(map(_is_image, nodes))]
        if len(own) == len(inputs):
            return set()
        return {name for nodes in own for name in _layers(nodes, self.owners)}


def _forward(network: nn.Module, shape: tuple[int, ...]) -> Tensor:
    training, learns = network.training, [p.requires_grad for p in network.parameters()]
    network.eval().requires_grad_(True)
    image = torch.zeros(1, *shape, requires_grad=True)
    image.rbench_image = True  # type: ignore[attr-defined]
    try:
        with torch.enable_grad():
            output = network(image)
    except Exception as error:
        raise UserError(
            f"the initializer asks which layers are residual, and the network does not take an "
            f"image of {tuple(shape)}: {printable(error, 120)}"
        ) from error
    finally:
        network.train(training)
        for parameter, learn in zip(network.parameters(), learns, strict=True):
            parameter.requires_grad_(learn)
    found = output if isinstance(output, tuple | list) else [output]
    return next(t for t in found if isinstance(t, Tensor))


def _is_image(node: Any) -> bool:
    return hasattr(getattr(node, "variable", None), "rbench_image")


def _nodes(output: Tensor) -> Iterator[Any]:
    seen, waiting = set(), [output.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        yield node
        waiting += [following for following, _ in node.next_functions]


def _reachable(node: Any, known: dict[Any, frozenset[Any]]) -> frozenset[Any]:
    """``node`` and all that it was computed from."""
    if node not in known:
        seen, waiting = set(), [node]
        while waiting:
            here = waiting.pop()
            if here is None or here in seen:
                continue
            seen.add(here)
            waiting += [following for following, _ in here.next_functions]
        known[node] = frozenset(seen)
    return known[node]


def _layers(nodes: frozenset[Any], owners: Mapping[int, str]) -> set[str]:
    found = (owners.get(id(getattr(node, "variable", None))) for node in nodes)
    return {name for name in found if name is not None}
