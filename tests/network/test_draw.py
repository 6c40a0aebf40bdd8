"""What an initializer reaches and what it knows of its layer, against hand-made expectations."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
import timm
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from rbench.api import to_spec
from rbench.errors import UserError
from rbench.network.build import Built, build
from rbench.network.draw import Drawing, WeightSampler, describe, report
from rbench.plugin.catalog import Catalog
from rbench.plugin.components import Initializer
from rbench.plugin.data import ImageData
from rbench.plugin.layer import Layer, sees_layer
from rbench.plugin.options import NoOptions
from rbench.records.record import DrawReport, parse
from rbench.spec.chosen import Chosen
from rbench.spec.resolve import resolve
from rbench.spec.run_spec import RunSpec

CATALOG = Catalog.from_environment()


def constant(weight: Tensor, generator: torch.Generator, options: Any) -> None:
    """Numbers from the stream, far away from any network's own."""
    weight.normal_(generator=generator).add_(100)


def sampler(draw: Any = constant) -> WeightSampler:
    component = Initializer(name="mine", summary="Mine.", draw=draw)
    return WeightSampler(Chosen(component, NoOptions()), 0)


def drawn(
    network: nn.Module, scope: str = "all", draw: Any = constant
) -> tuple[WeightSampler, list[Layer]]:
    drawing = Drawing(network, RunSpec(model="m", init="mine", init_scope=scope), (3, 32, 32))
    used = sampler(draw)
    return used, drawing.draw(used, drawing.chosen)


def far(network: nn.Module) -> set[str]:
    return {name for name, p in network.named_parameters() if p.detach().mean() > 50}


def vit() -> nn.Module:
    return timm.create_model(
        "vit_tiny_patch16_224", img_size=32, depth=2, embed_dim=32, num_heads=2, num_classes=3
    )


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("spatial", {"patch_embed.proj.weight"}),
        ("conv", {"patch_embed.proj.weight"}),
        (
            "linear",
            {f"blocks.{i}.{n}.weight" for i in (0, 1) for n in ("attn.qkv", "attn.proj")}
            | {f"blocks.{i}.mlp.fc{j}.weight" for i in (0, 1) for j in (1, 2)}
            | {"head.weight"},
        ),
        ("norm", {f"blocks.{i}.norm{j}.weight" for i in (0, 1) for j in (1, 2)} | {"norm.weight"}),
        ("other", {"cls_token", "pos_embed"}),
        ("all", {n for n, _ in vit().named_parameters() if not n.endswith("bias")}),
        ("norm,spatial", {"patch_embed.proj.weight", "norm.weight"}),
    ],
)
def test_scopes(scope: str, expected: set[str]) -> None:
    network = vit()
    drawn(network, scope)
    found = far(network)
    assert expected <= found if "," in scope else found == expected


def test_what_is_drawn_is_counted() -> None:
    network = vit()
    used, _ = drawn(network, "spatial")
    found = report(network, used.names)
    assert (found.tensors, found.of) == (1, len(list(network.parameters())))
    assert describe(found).startswith("drew 1 of 32 tensors: patch_embed.proj (")
    assert "--init-scope all" in describe(found)
    used, _ = drawn(network, "all")
    assert "--init-scope" not in describe(report(network, used.names))


def test_layers_are_told_where_they_are() -> None:
    network = nn.Sequential(
        nn.Conv2d(4, 8, 3, stride=2, groups=2), nn.ConvTranspose2d(8, 6, (1, 5)), nn.Linear(3, 7)
    )
    seen: list[Layer] = []

    def draw(weight: Tensor, generator: torch.Generator, options: Any, layer: Layer) -> None:
        seen.append(layer)

    drawn(network, "all", draw)
    assert [layer.name for layer in seen] == ["0", "1", "2"]
    assert [layer.depth for layer in seen] == [0, 0.5, 1]
    assert [layer.is_last for layer in seen] == [False, False, True]
    assert [layer.kind for layer in seen] == ["conv", "conv", "linear"]
    assert [(layer.fan_in, layer.fan_out) for layer in seen] == [(18, 36), (40, 30), (3, 7)]
    assert [(layer.stride, layer.groups) for layer in seen] == [(2, 2), (1, 1), (1, 1)]


def test_three_and_four_arguments() -> None:
    def four(weight: Tensor, generator: torch.Generator, options: Any, layer: Layer) -> None:
        weight.fill_(1 + layer.index)

    assert [sees_layer(constant), sees_layer(four), sees_layer(lambda *_: None)] == [0, 1, 0]
    network = nn.Sequential(nn.Conv2d(3, 3, 3), nn.Conv2d(3, 3, 3))
    drawn(network, "conv", four)
    assert [float(module.weight.detach()[0, 0, 0, 0]) for module in network] == [1, 2]  # type: ignore[operator, union-attr]
    with pytest.raises(UserError, match="does not say which layer lc/x/0 is of"):
        sampler(four)(torch.zeros(3), "lc/x/0")

    def optional(
        weight: Tensor, generator: torch.Generator, options: Any, layer: Layer | None = None
    ) -> None:
        weight.fill_(7.0 if layer is None else 1.0)

    combined = torch.zeros(3)
    sampler(optional)(combined, "lc/x/0")
    assert (combined == 7).all()


