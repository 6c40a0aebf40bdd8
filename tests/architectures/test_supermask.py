"""Supermask networks: what is frozen, what is kept, and what they compute."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from rbench_plugins.architectures import resnet_cifar, supermask
from rbench_plugins.layers.masks import BernoulliMask, EdgePopup, kept_of
from torch import nn

from rbench import BuildContext, UserError, folded, generator, global_seed
from tests.conftest import Rbench
from tests.helpers.freezing import freeze


def build(seed: int = 3, base: str = "resnet_cifar_20_16", **options: Any) -> nn.Module:
    member = supermask.FAMILY.member(f"supermask_{base}")
    assert member is not None
    with global_seed(seed, "weights"):
        network: nn.Module = member.build(
            BuildContext(seed=seed), member.options(base=base, **options)
        )
    return network


def masks_of(network: nn.Module) -> list[EdgePopup]:
    return [module for module in network.modules() if isinstance(module, EdgePopup)]


def test_every_weight_is_frozen_and_has_a_score() -> None:
    network = build(keep=0.3)
    report = freeze(network, ["none"])
    masks = masks_of(network)
    assert len(masks) == 22  # 19 convolutions, 2 shortcuts, 1 classifier
    assert report.learnable.count == report.frozen.count == sum(m.scores.numel() for m in masks)
    for module in masks:
        assert int(module.mask().sum()) == kept_of(module.scores.numel(), 0.3)


def test_the_published_counts_of_kept_weights() -> None:
    """README of hidden-networks: 30 % of ResNet-50 are 7.7 M weights, of ResNet-101 13.3 M."""
    with torch.device("meta"):
        import timm

        for name, millions in (("resnet50", 7.6), ("resnet101", 13.3)):
            network = timm.create_model(name)
            layers = [m.weight for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
            kept = sum(kept_of(weight.numel(), 0.3) for weight in layers)
            assert kept / 1e6 == pytest.approx(millions, abs=0.1)


def test_keeping_all_is_the_plain_random_network() -> None:
    network = build(keep=1.0, affine=True).eval()
    plain = resnet_cifar.COMPONENT.build(BuildContext(), resnet_cifar.ResNetCifarOptions()).eval()
    state = {
        name.replace("parametrizations.weight.original", "weight"): value
        for name, value in network.state_dict().items()
        if not name.endswith("scores")
    }
    plain.load_state_dict({**state, "fc.bias": torch.zeros(10)})
    x = torch.rand(2, 3, 32, 32, generator=generator(0, "x"))
    torch.testing.assert_close(network(x), plain(x), rtol=0, atol=0)


def test_folded_it_is_a_plain_network_with_zeros() -> None:
    network = build(keep=0.25, affine=True, bias=True).eval()
    plain = folded(network)
    x = torch.rand(2, 3, 32, 32, generator=generator(0, "x"))
    torch.testing.assert_close(plain(x), network(x), rtol=0, atol=0)
    zeros = (plain.get_submodule("layer1.0.conv1").weight == 0).double().mean()
    assert zeros == pytest.approx(0.75, abs=1e-3)


def test_what_layers_and_norms_say() -> None:
    network = build(layers="spatial", affine=False)
    assert len(masks_of(network)) == 19
    learning = {n for n, p in network.named_parameters() if p.requires_grad}
    assert {"fc.weight", "fc.bias", "layer2.0.downsample.0.weight"} <= learning
    assert not any("bn" in name for name in learning)
    bernoulli = build(mask="bernoulli", logit=-1.0)
    logits = [m.logits for m in bernoulli.modules() if isinstance(m, BernoulliMask)]
    assert len(logits) == 22
    assert all((p == -1).all() for p in logits)


def test_weights_follow_seed_and_name_alone() -> None:
    states = [build(seed, keep=keep).state_dict() for seed, keep in ((0, 0.5), (0, 0.2), (1, 0.5))]
    name = "layer1.0.conv1.parametrizations.weight.original"
    assert torch.equal(states[0][name], states[1][name])
    assert not torch.equal(states[0][name], states[2][name])


def test_scaled_fan() -> None:
    network = build(keep=0.25, scale_fan=True)
    weight = network.get_submodule("layer1.0.conv1").parametrizations.weight.original  # type: ignore[union-attr]
    assert weight.abs().max().item() == pytest.approx(math.sqrt(2 / (0.25 * 144)))


def test_transformers_and_grouped_convolutions(rbench: Rbench) -> None:
    for base in ("test_vit", "test_mobilenetv4", "convnext_atto"):
        member = supermask.FAMILY.member(f"supermask_{base}")
        if member is None:
            continue
        context = BuildContext(img_size=(64, 64))
        network = member.build(context, member.options(base=base))
        output = network(torch.rand(2, 3, 64, 64, generator=generator(0, "x")))
        output.square().sum().backward()
        assert all(m.scores.grad is not None for m in masks_of(network)), base


@pytest.mark.parametrize(
    ("context", "options", "message"),
    [
        (BuildContext(pretrained=True), {}, "--pretrained: a supermask is learned over random"),
        (BuildContext(), {"base": "nothing"}, "base=nothing: neither timm nor rbench"),
        (BuildContext(), {"base": "resnet_cifar", "base_kwargs": {"depth": 21}}, "base_kwargs"),
        (
            BuildContext(draw=lambda weight, stream: None),
            {"distribution": "default"},
            "both say how weights are drawn",
        ),
    ],
)
def test_bad_input(context: BuildContext, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        supermask.COMPONENT.build(context, supermask.SupermaskOptions(**options))


@pytest.mark.slow
def test_it_learns_digits_with_its_weights_as_drawn(rbench: Rbench) -> None:
    import json
    from pathlib import Path

    words = ["run", "--model", "supermask_resnet_cifar_8_8", "--dataset", "digits"]
    words += ["--epochs", "3", "--lr", "0.1", "--metrics", "top1", "--device", "cpu"]
    done = rbench(*words, "--output", "results")
    assert done.returncode == 0, done.stderr
    (path,) = Path.cwd().joinpath("results").glob("*.json")
    record = json.loads(path.read_text())
    assert record["freeze"]["frozen"]["sha256"] == record["freeze"]["sha256_after"]
    assert record["freeze"]["learnable"]["count"] == record["freeze"]["frozen"]["count"]
    (top1,) = (m["value"] for m in record["metrics"] if m["name"] == "top1")
    assert top1 > 60
