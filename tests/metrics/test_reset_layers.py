"""Which tensors a layer is reset by, and that they come back."""

from __future__ import annotations

import torch
from rbench_plugins.criticality.reset import layers, reset
from torch import nn


def test_layers_that_share_a_weight_are_reset_by_it() -> None:
    class Tied(nn.Module):
        def __init__(self, bias: bool) -> None:
            super().__init__()
            self.one, self.two = (nn.Conv2d(4, 4, 3, bias=bias) for _ in range(2))
            self.two.weight = self.one.weight

    found = {layer.name: layer.tensors for layer in layers(Tied(bias=True))}
    assert found == {"one": ("one.weight", "one.bias"), "two": ("one.weight", "two.bias")}
    network, other = Tied(bias=False), Tied(bias=False)
    (only,) = layers(network)
    before = network.two.weight.detach().clone()
    with reset(network, only, other):
        assert torch.equal(network.two.weight, other.one.weight)
    assert torch.equal(network.two.weight, before)
