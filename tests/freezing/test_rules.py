"""Every rule against explicit names, and its random choices against counts made by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from rbench import FreezingRule, UserError
from rbench.network.frozen import Frozen
from tests.helpers.freezing import CATALOG, Net, freeze, frozen_by

NAMES = [name for name, _ in Net().named_parameters()]
STEM, NORMS = {"stem.weight", "stem.bias"}, {"bn.weight", "bn.bias", "last.weight", "last.bias"}
HEAD, POINTWISE = {"head.weight", "head.bias"}, {"pointwise.weight", "pointwise.bias"}


def fixed(*terms: str) -> set[str]:
    network = Net()
    freeze(network, terms)
    return {name for name, p in network.named_parameters() if not p.requires_grad}


@pytest.mark.parametrize(
    ("terms", "expected"),
    [
        (["none"], set()),
        (["spatial"], STEM | {"depthwise.weight"}),
        (["pointwise"], POINTWISE),
        (["depthwise"], {"depthwise.weight"}),
        (["all"], set(NAMES)),
        (["head"], HEAD),
        (["norms"], NORMS),
        (["all_but_norms"], set(NAMES) - NORMS),
        (["all_but_norms_and_head"], set(NAMES) - NORMS - HEAD),
        (["batchnorm"], set(NAMES) - NORMS - HEAD),
        (["all", "!head"], set(NAMES) - HEAD),
        (["!head", "all"], set(NAMES) - HEAD),
        (["all", "!norms", "!head"], set(NAMES) - NORMS - HEAD),
        (["spatial", "pointwise", "!stem"], POINTWISE | {"depthwise.weight"}),
        (["*.bias", "!head.*"], {n for n in NAMES if n.endswith("bias")} - HEAD),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, list) else "",
)
def test_rules_and_their_combinations(terms: list[str], expected: set[str]) -> None:
    assert fixed(*terms) == expected


def test_norms_of_every_kind_are_known_by_what_they_are() -> None:
    from timm.layers import EvoNorm2dS0, FilterResponseNormTlu2d, RmsNorm

    network = nn.Sequential(
        *(nn.Conv2d(3, 4, 1), EvoNorm2dS0(4), FilterResponseNormTlu2d(4), RmsNorm(4)),
        *(nn.InstanceNorm2d(4, affine=True), nn.GroupNorm(2, 4), nn.RMSNorm(4)),
        parametrizations.spectral_norm(nn.Conv2d(4, 4, 3)),
    )
    freeze(network, ["norms"])
    names = {n for n, p in network.named_parameters() if not p.requires_grad}
    assert {int(name.split(".")[0]) for name in names} == {1, 2, 3, 4, 5, 6}


def masks(frozen: Frozen) -> dict[str, Tensor]:
    """Masks of all tensors that are fixed, whole ones too."""
    parameters = dict(frozen.network.named_parameters())
    return {
        name: torch.ones_like(parameters[name], dtype=torch.bool) if mask is None else mask
        for name, mask in frozen.fixed.items()
    }


KERNELS = {"stem": 216, "depthwise": 72, "pointwise": 48, "hidden": 30, "head": 20}


@pytest.mark.parametrize("p", [0.0, 0.25, 0.9, 1.0])
def test_fraction_of_each_layers_weights(p: float) -> None:
    if p == 0:
        with pytest.raises(UserError, match="--freeze fraction: the network has nothing"):
            frozen_by(Net(), "fraction", freeze_kwargs={"fraction": {"p": p}})
        return
    found = masks(frozen_by(Net(), "fraction", freeze_kwargs={"fraction": {"p": p}}))
    counts = {name.removesuffix(".weight"): int(mask.sum()) for name, mask in found.items()}
    assert counts == {name: round(p * n) for name, n in KERNELS.items()}


def test_fraction_of_filters_fixes_whole_outputs() -> None:
    options = {"fraction": {"p": 0.5, "unit": "filter", "of": "spatial"}}
    found = masks(frozen_by(Net(), "fraction", freeze_kwargs=options))
    assert set(found) == {"stem.weight", "depthwise.weight"}
    for mask in found.values():
        assert int(mask.flatten(1).all(1).sum()) == 4
        assert int(mask.flatten(1).any(1).sum()) == 4


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("kind", [nn.Conv2d, nn.ConvTranspose2d])
def test_filters_are_outputs_of_transposed_convolutions_too(
    kind: type[nn.Conv2d | nn.ConvTranspose2d], groups: int
) -> None:
    """Where the weights of a fixed output move, no other output changes, and the reverse."""
    layer = kind(4, 6, 3, groups=groups, bias=False)
    options = {"fraction": {"p": 0.5, "unit": "filter"}}
    (mask,) = masks(frozen_by(nn.Sequential(layer), "fraction", freeze_kwargs=options)).values()
    images = torch.rand(2, 4, 5, 5)
    with torch.no_grad():
        before = layer(images)
        layer.weight[mask] += 1
        moved = (layer(images) != before).flatten(2).any(2).any(0)
        layer.weight[mask] -= 1
        layer.weight[~mask] += 1
        others = (layer(images) - before).abs().flatten(2).amax((0, 2)) > 0.1
    assert int(moved.sum()) == 3
    assert torch.equal(others, ~moved)


def test_fraction_over_the_network_leaves_the_layers_to_chance() -> None:
    options = {"fraction": {"p": 0.5, "per": "network"}}
    counts = []
    for seed in range(4):
        found = masks(frozen_by(Net(), "fraction", seed=seed, freeze_kwargs=options))
        assert sum(int(mask.sum()) for mask in found.values()) == sum(KERNELS.values()) // 2
        counts.append(int(found["stem.weight"].sum()))
    assert len(set(counts)) > 1


def test_random_parameters_are_as_many_as_the_norms_have_and_elsewhere() -> None:
    report = freeze(Net(), ["all", "!random_parameters"])
    assert report.learnable.count == sum(
        p.numel() for name, p in Net().named_parameters() if name in NORMS
    )
    assert not set(report.learnable.names) & (NORMS | HEAD)
    options = {"random_parameters": {"count": 7}}
    assert freeze(Net(), ["random_parameters"], freeze_kwargs=options).frozen.count == 7
    with pytest.raises(UserError, match=r"there are \d+, not 100,000"):
        freeze(Net(), ["random_parameters"], freeze_kwargs={"random_parameters": {"count": 10**5}})


@pytest.mark.parametrize("rule", ["fraction", "random_parameters"])
def test_the_seed_decides_the_masks(rule: str) -> None:
    def draw(seed: int) -> dict[str, Tensor]:
        return masks(frozen_by(Net(), rule, seed=seed))

    one, again, other = draw(1), draw(1), draw(2)
    assert one.keys() == again.keys()
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert any(name not in other or not torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("name", CATALOG.names("freezing rule"))
def test_a_rule_leaves_the_network_and_the_global_random_state_alone(name: str) -> None:
    rule = CATALOG.freezing_rule(name)
    network = Net()
    before = {n: t.clone() for n, t in network.state_dict().items()}
    state = torch.get_rng_state()
    rule.select(network, torch.Generator().manual_seed(0), rule.options())
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(before[n], t) for n, t in network.state_dict().items())
    assert all(parameter.requires_grad for parameter in network.parameters())


def mine(selected: object) -> FreezingRule:
    return FreezingRule(name="mine", summary="Mine.", select=lambda *_: selected)  # type: ignore[arg-type, return-value]


@pytest.mark.parametrize(
    ("selected", "complaint"),
    [
        ({"stem.wieght"}, "no tensor 'stem.wieght'; did you mean stem.weight"),
        ({"head.bias": torch.ones(3, dtype=torch.bool)}, r"mask of head.bias is torch.bool \(3,\)"),
        ({"head.bias": torch.ones(4)}, r"is torch.float32 \(4,\); it has to be torch.bool \(4,\)"),
        (set(), "--freeze mine: the network has nothing that it selects"),
        ({"bn.running_mean": torch.arange(8) > 3}, "bn.running_mean is a buffer"),
    ],
)
def test_what_a_rule_selects_is_checked(selected: object, complaint: str) -> None:
    from rbench.network.freeze import select
    from rbench.plugin.options import NoOptions
    from rbench.spec.freezing import Term

    with pytest.raises(UserError, match=complaint):
        select(Net(), Term("mine", rule=mine(selected), options=NoOptions()), 0)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"freeze": ("!",)}, "--freeze '!' names nothing"),
        ({"freeze": ("head", "!head")}, "--freeze 'head,!head' fixes nothing: a term with !"),
        ({"freeze": ("bn", "head", "!*")}, "--freeze none lets everything learn"),
        ({"freeze": ()}, "--freeze names nothing; --freeze none lets everything learn"),
        ({"freeze": ("", " ")}, "--freeze names nothing; --freeze none lets everything learn"),
        ({"freeze": ("!head",)}, "says what learns and not what is frozen; write all,!head"),
        ({"freeze": ("spatial", "!nohead")}, "'nohead' is not a freezing rule"),
        ({"freeze_kwargs": {"fraction": {"p": 0.5}}}, "--freeze-kwargs name 'fraction', which"),
        ({"freeze": ("fraction",), "freeze_kwargs": {"fraction": {"q": 1}}}, "unknown option 'q'"),
        ({"freeze": ("fraction",), "freeze_kwargs": {"fractoin": {}}}, "did you mean fraction"),
        ({"unfreeze": ("head",)}, "'head' is not EPOCH:RULE"),
        ({"unfreeze": ("x:head",)}, "'x:head' is not EPOCH:RULE"),
        ({"unfreeze": ("0:head",)}, "the first epoch that can change it is 1"),
        ({"unfreeze": ("1:!head",)}, "name what learns, without an exclamation mark"),
        ({"unfreeze": ("1:head",)}, "'1:head': nothing of head is frozen then"),
        ({"freeze": ("all",), "unfreeze": ("1:bn", "2:bn")}, "'2:bn': nothing of bn is frozen"),
    ],
)
def test_wrong_input_is_one_line(fields: dict[str, object], complaint: str) -> None:
    terms = fields.pop("freeze", ("none",))
    with pytest.raises(UserError, match=complaint) as caught:
        frozen_by(Net(), *terms, **fields)  # type: ignore[misc]
    assert "\n" not in str(caught.value)
