"""Freeze policies against explicit lists of names, on small networks and on timm's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rbench.errors import UserError
from rbench.network.freeze import select
from rbench.network.frozen import fingerprint
from rbench.network.modules import SpatialModule, spatial_filters, spatial_parameters
from rbench.plugin.blame import COMPONENT
from rbench.plugin.components import FreezingRule
from rbench.plugin.options import NoOptions
from rbench.spec.freezing import Term
from tests.helpers.freezing import freeze


class Net(nn.Module):
    """Stem, a depthwise-separable block, a transposed convolution, a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 7)
        self.bn = nn.BatchNorm2d(8)
        self.block = nn.Sequential(
            nn.Conv2d(8, 8, 3, groups=8, bias=False),
            nn.Conv2d(8, 4, 1),
            nn.LayerNorm(4),
            nn.ConvTranspose2d(4, 4, (1, 2)),
        )
        self.fc = nn.Linear(4, 2)

    def get_classifier(self) -> nn.Module:
        return self.fc


SPATIAL = ["stem.weight", "stem.bias", "block.0.weight", "block.3.weight", "block.3.bias"]


class Combined(nn.Module):
    """Like an LC-block: keeps filters and weights of their combination."""

    def __init__(self, kept: bool = True) -> None:
        super().__init__()
        self.filters = nn.Parameter(torch.randn(6, 3, 3, 3)) if kept else None
        self.mix = nn.Parameter(torch.randn(2, 6))
        self.inner = nn.Conv2d(3, 6, 3)

    def spatial_parameters(self) -> Iterable[str]:
        return [] if self.filters is None else ["filters"]

    def combined_weight(self) -> Tensor:
        filters = self.inner.weight if self.filters is None else self.filters
        return torch.einsum("oe,eikl->oikl", self.mix, filters)


def frozen(network: nn.Module) -> list[str]:
    return [name for name, p in network.named_parameters() if not p.requires_grad]


def test_spatial_freezes_every_convolution_of_more_than_one_tap() -> None:
    network = Net()
    report = freeze(network, ["spatial"])
    assert frozen(network) == SPATIAL
    assert report.frozen.names == SPATIAL
    assert report.frozen.count == 3 * 8 * 49 + 8 + 8 * 9 + 4 * 4 * 2 + 4
    assert report.frozen.count + report.learnable.count == sum(
        p.numel() for p in network.parameters()
    )
    assert report.policy == ["spatial"]


@pytest.mark.parametrize(
    ("policies", "learns"),
    [
        (["none"], [n for n, _ in Net().named_parameters()]),
        (["all"], []),
        (
            ["all_but_norms_and_head"],
            ["bn.weight", "bn.bias", "block.2.weight", "block.2.bias", "fc.weight", "fc.bias"],
        ),
        (
            ["spatial", "fc"],
            ["bn.weight", "bn.bias"]
            + [f"block.{i}.{w}" for i in (1, 2) for w in ("weight", "bias")],
        ),
        (["block.*", "fc.bias"], ["stem.weight", "stem.bias", "bn.weight", "bn.bias", "fc.weight"]),
        (["*.bias"], [n for n, _ in Net().named_parameters() if n.endswith("weight")]),
        (["block"], ["stem.weight", "stem.bias", "bn.weight", "bn.bias", "fc.weight", "fc.bias"]),
    ],
)
def test_policies_and_patterns(policies: list[str], learns: list[str]) -> None:
    network = Net()
    assert freeze(network, policies).learnable.names == learns
    assert [n for n, p in network.named_parameters() if p.requires_grad] == learns


def test_a_pattern_that_matches_nothing_is_an_error_that_suggests() -> None:
    network = Net()
    with pytest.raises(UserError, match=r"'blok' is not a freezing rule .*did you mean block"):
        freeze(network, ["spatial", "blok"])
    assert not frozen(network)  # nothing was frozen on the way


def test_spatial_without_spatial_convolutions_is_an_error() -> None:
    with pytest.raises(UserError, match="--freeze spatial: the network has no spatial convolution"):
        freeze(nn.Linear(3, 2), ["spatial"])


def test_a_spatial_module_says_which_of_its_parameters_take_part() -> None:
    network = nn.Sequential(Combined())
    assert isinstance(network[0], SpatialModule)
    freeze(network, ["spatial"])
    assert "0.mix" not in frozen(network)
    assert "0.filters" in frozen(network)


