"""Metrics for linear combinations, against closed forms and brute force."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from PIL import Image
from rbench_plugins.architectures import resnet_cifar, resnet_lc
from rbench_plugins.layers.lc.block import LCBlock
from rbench_plugins.layers.lc.draw import Source
from rbench_plugins.layers.lc.gram import LCGram
from rbench_plugins.layers.lc.shape import ConvShape
from rbench_plugins.metrics import (
    cost,
    filter_cosine,
    filter_pictures,
    filter_reconstruction,
    filter_variance_entropy,
    spatial_variance_heatmap,
)
from rbench_plugins.metrics.functions.filter_cosine import statistics
from rbench_plugins.metrics.functions.filter_pictures import draw, signed
from rbench_plugins.metrics.functions.filter_reconstruction import reconstruct
from rbench_plugins.metrics.functions.spatial_variance_heatmap import heatmap
from safetensors.torch import save_file
from torch import nn

from rbench import (
    BuildContext,
    ClassificationOutcome,
    MemoryImages,
    Metric,
    MetricContext,
    MetricValue,
    Outcome,
    UserError,
    generator,
    global_seed,
)
from rbench.plugin.contexts import Artifacts
from tests.helpers.freezing import freeze

SOURCE = Source(seed=1, name="conv1")
SHAPE = ConvShape(c_in=3, c_out=4, kernel=(3, 3), padding=(1, 1))


def measure(
    metric: Any, network: nn.Module, folder: Path | None = None, **options: Any
) -> dict[str, MetricValue]:
    context = MetricContext(
        seed=0,
        device=torch.device("cpu"),
        accelerator=cast(Any, None),
        artifacts=Artifacts(folder),
    )
    images = torch.randint(0, 256, (3, 3, 8, 8), dtype=torch.uint8, generator=generator(0, "x"))
    outcome: Outcome = ClassificationOutcome(
        network=network,
        classifier=network,
        test=MemoryImages(images),
        logits=torch.zeros(3, 10),
        labels=torch.zeros(3, dtype=torch.int64),
    )
    values = metric.measure(outcome, context, metric.options(**options))
    return {value.name: value for value in values}


def resnet(component: Any, **options: Any) -> nn.Module:
    context = BuildContext(seed=3, freeze=("spatial",))
    with global_seed(3, "weights"):
        network: nn.Module = component.build(context, component.options(**options))
    freeze(network, ["spatial"])
    return network.eval()


def test_cosines_by_brute_force() -> None:
    rows = torch.randn(7, 5, generator=generator(0, "rows"))
    found = statistics(rows)
    cosines = [
        (a @ b / (a.norm() * b.norm())).item()
        for i, a in enumerate(rows)
        for j, b in enumerate(rows)
        if i != j
    ]
    assert found["rms"] == pytest.approx(math.sqrt(sum(c * c for c in cosines) / 42), rel=1e-5)
    assert found["mean"] == pytest.approx(sum(cosines) / 42, rel=1e-4)
    assert found["largest"] == pytest.approx(max(abs(c) for c in cosines), rel=1e-5)
    orthogonal = statistics(torch.eye(5))
    assert orthogonal["rms"] == orthogonal["largest"] == 0


def test_random_filters_are_nearly_orthogonal_in_every_execution() -> None:
    wanted: float | None = None
    for execution in ("unfolded", "folded", "gram"):
        network = resnet(resnet_lc.COMPONENT, depth=8, width=4, expansion=16, execution=execution)
        values = measure(filter_cosine.COMPONENT, network, at_most=64)
        value = values["filter_cosine@drawn"].value
        assert value == pytest.approx(1, abs=0.05)
        wanted = wanted or value
        assert value == pytest.approx(wanted, rel=1e-9)
    assert "filter_cosine@combined" in measure(filter_cosine.COMPONENT, network, filters="combined")


def test_heatmap_by_hand() -> None:
    scale = torch.ones(3, 3)
    scale[1, 1] = 3
    draws = generator(0, "w")
    weights = [s * scale * torch.randn(40, 30, 3, 3, generator=draws) for s in (1.0, 50.0)]
    found = heatmap(weights)
    stacked = torch.cat([(w / w.std()).double().flatten(0, 1) for w in weights])
    by_hand = (stacked - stacked.mean(0)).square().mean(0)
    torch.testing.assert_close(found, by_hand, atol=1e-5, rtol=1e-5)
    assert (found[1, 1] / found[0, 0]).item() == pytest.approx(9, rel=0.1)


@pytest.mark.parametrize(
    "metric", [spatial_variance_heatmap.COMPONENT, filter_variance_entropy.COMPONENT]
)
def test_convolutions_of_another_dimension_are_left_out(metric: Metric) -> None:
    """The channel attention of timm's ECA-Nets is a Conv1d."""
    alone = nn.Sequential(nn.Conv2d(3, 8, 3))
    values = measure(metric, nn.Sequential(*alone, nn.Conv1d(8, 8, 3)))
    assert values
    assert values == measure(metric, alone)


