"""Folding replaces layers by their plainer forms in a copy, and nothing else."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rbench import folded


class Doubled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return 2 * self.inner(x)

    def folded(self) -> nn.Module:
        plain = nn.Linear(3, 2)
        with torch.no_grad():
            plain.weight.copy_(2 * self.inner.weight)
            plain.bias.copy_(2 * self.inner.bias)
        return plain


def test_foldable_layers_are_replaced_in_a_copy() -> None:
    network = nn.Sequential(nn.Linear(3, 3), nn.Sequential(Doubled(), nn.ReLU())).eval()
    plain = folded(network)
    x = torch.randn(4, 3)
    torch.testing.assert_close(plain(x), network(x))
    assert set(plain.state_dict()) == {"0.weight", "0.bias", "1.0.weight", "1.0.bias"}
    assert not plain.get_submodule("1.0").training
    assert isinstance(network.get_submodule("1.0"), Doubled)
    with torch.no_grad():
        plain.get_submodule("0").weight.zero_()
    assert network.get_submodule("0").weight.abs().sum() > 0
