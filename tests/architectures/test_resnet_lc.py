"""ResNet-LC and its baseline: parameter counts, executions, names, bad input."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from rbench_plugins.architectures import lc_timm, resnet14, resnet_cifar, resnet_lc
from rbench_plugins.layers.cifar_resnet import CifarResNet
from rbench_plugins.layers.lc.block import LCBlock
from rbench_plugins.layers.lc.compact import LCCompact, factor
from rbench_plugins.layers.lc.gram import LCGram, expected_gram
from rbench_plugins.layers.lc.make import LCMaker, put_lc_blocks
from rbench_plugins.layers.lc.options import LCOptions
from torch import nn

from rbench import BuildContext, UserError, folded, generator, global_seed, spatial_filters
from rbench.plugin.recipe import Training
from tests.helpers.freezing import freeze

SGD = Training(epochs=1, batch_size=4, lr=0.01, momentum=0.9, weight_decay=0.01)
SPATIAL = ("spatial",)


def build(component: Any, frozen: tuple[str, ...] = ("none",), **options: Any) -> nn.Module:
    training = options.pop("training", SGD)
    context = BuildContext(seed=3, freeze=frozen, training=training)
    with global_seed(3, "weights"):
        network: nn.Module = component.build(context, component.options(**options))
    freeze(network, frozen)
    return network


def learnable(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters() if p.requires_grad)


@pytest.mark.parametrize(
    ("options", "frozen", "count"),
    [
        ({}, ("none",), 272_474),
        ({"shortcut": "identity"}, ("none",), 269_722),
        ({}, SPATIAL, 4_778),
    ],
)
def test_parameters_of_the_baseline(
    options: dict[str, Any], frozen: tuple[str, ...], count: int
) -> None:
    assert learnable(build(resnet_cifar.COMPONENT, frozen, **options)) == count


@pytest.mark.parametrize(
    ("expansion", "count"), [(1, 37_290), (8, 264_874), (64, 2_085_546), (128, 4_166_314)]
)
def test_learnable_parameters_of_frozen_lc(expansion: int, count: int) -> None:
    network = build(resnet_lc.COMPONENT, SPATIAL, expansion=expansion, execution="folded")
    assert learnable(network) == count


@pytest.mark.parametrize(
    ("frozen", "options", "kinds"),
    [
        (("none",), {"expansion": 64}, {"compact"}),
        (("none",), {"expansion": 8}, {"compact", "folded"}),
        (
            ("none",),
            {"expansion": 64, "training": SGD.model_copy(update={"opt": "adamw"})},
            {"folded"},
        ),
        (SPATIAL, {"expansion": 64}, {"gram"}),
        (SPATIAL, {"expansion": 1}, {"folded"}),
        (SPATIAL, {"expansion": 3}, {"folded", "gram"}),
        (SPATIAL, {"expansion": 4, "between": "relu"}, {"unfolded"}),
        (
            SPATIAL,
            {"expansion": 64, "training": SGD.model_copy(update={"opt": "adamw"})},
            {"folded"},
        ),
        (
            SPATIAL,
            {"expansion": 64, "training": SGD.model_copy(update={"clip_grad": 1.0})},
            {"compact"},
        ),
        (("spatial", "fc"), {"expansion": 64}, {"compact"}),
    ],
)
def test_auto_is_the_fastest_exact_execution(
    frozen: tuple[str, ...], options: dict[str, Any], kinds: set[str]
) -> None:
    network = build(resnet_lc.COMPONENT, frozen, width=4, depth=8, **options)
    found = set()
    for module in network.modules():
        if isinstance(module, LCGram):
            found.add("gram")
        elif isinstance(module, LCCompact):
            found.add("compact")
        elif isinstance(module, LCBlock):
            found.add("folded" if module.fold else "unfolded")
    assert found == kinds


def test_gram_trains_the_network_as_the_two_convolutions_do() -> None:
    """Nesterov SGD with weight decay, norms and shortcuts included, in float64."""
    options = {"depth": 8, "width": 4, "expansion": 3}
    networks = {
        execution: build(resnet_lc.COMPONENT, SPATIAL, execution=execution, **options).double()
        for execution in ("unfolded", "folded", "gram")
    }
    for module, other in zip(
        networks["unfolded"].modules(), networks["gram"].modules(), strict=False
    ):
        assert type(module).__name__ == type(other).__name__ or isinstance(other, LCGram)
    two = dict(networks["unfolded"].named_modules())
    for name, module in networks["gram"].named_modules():
        if isinstance(module, LCGram):  # undo the rounding of W and G to float32
            block = two[name]
            assert isinstance(block, LCBlock)
            rows = block.spatial.detach().view(1, -1, module.shape.taps)
            module.gram = rows.transpose(1, 2) @ rows
            module.weight.data.copy_(block.combined_weight())
    x = torch.rand(4, 3, 12, 12, dtype=torch.float64, generator=generator(1, "x"))
    labels = torch.tensor([0, 3, 5, 9])
    outputs = {}
    for execution, network in networks.items():
        optimizer = torch.optim.SGD(
            [p for p in network.parameters() if p.requires_grad],
            lr=0.05,
            momentum=0.9,
            nesterov=True,
            weight_decay=0.01,
        )
        for _ in range(30):
            nn.functional.cross_entropy(network(x), labels, label_smoothing=0.1).backward()
            optimizer.step()
            optimizer.zero_grad()
        outputs[execution] = network.eval()(x)
    torch.testing.assert_close(outputs["folded"], outputs["unfolded"], atol=1e-7, rtol=0)
    torch.testing.assert_close(outputs["gram"], outputs["unfolded"], atol=1e-7, rtol=0)


def test_compact_trains_the_network_as_the_two_convolutions_do() -> None:
    """The same with filters that learn."""
    options = {"depth": 8, "width": 4, "expansion": 24}
    networks = [
        build(resnet_lc.COMPONENT, execution=execution, **options).double()
        for execution in ("unfolded", "compact")
    ]
    compacts = 0
    for module in networks[1].modules():
        if isinstance(module, LCCompact):  # undo the rounding to float32
            shape = module.shape
            exact = factor(shape, module.expansion, module.source, torch.float64).filters(shape)
            module.spatial.data.copy_(exact.spatial)
            module.pointwise.data.copy_(exact.pointwise)
            compacts += 1
    assert compacts == 7
    x = torch.rand(4, 3, 12, 12, dtype=torch.float64, generator=generator(1, "x"))
    labels = torch.tensor([0, 3, 5, 9])
    outputs = []
    for network in networks:
        optimizer = torch.optim.SGD(
            network.parameters(), lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.01
        )
        for _ in range(20):
            nn.functional.cross_entropy(network(x), labels, label_smoothing=0.1).backward()
            optimizer.step()
            optimizer.zero_grad()
        outputs.append(network.eval()(x))
    torch.testing.assert_close(outputs[1], outputs[0], atol=1e-7, rtol=0)


def test_executions_draw_the_same_numbers() -> None:
    options = {"depth": 8, "width": 4, "expansion": 9}
    states = [
        build(resnet_lc.COMPONENT, SPATIAL, execution=e, **options).state_dict()
        for e in ("unfolded", "folded")
    ]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    gram = build(resnet_lc.COMPONENT, SPATIAL, execution="gram", **options)
    block = build(resnet_lc.COMPONENT, SPATIAL, execution="folded", **options)
    for one, two in zip(spatial_filters(gram), spatial_filters(block), strict=True):
        assert one.name == two.name
        torch.testing.assert_close(one.weight, two.weight, atol=1e-6, rtol=0)
    compact = build(resnet_lc.COMPONENT, execution="compact", **options)
    for one, two in zip(spatial_filters(compact), spatial_filters(block), strict=True):
        torch.testing.assert_close(one.weight, two.weight, atol=1e-6, rtol=0)
    assert torch.equal(gram.state_dict()["fc.weight"], states[0]["fc.weight"])


@pytest.mark.parametrize("execution", ["unfolded", "folded", "compact", "gram"])
def test_a_trained_network_folds_into_the_plain_one(execution: str) -> None:
    network = build(
        resnet_lc.COMPONENT, SPATIAL, depth=8, width=4, expansion=5, execution=execution
    )
    x = torch.rand(8, 3, 16, 16, generator=generator(1, "x"))
    for _ in range(3):
        network.train()(x)  # moves the norms' statistics
    plain = folded(network.eval())
    baseline = build(resnet_cifar.COMPONENT, depth=8, width=4)
    baseline.load_state_dict(plain.state_dict())
    logits = network(x)
    torch.testing.assert_close(plain(x), logits, atol=1e-5, rtol=0)
    torch.testing.assert_close(baseline.eval()(x), logits, atol=1e-5, rtol=0)
    assert torch.equal(plain(x).argmax(1), logits.argmax(1))


def test_a_folded_network_travels_as_a_timm_folder(tmp_path: Path) -> None:
    import timm
    from timm.models import save_for_hf

    network = build(resnet_lc.COMPONENT, SPATIAL, depth=8, width=4, expansion=8, kernel_size=5)
    x = torch.rand(4, 3, 16, 16, generator=generator(1, "x"))
    logits = network.eval()(x)
    plain = folded(network)
    assert isinstance(plain, CifarResNet)
    save_for_hf(plain.timm_form(), tmp_path, safe_serialization=True)
    opened = timm.create_model(f"local-dir:{tmp_path}", pretrained=True).eval()
    torch.testing.assert_close(opened(x), logits, atol=1e-5, rtol=0)
    assert {p.suffix for p in tmp_path.iterdir()} == {".json", ".safetensors"}


def test_scaled_gradient_of_the_step_size_control() -> None:
    plain = build(resnet_cifar.COMPONENT, depth=8, width=4)
    scaled = build(resnet_cifar.COMPONENT, depth=8, width=4, grad_scale_as_lc=128)
    x = torch.rand(4, 3, 12, 12, generator=generator(1, "x"))
    for network in (plain, scaled):
        network(x).square().sum().backward()
    factors = {}
    wanted = dict(scaled.named_parameters())
    for name, parameter in plain.named_parameters():
        assert torch.equal(parameter, wanted[name])
        factors[name] = (wanted[name].grad / parameter.grad).nanmedian().item()
    assert factors["layer1.0.conv1.weight"] == pytest.approx(128 * 4 / (3 * 4 * 9), rel=1e-4)
    assert factors["layer2.0.conv1.weight"] == pytest.approx(128 * 8 / (3 * 4 * 9), rel=1e-4)
    assert factors["layer2.0.downsample.0.weight"] == pytest.approx(1, rel=1e-4)
    block = build(resnet_lc.COMPONENT, SPATIAL, depth=8, width=4, expansion=128, execution="gram")
    stem = block.get_submodule("conv1")
    assert isinstance(stem, LCGram)
    assert factors["conv1.weight"] == pytest.approx(expected_gram(stem.shape, 128), rel=1e-4)


def test_mixed_precision_trains_gram_and_folded() -> None:
    for execution in ("folded", "compact", "gram"):
        network = build(
            resnet_lc.COMPONENT, SPATIAL, depth=8, width=4, expansion=3, execution=execution
        ).to(memory_format=torch.channels_last)
        x = torch.rand(4, 3, 12, 12).contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", torch.bfloat16):
            loss = network(x).square().mean()
        loss.backward()
        gradients = [p.grad for p in network.parameters() if p.requires_grad]
        assert all(
            g is not None and g.dtype == torch.float32 and g.isfinite().all() for g in gradients
        )


@pytest.mark.parametrize(
    ("family", "name", "defaults"),
    [
        (
            resnet_lc.FAMILY,
            "resnet_lc_20_16x128",
            {"depth": 20, "width": 16, "expansion": 128, "kernel_size": 3},
        ),
        (
            resnet_lc.FAMILY,
            "resnet_lc_56_32_k5",
            {"depth": 56, "width": 32, "expansion": 1, "kernel_size": 5},
        ),
        (resnet_cifar.FAMILY, "resnet_cifar_20_16", {"depth": 20, "width": 16, "kernel_size": 3}),
    ],
)
def test_names(family: Any, name: str, defaults: dict[str, int]) -> None:
    member = family.member(name)
    assert member is not None
    assert member.name == name
    assert member.defaults == defaults
    member.options(**defaults)


def test_names_of_others_are_left_alone() -> None:
    for name in ("resnet_lc_20", "resnet_lc_20_16x", "resnet18", "lc_no_such_model", "lc_"):
        for family in (resnet_lc.FAMILY, resnet_cifar.FAMILY, lc_timm.FAMILY):
            assert family.member(name) is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depth": 21}, "6n . 2, such as 20 or 26"),
        ({"expansion": 0}, "greater than or equal to 1"),
        ({"kernel_size": 4}, "must be odd, such as 3 or 5"),
        ({"between": "relu", "execution": "folded"}, "needs between=none"),
        ({"between": "bn", "execution": "gram"}, "needs between=none"),
        ({"gram": "expected"}, "needs execution=gram"),
        ({"expnsion": 3}, "expnsion"),
    ],
)
def test_bad_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        resnet_lc.ResNetLCOptions(**options)


@pytest.mark.parametrize(
    ("frozen", "change", "message"),
    [
        (("none",), {}, "the filters learn"),
        (SPATIAL, {"opt": "adamw"}, "adamw is not linear"),
        (SPATIAL, {"clip_grad": 1.0}, "another norm"),
        (("spatial", "fc"), {}, "freeze fc beside spatial"),
    ],
)
def test_gram_is_refused_where_it_is_not_exact(
    frozen: tuple[str, ...], change: dict[str, Any], message: str
) -> None:
    training = SGD.model_copy(update=change)
    with pytest.raises(UserError, match=message):
        build(resnet_lc.COMPONENT, frozen, depth=8, execution="gram", training=training)


def test_compact_is_refused_where_it_is_not_exact() -> None:
    training = SGD.model_copy(update={"opt": "adamw"})
    with pytest.raises(UserError, match="execution=compact: --opt adamw is not linear"):
        build(resnet_lc.COMPONENT, depth=8, execution="compact", training=training)


def test_lc_blocks_in_a_timm_model() -> None:
    network = build(
        lc_timm.COMPONENT,
        SPATIAL,
        base="test_resnet",
        base_kwargs={"low_res": False},
        expansion=2,
        execution="folded",
    )
    for name, parameter in network.named_parameters():
        assert parameter.requires_grad == (parameter.ndim != 4 or parameter.shape[-1] == 1), name
    blocks = [m for m in network.modules() if isinstance(m, LCBlock | LCGram)]
    assert blocks
    assert not any(isinstance(m, nn.Conv2d) and max(m.kernel_size) > 1 for m in network.modules())
    import timm

    x = torch.rand(2, 3, 32, 32)
    plain = timm.create_model("test_resnet", num_classes=10)
    plain.load_state_dict(folded(network).state_dict())
    torch.testing.assert_close(plain.eval()(x), network.eval()(x), atol=1e-5, rtol=0)


def test_depthwise_convolutions_become_grouped_blocks() -> None:
    network = build(lc_timm.COMPONENT, SPATIAL, base="test_efficientnet", expansion=4)
    assert any(m.shape.groups > 1 for m in network.modules() if isinstance(m, LCBlock | LCGram))
    assert network(torch.rand(2, 3, 32, 32)).shape == (2, 10)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (nn.Sequential(nn.Conv2d(3, 4, 1)), "the model has none"),
        (nn.Sequential(nn.ConvTranspose2d(3, 4, 3)), "replace the ConvTranspose2d at 0"),
        (nn.Sequential(nn.Conv2d(3, 4, 3, padding_mode="circular")), "padding 'circular'"),
        (nn.Sequential(nn.Conv2d(3, 4, 3, padding="same")), "padding 'same'"),
    ],
)
def test_models_that_lc_blocks_do_not_fit_are_refused(network: nn.Module, message: str) -> None:
    with pytest.raises(UserError, match=message):
        put_lc_blocks(network, LCMaker(LCOptions(), BuildContext()))


def test_unknown_bases_are_refused() -> None:
    with pytest.raises(UserError, match="no such model"):
        build(lc_timm.COMPONENT, base="no_such")
    with pytest.raises(UserError, match="no_such"):
        build(lc_timm.COMPONENT, base="test_resnet", base_kwargs={"no_such": 1})


def test_pretrained_is_refused() -> None:
    with pytest.raises(UserError, match="pretrained"):
        lc_timm.COMPONENT.build(BuildContext(pretrained=True), lc_timm.LCModelOptions())


def test_resnet14_keeps_the_resolution_in_its_stem() -> None:
    network = build(resnet14.COMPONENT, max_pool=False)
    maps = network.get_submodule("conv1")(torch.rand(1, 3, 32, 32))
    assert maps.shape == (1, 64, 32, 32)
    assert network(torch.rand(2, 3, 32, 32)).shape == (2, 10)
    weight = network.get_submodule("layer3")[1].conv2.weight
    assert weight.shape == (256, 256, 3, 3)
    assert weight.abs().max().item() == pytest.approx((256 * 9) ** -0.5, rel=1e-3)


def test_options_are_shared() -> None:
    assert issubclass(resnet_lc.ResNetLCOptions, LCOptions)


COUNTS = {
    1: (37_290, 267_696),
    8: (264_874, 2_141_568),
    64: (2_085_546, 17_132_544),
    128: (4_166_314, 34_265_088),
}


@pytest.mark.parametrize("execution", ["auto", "gram", "compact", "folded"])
@pytest.mark.parametrize("expansion", [1, 8])
def test_a_record_counts_the_paper_s_parameters_whatever_the_execution(
    expansion: int, execution: str
) -> None:
    check_counts(expansion, execution)


@pytest.mark.slow
@pytest.mark.parametrize("expansion", [64, 128])
def test_a_record_counts_the_paper_s_parameters_of_large_blocks(expansion: int) -> None:
    check_counts(expansion, "auto")


def check_counts(expansion: int, execution: str) -> None:
    """P2's ResNet-20-16 at 32 px with frozen filters: its counts, and what is stored."""
    network = build(resnet_lc.COMPONENT, SPATIAL, expansion=expansion, execution=execution)
    report = freeze(network, ["spatial"])
    assert (report.learnable.count, report.frozen.count) == COUNTS[expansion]
    assert report.learns == "1x1 convolutions, norms, classifier"
    for part, learns in ((report.learnable, True), (report.frozen, False)):
        kept = sum(p.numel() for p in network.parameters() if p.requires_grad is learns)
        assert kept == (part.count if part.stored is None else part.stored)