def test_filters_in_effect_in_the_order_of_the_modules() -> None:
    combined = Combined()
    network = nn.Sequential(nn.Conv2d(3, 3, 5), combined, nn.Conv2d(2, 2, 1), nn.Conv2d(2, 2, 3))
    found = list(spatial_filters(network))
    assert [f.name for f in found] == ["0", "1", "3"]  # 1.inner is not reported again
    assert torch.equal(found[1].weight, combined.combined_weight())
    assert found[2].weight is network[3].weight


def test_spatial_parameters_of_timms_resnet18_are_its_3x3_and_7x7_convolutions() -> None:
    import timm

    network = timm.create_model("resnet18", num_classes=10)
    expected = {
        f"{name}.weight"
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d) and "downsample" not in name
    }
    assert len(expected) == 17
    assert spatial_parameters(network) == expected


def test_fingerprint_sees_bytes_names_shapes_and_dtypes() -> None:
    weight = torch.arange(6.0)
    reference = fingerprint({"a": weight})
    assert fingerprint({"a": weight.clone()}) == reference
    assert fingerprint({}) is None
    nudged = weight.clone()
    nudged[0] = torch.finfo(torch.float32).tiny
    others = [{"b": weight}, {"a": weight.view(2, 3)}, {"a": weight.double()}, {"a": nudged}]
    assert len({reference, *map(fingerprint, others)}) == 5
    strided = torch.arange(12.0)[::2]
    assert fingerprint({"a": strided}) == fingerprint({"a": strided.contiguous()})
    assert fingerprint({"x": weight, "y": nudged}) == fingerprint({"y": nudged, "x": weight})


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.int64, torch.bool])
def test_fingerprint_of_any_dtype(dtype: torch.dtype) -> None:
    assert fingerprint({"a": torch.ones(3, dtype=dtype)}) is not None
    assert fingerprint({"n": torch.tensor(3)}) is not None  # BatchNorm's counter has no dimension


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (None, "the rule returned None; a rule returns names of tensors"),
        ("stem.weight", "the rule returned 'stem.weight'; a rule returns"),
        (["steem.weight"], "no tensor 'steem.weight'; did you mean stem.weight?"),
        ({"stem.weight": torch.ones(8, 3, dtype=torch.bool)}, r"it has to be torch.bool \(8, 3,"),
        (ValueError("p does not fit"), "^--freeze mine: p does not fit$"),
    ],
)
def test_what_a_rule_returns_is_checked(answer: object, message: str) -> None:
    def rule(network: nn.Module, generator: object, options: object) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer

    mine = FreezingRule(name="mine", summary="Mine.", select=rule)
    with pytest.raises(UserError, match=message):
        select(Net(), Term("mine", rule=mine, options=NoOptions()), 0)


def test_an_error_inside_a_rule_names_the_rule() -> None:
    def rule(network: nn.Module, generator: object, options: object) -> set[str]:
        raise RuntimeError("broken")

    mine = FreezingRule(name="mine", summary="Mine.", select=rule)
    with pytest.raises(RuntimeError, match="broken") as caught:
        select(Net(), Term("mine", rule=mine, options=NoOptions()), 0)
    assert getattr(caught.value, COMPONENT) == "freezing rule mine"


class Tied(nn.Module):
    """Two convolutions of one weight, each with a bias of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Conv2d(4, 4, 3), nn.Conv2d(4, 4, 3)
        self.two.weight = self.one.weight


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        ("spatial", {"one.weight", "one.bias", "two.bias"}),
        ("two", {"one.weight", "two.bias"}),
        ("two.weight", {"one.weight"}),
    ],
)
def test_a_shared_tensor_is_selected_by_any_of_its_names(term: str, expected: set[str]) -> None:
    network = Tied()
    freeze(network, [term])
    assert {name for name, p in network.named_parameters() if not p.requires_grad} == expected


def test_masks_of_a_shared_tensor_add_up() -> None:
    def rule(network: nn.Module, generator: object, options: object) -> Any:
        masks = {name: torch.zeros(4, 4, 3, 3, dtype=torch.bool) for name in ("one", "two")}
        masks["one"][0], masks["two"][1] = True, True
        return {f"{name}.weight": mask for name, mask in masks.items()}

    mine = FreezingRule(name="mine", summary="Mine.", select=rule)
    found = select(Tied(), Term("mine", rule=mine, options=NoOptions()), 0)["one.weight"]
    assert found is not None
    assert found.flatten(1).all(1).tolist() == [True, True, False, False]
