"""LSUV against its definition: unit variance of every layer's outputs, seen by hooks of our own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from rbench.api import to_spec
from rbench.network.build import build
from rbench.plugin.catalog import Catalog
from rbench.plugin.data import ImageData, MemoryImages
from rbench.spec.resolve import resolve

CATALOG = Catalog.from_environment()


def data() -> ImageData:
    draws = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (128, 3, 12, 12), generator=draws, dtype=torch.uint8)
    train = MemoryImages(pixels, torch.arange(128) % 10)
    return ImageData(
        name="noise",
        revision="0",
        in_chans=3,
        img_size=(12, 12),
        train=train,
        class_names=list("abcdefghij"),
    )


def network(**fields: Any) -> nn.Module:
    spec = to_spec({"init": "lsuv", "init_scope": "conv,linear", **fields})
    return build(resolve(spec, CATALOG), data(), print).network


TOLERANCE = 0.05


@pytest.fixture(scope="module")
def net() -> nn.Module:
    return network(model="resnet10t", init_kwargs={"tolerance": TOLERANCE}).eval()


@pytest.mark.slow
def test_every_layer_has_unit_variance_on_training_images(net: nn.Module) -> None:
    seen: dict[str, float] = {}
    for name, module in net.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(
                lambda m, a, out, name=name: seen.__setitem__(name, float(out.double().var()))
            )
    images = data().train.pixels / 255  # type: ignore[union-attr]
    with torch.no_grad():
        net((images - 0.5) / 0.5)
    assert len(seen) > 10
    assert all(value == pytest.approx(1, abs=TOLERANCE) for value in seen.values()), seen


def test_directions_are_those_of_orthogonal_weights(net: nn.Module) -> None:
    weight = net.conv1[0].weight.detach().flatten(1).double()  # type: ignore[index, operator, union-attr]
    gram = weight @ weight.T
    assert torch.allclose(gram / gram[0, 0], torch.eye(len(gram), dtype=torch.float64), atol=1e-5)


@pytest.mark.slow
def test_the_seed_decides() -> None:
    one, again, other = (
        network(model="resnet10t", seed=seed).conv1[0].weight  # type: ignore[index, operator, union-attr]
        for seed in (1, 1, 2)
    )
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