def test_heatmap_groups_layers_by_kernel_size() -> None:
    network = nn.Sequential(nn.Conv2d(3, 64, 3), nn.Conv2d(64, 64, 5), nn.Conv2d(64, 8, 1))
    values = measure(spatial_variance_heatmap.COMPONENT, network)
    assert set(values) == {"spatial_variance_heatmap@k3", "spatial_variance_heatmap@k5"}
    assert values["spatial_variance_heatmap@k5"].value == pytest.approx(1, abs=0.1)
    json.dumps(values["spatial_variance_heatmap@k3"].model_dump(mode="json"), allow_nan=False)


@pytest.mark.parametrize("expansion", [1, 3, 20])
@pytest.mark.parametrize("groups", [1, 2])
def test_reconstruction_against_lstsq(expansion: int, groups: int) -> None:
    shape = ConvShape(c_in=4, c_out=6, kernel=(3, 3), groups=groups)
    block, gram = LCBlock(shape, expansion, SOURCE), LCGram(shape, expansion, SOURCE)
    wanted = torch.randn(shape.weight, generator=generator(5, "w"))
    residual = length = 0.0
    spatial = block.spatial.detach().double().reshape(groups, -1, shape.taps)
    for rows, targets in zip(spatial, wanted.double().view(groups, -1, shape.taps), strict=True):
        p = torch.linalg.lstsq(rows.T, targets.T, driver="gelsd").solution.T
        residual += (p @ rows - targets).square().sum().item()
        length += p.square().sum().item()
    total = wanted.square().sum().item()
    for module in (block, gram):
        found = reconstruct(wanted, module.gram_matrix())
        assert found[0] == pytest.approx(math.sqrt(residual / total), abs=2e-3)
        assert found[1] == pytest.approx(math.sqrt(length / total), rel=2e-2)


def test_reconstruction_reads_a_plain_network(tmp_path: Path) -> None:
    plain = resnet(resnet_cifar.COMPONENT, depth=8, width=4)
    path = tmp_path / "plain.safetensors"
    save_file(plain.state_dict(), path)
    residuals = [
        measure(
            filter_reconstruction.COMPONENT,
            resnet(resnet_lc.COMPONENT, depth=8, width=4, expansion=e),
            weights=path,
        )["filter_reconstruction"].value
        for e in (1, 4, 64)
    ]
    assert residuals[0] > residuals[1] > residuals[2] == pytest.approx(0, abs=1e-3)
    with pytest.raises(UserError, match=r"has no conv1.weight"):
        measure(
            filter_reconstruction.COMPONENT,
            resnet(resnet_lc.COMPONENT, depth=8, width=8),
            weights=path,
        )
    with pytest.raises(UserError, match="cannot read"):
        measure(filter_reconstruction.COMPONENT, plain, weights=tmp_path / "none.safetensors")