def residual(network: nn.Module, shape: tuple[int, int, int] = (3, 32, 32)) -> set[str]:
    spec = RunSpec(model="m", init="mine", init_scope="conv,linear")
    drawing = Drawing(network, spec, shape)
    layers = drawing.draw(sampler(), drawing.chosen)
    return {layer.name for layer in layers if layer.in_residual}


def test_residual_branches_of_a_resnet_are_the_blocks_convolutions() -> None:
    network = timm.create_model("resnet18", num_classes=3)
    found = residual(network, (3, 64, 64))
    blocks = {n for n, m in network.named_modules() if isinstance(m, nn.Conv2d) and ".conv" in n}
    assert len(blocks) == 16
    assert found == blocks  # neither stem, shortcuts nor classifier
    assert all(p.requires_grad for p in network.parameters())


def ends(name: str) -> list[str]:
    network = timm.create_model(name, num_classes=3)
    spec = RunSpec(model="m", init="mine", init_scope="spatial")
    drawing = Drawing(network, spec, (3, 64, 64))
    drawing.draw(sampler(), drawing.chosen)
    return sorted(drawing._last_of_branches)


@pytest.mark.slow
def test_what_ends_a_residual_branch() -> None:
    """Whether it is drawn or not; not the gate that looks at it, nor a shortcut's convolution."""
    blocks = [f"layer{stage}.{block}" for stage in (1, 2, 3, 4) for block in (0, 1)]
    assert ends("resnet18") == [f"{block}.conv2" for block in blocks]
    assert ends("legacy_seresnet18") == [f"{block}.conv2" for block in blocks]
    assert ends("resnet26") == [f"{block}.conv3" for block in blocks]
    assert ends("densenet121") == ends("mobilenetv1_100") == []


def test_residual_branches_of_a_transformer_and_of_a_plain_network() -> None:
    inside = residual(vit())
    assert inside == {n for n, m in vit().named_modules() if isinstance(m, nn.Linear)} - {"head"}
    plain = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3))
    assert residual(plain) == set()


def test_inverted_residuals_without_a_shortcut_are_not_residual() -> None:
    network = timm.create_model("mobilenetv2_050", num_classes=3)
    found = residual(network, (3, 64, 64))
    skips = {
        n for n, m in network.named_modules() if getattr(m, "has_skip", False) and "blocks" in n
    }
    assert found == {
        name
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d) and name.rpartition(".")[0] in skips
    }


def test_an_image_that_the_network_does_not_take() -> None:
    with pytest.raises(UserError, match="which layers are residual, and the network does not take"):
        residual(nn.Sequential(nn.Conv2d(5, 3, 3)))


def old(function: Any) -> Any:
    def apply(module: nn.Module) -> nn.Module:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result: nn.Module = function(module)
            return result

    return apply


REPARAMETRIZED = {
    "weight_norm": parametrizations.weight_norm,
    "spectral_norm": parametrizations.spectral_norm,
    "orthogonal": parametrizations.orthogonal,
    "weight_norm of old": old(nn.utils.weight_norm),
    "spectral_norm of old": old(nn.utils.spectral_norm),
}


@pytest.mark.parametrize("kind", REPARAMETRIZED)
def test_reparametrized_convolutions_are_drawn_and_frozen(kind: str) -> None:
    from tests.helpers.freezing import freeze

    network = nn.Sequential(REPARAMETRIZED[kind](nn.Conv2d(4, 6, 3, bias=False)))
    images = torch.randn(2, 4, 8, 8)
    weight = torch.randn(6, 4, 3, 3, generator=torch.Generator().manual_seed(1))

    def draw(into: Tensor, generator: torch.Generator, options: Any) -> None:
        into.copy_(weight)

    drawn(network, "spatial", draw)
    network.eval()
    effective = weight
    matrix = weight.flatten(1).double()
    if kind.startswith("spectral"):
        effective = weight / torch.linalg.svdvals(matrix)[0]
    with torch.no_grad():
        output = network(images)
        if kind == "orthogonal":
            taps: Any = network[0].weight
            # torch's parametrization is of the last two dimensions.
            assert torch.allclose(taps @ taps.mT, torch.eye(3).expand(6, 4, 3, 3), atol=1e-5)
            assert torch.allclose(output, nn.functional.conv2d(images, taps), atol=1e-5)
            again = nn.Sequential(REPARAMETRIZED[kind](nn.Conv2d(4, 6, 3, bias=False)))
            drawn(again, "spatial", draw)
            assert torch.equal(again[0].weight, taps)  # type: ignore[arg-type]
        else:
            expected = nn.functional.conv2d(images, effective.float())
            # Power iterations have not converged: fifteen of them leave a few percent.
            rtol = 0.1 if kind.startswith("spectral") else 1e-5
            assert torch.allclose(output, expected, rtol=rtol, atol=rtol)
    freeze(network, ["spatial"])
    assert not [n for n, p in network.named_parameters() if p.requires_grad]


