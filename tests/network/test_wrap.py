"""Layers that are replaced, and weights that are computed, in networks that exist already."""

from __future__ import annotations

import pytest
import timm
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from rbench import folded, generator, reparametrize, replace_layers, spatial_filters
from rbench.network.build import state_sha256
from rbench.network.wrap import stored_weight, weight_layers
from tests.helpers.freezing import freeze


class Doubled(nn.Module):
    """Twice the weight that is kept, plus a learnable constant."""

    def __init__(self) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.ones(()))

    def forward(self, original: Tensor) -> Tensor:
        return 2 * original + self.shift


def small() -> nn.Sequential:
    shared = nn.Conv2d(4, 4, 1)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), shared, nn.BatchNorm2d(4), shared, nn.Flatten(),
        nn.Linear(4 * 36, 5),
    )  # fmt: skip


def test_every_layer_with_a_weight_matrix_comes_once() -> None:
    layers = list(weight_layers(small()))
    assert [layer.names for layer in layers] == [["0"], ["1", "3"], ["5"]]


def test_a_layer_used_twice_is_replaced_at_both_places() -> None:
    network = small()
    new = nn.Conv2d(4, 4, 1)
    replaced = replace_layers(network, lambda _, name: new if name == "1" else None)
    assert replaced == ["1"]
    assert network[1] is new
    assert network[3] is new


def test_a_computed_weight_is_what_the_layer_uses_and_what_metrics_see() -> None:
    network, plain = small(), small()
    plain.load_state_dict(network.state_dict())
    changed = reparametrize(
        network, lambda layer, _: Doubled() if isinstance(layer, nn.Conv2d) else None
    )
    assert changed == ["0", "1"]
    with torch.no_grad():
        for index in (0, 1):
            weight = stored_weight(plain[index])
            weight.mul_(2).add_(1)
    x = torch.rand(2, 3, 6, 6, generator=generator(0, "x"))
    torch.testing.assert_close(network.eval()(x), plain.eval()(x), rtol=0, atol=0)
    (spatial,) = spatial_filters(network)
    assert torch.equal(spatial.weight, plain[0].weight)
    network(x).sum().backward()
    assert all(p.grad is not None for p in network.parameters())


def test_a_computed_weight_folds_into_a_plain_one() -> None:
    network = small()
    names = set(network.state_dict())
    reparametrize(network, lambda layer, name: Doubled())
    x = torch.rand(2, 3, 6, 6, generator=generator(0, "x"))
    before, state = network.eval()(x), state_sha256(network)
    plain = folded(network)
    assert set(plain.state_dict()) == names
    assert not any(parametrize.is_parametrized(module) for module in plain.modules())
    torch.testing.assert_close(plain(x), before, rtol=0, atol=0)
    assert state_sha256(network) == state
    torch.testing.assert_close(network(x), before, rtol=0, atol=0)


def test_freezing_the_spatial_filters_freezes_all_that_they_are_computed_from() -> None:
    network = small()
    reparametrize(network, lambda layer, name: Doubled())
    frozen = freeze(network, ["spatial"]).frozen.names
    assert set(frozen) == {
        "0.bias", "0.parametrizations.weight.original", "0.parametrizations.weight.0.shift",
    }  # fmt: skip


@pytest.mark.slow
def test_weight_standardized_layers_and_weights_read_by_others_are_reached() -> None:
    """NF-ResNet's convolution computes with its weight itself; BEiT reads ``qkv.weight``."""
    for name, size in (("nf_resnet26", 32), ("beit_base_patch16_224", 224)):
        network = timm.create_model(name, num_classes=3, **({"depth": 1} if size > 32 else {}))
        plain = timm.create_model(name, num_classes=3, **({"depth": 1} if size > 32 else {}))
        plain.load_state_dict(network.state_dict())
        changed = reparametrize(network, lambda layer, name: Doubled())
        assert changed
        with torch.no_grad():
            for layer in weight_layers(plain):
                stored_weight(layer.module).mul_(2).add_(1)
        x = torch.rand(1, 3, size, size, generator=generator(0, "x"))
        torch.testing.assert_close(network.eval()(x), plain.eval()(x), rtol=1e-4, atol=1e-4)