def test_cost_of_each_execution() -> None:
    options = {"depth": 8, "width": 4, "expansion": 16}
    found = {
        execution: measure(
            cost.COMPONENT, resnet(resnet_lc.COMPONENT, execution=execution, **options)
        )
        for execution in ("unfolded", "folded", "gram")
    }
    plain = measure(cost.COMPONENT, resnet(resnet_cifar.COMPONENT, depth=8, width=4))
    learnable = {e: v["learnable_parameters"].value for e, v in found.items()}
    assert learnable["unfolded"] == learnable["folded"] == learnable["gram"]
    flops = {e: v["forward_flops"].value or 0 for e, v in found.items()}
    reference = plain["forward_flops"].value or 0
    assert flops["gram"] == flops["folded"] == reference
    assert flops["unfolded"] > 12 * reference
    memory = {e: v["saved_for_backward"].value or 0 for e, v in found.items()}
    assert memory["unfolded"] > 4 * memory["gram"]
    assert (found["gram"]["peak_memory"].value or 0) > 2**20


def test_learnable_parameters_of_compact_blocks_are_those_of_all_their_filters() -> None:
    counts = {}
    for execution in ("folded", "compact"):
        options = {"depth": 8, "width": 4, "expansion": 24, "execution": execution}
        network = resnet(resnet_lc.COMPONENT, **options).requires_grad_()
        counts[execution] = measure(cost.COMPONENT, network)
    learnable = {e: v["learnable_parameters"].value for e, v in counts.items()}
    stored = {e: v["stored_parameters"].value or 0 for e, v in counts.items()}
    assert learnable["compact"] == learnable["folded"] == stored["folded"]
    assert stored["compact"] < 0.7 * stored["folded"]


def test_flops_of_one_convolution() -> None:
    network = nn.Sequential(nn.Conv2d(3, 5, 3, padding=1, bias=False), nn.Flatten())
    values = measure(cost.COMPONENT, network)
    assert values["forward_flops"].value == 2 * 5 * 8 * 8 * 3 * 9
    assert values["learnable_parameters"].value == 3 * 5 * 9


def test_pictures_of_filters(tmp_path: Path) -> None:
    block = nn.Sequential(LCBlock(SHAPE, 2, SOURCE), nn.Conv2d(4, 2, 5))
    values = measure(filter_pictures.COMPONENT, block, tmp_path, at_most=5, scale=2, rgb=False)
    picture = Image.open(tmp_path / "filters-0.png")
    assert picture.size == ((3 * 4 + 1) * 2, (2 * 4 + 1) * 2)
    assert values["filter_pictures@0"].value == 5
    kernel = torch.zeros(3, 3)
    kernel[0, 0], kernel[2, 2] = 2.0, -1.0
    drawn = draw([signed(kernel)], 1)
    assert drawn.getpixel((1, 1)) == (255, 0, 0)
    assert drawn.getpixel((2, 2)) == (255, 255, 255)
    assert drawn.getpixel((3, 3)) == (128, 128, 255)
    with pytest.raises(UserError, match="no layer 'middle'"):
        measure(filter_pictures.COMPONENT, block, layer="middle")


def test_filters_that_read_rgb_are_colored(tmp_path: Path) -> None:
    conv = nn.Conv2d(3, 7, 3, bias=False)
    with torch.no_grad():
        conv.weight.zero_()
        conv.weight[0, 1] = 4.0  # a green blob
        conv.weight[1, 0, 0, 0], conv.weight[1, 2, 2, 2] = -1.0, 0.5
    values = measure(filter_pictures.COMPONENT, nn.Sequential(conv), tmp_path, scale=1)
    assert values["filter_pictures@0"].value == 21
    picture = Image.open(tmp_path / "filters-0.png")
    assert picture.size == (3 * 4 + 1, 3 * 4 + 1)
    assert picture.getpixel((2, 2)) == (128, 255, 128)
    assert picture.getpixel((5, 1)) == (0, 128, 128)
    assert picture.getpixel((7, 3)) == (128, 128, 191)
    assert picture.getpixel((9, 1)) == (128, 128, 128)
    assert picture.getpixel((0, 0)) == (211, 211, 211)
    # The picture's form enters no identity.
    options = filter_pictures.PictureOptions
    assert options().model_dump() == options(rgb=False).model_dump()
    part = measure(filter_pictures.COMPONENT, nn.Sequential(conv), tmp_path, at_most=8)
    assert part["filter_pictures@0"].value == 6
