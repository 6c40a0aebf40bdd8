"""Checks of initializers and freezing rules on small layers and networks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch
from torch import nn

from rbench.errors import UserError
from rbench.network.build import state_sha256
from rbench.network.freeze import select
from rbench.network.frozen import Frozen, FrozenWeightsMoved
from rbench.plugin.components import FreezingRule, Initializer
from rbench.plugin.layer import Layer, sees_layer
from rbench.plugin.options import Options
from rbench.seeds import generator, global_seed
from rbench.spec.freezing import Term
from rbench.testing.alone import alone

if TYPE_CHECKING:
    from torch import Tensor

    from rbench.network.frozen import Fixed


def check_initializer(initializer: Initializer, options: Options) -> Iterator[str]:
    """It fills weights of any shape with finite numbers, from its generator alone."""
    for index, shape in enumerate(((8, 4, 3, 3), (8, 1, 5, 5), (4, 8, 1, 1))):
        fan = shape[1] * shape[2] * shape[3]
        layer = Layer(name=f"layer{index}", index=index, count=3, fan_in=fan, fan_out=shape[0])
        more = [layer] if sees_layer(initializer.draw) else []
        drawn = []
        for globally in (0, 1):
            weight = torch.nn.Parameter(torch.full(shape, float("nan")))
            with global_seed(globally), alone() as complaints, torch.no_grad():
                initializer.draw(weight, generator(0, "testing"), options, *more)
            yield from complaints
            drawn.append(weight.detach())
        if not torch.equal(*drawn):
            yield f"the same generator draws other weights of shape {shape}, or not all of them"
        elif not drawn[0].isfinite().all():
            yield f"weights of shape {shape} are not finite"


def check_rule(rule: FreezingRule, options: Options) -> Iterator[str]:
    """It selects something, the same for a seed, and leaves the network as it is.

    What it selects then stays fixed over three steps of SGD with momentum and weight decay.
    """
    network = _network()
    before = state_sha256(network)
    term = Term(rule.name, rule=rule, options=options)
    found: list[Fixed] = []
    try:
        for globally in (0, 1):
            with global_seed(globally), alone() as complaints:
                found.append(select(network, term, 0))
            yield from complaints
    except UserError as error:
        yield str(error)
        return
    if not _same(*found):
        yield "the same seed selects something else"
    if state_sha256(network) != before:
        yield "it changes the network"
    if not all(parameter.requires_grad for parameter in network.parameters()):
        yield "it sets requires_grad itself; it has to return what stays fixed"
        return
    frozen = Frozen(network, found[0])
    learns = [parameter for parameter in network.parameters() if parameter.requires_grad]
    if learns:
        optimizer = torch.optim.SGD(learns, lr=0.1, momentum=0.9, weight_decay=0.1)
        images = torch.rand(4, 3, 16, 16, generator=generator(0, "testing"))
        network.train()
        for _ in range(3):
            network(images).square().mean().backward()
            frozen.before_step()
            optimizer.step()
            frozen.after_step()
            optimizer.zero_grad()
    try:
        frozen.check()
    except FrozenWeightsMoved:
        yield "what it selects does not stay fixed over three steps"


def _same(one: Fixed, other: Fixed) -> bool:
    def equal(a: Tensor | None, b: Tensor | None) -> bool:
        return a is b or (a is not None and b is not None and bool((a == b).all()))

    return one.keys() == other.keys() and all(equal(one[name], other[name]) for name in one)


def _network() -> nn.Module:
    """A spatial, a depthwise and a 1x1 convolution, norms and a classifier."""
    with global_seed(0, "testing"):
        return nn.Sequential(
            *(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU()),
            *(nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.Conv2d(8, 8, 1), nn.BatchNorm2d(8)),
            *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 10)),
        )
