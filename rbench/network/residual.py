"""Which layers lie on residual branches: read from the graph of one backward pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

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
    output = _forward(network, shape)
    found: set[str] = set()
    reach: dict[Any, frozenset[Any]] = {}
    for node in _nodes(output):
        if not node.name().startswith("AddBackward"):
            continue
        sides = [side for side, _ in node.next_functions if side is not None]
        if len(sides) != 2:
            continue
        one, other = (_reachable(side, reach) for side in sides)
        if not any(_is_image(n) for n in one & other):
            continue
        branches = [_layers(one - other, owners), _layers(other - one, owners)]
        most = max(len(branch) for branch in branches)
        for branch in branches:
            if len(branch) == most:
                found |= branch
    return found


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