def test_experts_kernels_are_found_by_what_they_compute_and_drawn() -> None:
    from rbench.network.kernels import mark_kernels
    from rbench.network.modules import spatial_parameters

    network = timm.create_model("tf_efficientnet_cc_b0_4e", num_classes=3)
    before = spatial_parameters(network)
    notes: list[str] = []
    marked = mark_kernels(network, (3, 64, 64), notes.append)
    assert marked
    assert not notes
    found = spatial_parameters(network) - before
    experts = {
        name
        for name, module in network.named_modules()
        if type(module).__name__ == "CondConv2d" and module.kernel_size[0] > 1  # type: ignore[index]
    }
    assert {name.removesuffix(".weight") for name in found} == experts
    drawn(network, "spatial")
    assert found <= far(network)


class Functional(nn.Module):
    """A convolution that no class tells."""

    def __init__(self) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.randn(4, 3, 3, 3))
        self.mix = nn.Parameter(torch.randn(4, 4, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        return nn.functional.conv2d(nn.functional.conv2d(images, self.kernel), self.mix)


def test_functional_convolutions_are_found() -> None:
    from rbench.network.kernels import mark_kernels
    from tests.helpers.freezing import freeze

    network = nn.Sequential(nn.Conv2d(3, 3, 3), Functional())
    assert mark_kernels(network, (3, 16, 16), print) == ["1"]
    freeze(network, ["spatial"])
    learns = {n for n, p in network.named_parameters() if p.requires_grad}
    assert learns == {"1.mix"}
    used, _ = drawn(network, "spatial")
    assert set(used.names) == {"0.weight", "1.kernel"}


TINY = ImageData(
    name="tiny", revision="0", in_chans=1, img_size=(8, 8), class_names=list("abcdefghij")
)


def built(**fields: Any) -> tuple[Built, list[str]]:
    notes: list[str] = []
    spec = to_spec({"model": "resnet10t", **fields})
    return build(resolve(spec, CATALOG), TINY, notes.append), notes


def test_norms_have_an_initializer_of_their_own() -> None:
    norm, notes = built(init_norm="uniform", init_norm_kwargs={"low": 0, "high": 1})
    plain, _ = built()
    scales = [m.weight for m in norm.network.modules() if isinstance(m, nn.BatchNorm2d)]
    every = torch.cat([s.detach() for s in scales])
    assert 0 <= every.min() < 0.05
    assert 0.95 < every.max() <= 1
    assert torch.equal(norm.network.conv1[0].weight, plain.network.conv1[0].weight)  # type: ignore[index, operator, union-attr]
    assert norm.draw is not None
    assert norm.draw.tensors == len(scales)
    assert any(note.startswith(f"drew {len(scales)} of ") for note in notes)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"init_norm_kwargs": {"low": 0}}, "--init-norm-kwargs needs --init-norm"),
        ({"init": "normal", "init_scope": "convs"}, "'convs' is not a scope; did you mean conv"),
        ({"init": "normal", "init_scope": ","}, "names no scope"),
        ({"init": "normal", "init_scope": "other"}, "has no weight of the scope other"),
        ({"init": "lsuv"}, "looks at training images, and tiny has none"),
        ({"init": "orthogonal", "init_scope": "norm"}, "orthogonal"),
    ],
)
def test_wrong_input_is_one_line(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(UserError, match=complaint) as caught:
        built(**fields)
    assert "\n" not in str(caught.value)


def test_scopes_of_before_keep_their_digests() -> None:
    def scope(asked: str) -> Any:
        spec = to_spec({"model": "resnet10t", "init": "normal", "init_scope": asked})
        return resolve(spec, CATALOG).identity["init_scope"]

    assert scope("spatial") == "spatial"
    assert scope("conv") == scope("spatial,conv") == "all"
    assert scope("all") == "every weight"
    assert scope("norm,linear") == "linear,norm"
    assert "init_norm" not in resolve(to_spec({"model": "resnet10t"}), CATALOG).identity


def test_an_old_record_of_all_convolutions_is_read_as_such() -> None:
    text = (
        '{"schema_version": 1, "digest": "d", "seed": 0, "started": "2026-01-01T00:00:00+00:00", '
        '"spec": {"model": "m", "init_scope": "all"}, "resolved": {"init_scope": "%s"}}'
    )
    assert parse(text % "all", "here").spec["init_scope"] == "conv"
    assert parse(text % "every weight", "here").spec["init_scope"] == "all"


def test_a_record_s_report_of_draws_is_strict_json() -> None:
    drawn = DrawReport(tensors=1, of=2, numbers=3, of_numbers=4, names=["a"])
    assert DrawReport.model_validate_json(drawn.model_dump_json()) == drawn
