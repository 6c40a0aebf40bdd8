"""LSUV against its definition: unit variance of every layer's outputs, seen by hooks of our own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from rbench_plugins.initializers.functions import lsuv
from rbench_plugins.initializers.lsuv import LSUVOptions
from torch import Tensor, nn
from torch.nn.utils import parametrizations, spectral_norm, weight_norm

from rbench import Layer, UserError
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


def variances(network: nn.Module, images: Tensor) -> dict[str, float]:
    seen: dict[str, float] = {}
    handles = [
        module.register_forward_hook(
            lambda m, a, out, name=name: seen.__setitem__(name, float(out.double().var()))
        )
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear)
    ]
    with torch.no_grad():
        network(images)
    for handle in handles:
        handle.remove()
    return seen


def test_layers_under_a_mask_have_unit_variance() -> None:
    net = network(model="supermask_resnet_cifar_8_16", init_kwargs={"tolerance": TOLERANCE})
    images = (data().train.pixels / 255 - 0.5) / 0.5  # type: ignore[union-attr]
    seen = variances(net.eval(), images)
    assert len(seen) > 7
    assert all(value == pytest.approx(1, abs=TOLERANCE) for value in seen.values()), seen


def fitted(layer: nn.Module) -> dict[str, float]:
    draws = torch.Generator().manual_seed(0)
    net = nn.Sequential(layer).eval()
    images = 3 * torch.randn(8, 3, 9, 9, generator=draws)
    with torch.no_grad():
        lsuv.fit(net, [images], LSUVOptions(tolerance=1e-3), [Layer(name="0")])
    return variances(net, images)


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("computed", [weight_norm, parametrizations.weight_norm])
def test_weight_normalized_layers_have_unit_variance(computed: Any) -> None:
    assert fitted(computed(nn.Conv2d(3, 8, 3)))["0"] == pytest.approx(1, abs=1e-3)


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("computed", [spectral_norm, parametrizations.spectral_norm])
def test_weights_without_a_scale_are_refused(computed: Any) -> None:
    with pytest.raises(UserError, match="outputs of 0 do not depend on the scale of its weight"):
        fitted(computed(nn.Conv2d(3, 8, 3, bias=False)))


def test_a_tolerance_below_rounding_ends_with_the_trials() -> None:
    draws = torch.Generator().manual_seed(0)
    net, images = nn.Sequential(nn.Conv2d(3, 8, 3)), torch.randn(8, 3, 9, 9, generator=draws)
    with torch.no_grad():
        lsuv.fit(net, [images], LSUVOptions(tolerance=1e-12), [Layer(name="0")])
    assert variances(net, images)["0"] == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("resnet_lc_8_16x2", "the filters conv1/0 are the model's own to draw"),
        ("efficientnet_cc_b0_4e", r"conv_dw.weight\[0\] belongs to another kind of layer"),
    ],
)
def test_what_it_cannot_scale_is_refused(model: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        network(model=model)


def test_no_further_network_is_drawn_without_being_adjusted() -> None:
    net: Any = network(model="rrvgg", init_scope="spatial", model_kwargs={"depth": 1, "width": 4})
    with pytest.raises(UserError, match="further networks of this kind cannot be drawn"):
        net.redraw(1)
