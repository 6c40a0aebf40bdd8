from __future__ import annotations

import copy
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from PIL import Image
from rbench_plugins.architectures.cnn_dcn import COMPONENTS
from rbench_plugins.architectures.functions.random_cnn import build
from rbench_plugins.architectures.random_cnn import RandomCNNOptions
from rbench_plugins.images.grid import stretch
from rbench_plugins.layers.cnn_dcn.options import CnnDcnOptions
from rbench_plugins.metrics.theory import COMPONENT
from rbench_plugins.theory.angles import angle
from rbench_plugins.theory.l2_limit import l2_limit, squared_norms
from rbench_plugins.theory.options import TheoryOptions
from rbench_plugins.theory.read_network import read_stack
from torch import Tensor, nn

from rbench import BuildContext, ImagesOutcome, MetricContext, MetricValue, UserError
from rbench.plugin.contexts import Artifacts
from tests.helpers.theory_routes import two_layer_bound

RRVGG_MEAN = COMPONENTS["rrvgg_mean"]


@dataclass
class Measured:
    values: dict[str, MetricValue]
    notes: list[str]

    def number(self, name: str) -> float:
        value = self.values[name].value
        assert value is not None
        return value

    def details(self, name: str) -> dict[str, Any]:
        return cast("dict[str, Any]", self.values[name].details)


@dataclass
class Run:
    images: Tensor
    options: dict[str, Any] = field(default_factory=dict)
    artifacts: Artifacts = field(default_factory=lambda: Artifacts(None))

    def of(self, network: nn.Module, seed: int = 0) -> Measured:
        notes: list[str] = []
        context = MetricContext(
            seed=seed,
            device=torch.device("cpu"),
            accelerator=cast("Any", None),
            note=notes.append,
            artifacts=self.artifacts,
        )
        names = [f"image {i}" for i in range(len(self.images))]
        outcome = ImagesOutcome(
            network=network, inputs=self.images, outputs=self.images, names=names
        )
        found = COMPONENT.measure(outcome, context, TheoryOptions.model_validate(self.options))
        return Measured({value.name: value for value in found}, notes)


def random_cnn(seed: int = 0, **options: object) -> nn.Module:
    context = BuildContext(seed=seed)
    return build(context, RandomCNNOptions.model_validate(options)).eval()


@pytest.fixture(scope="module")
def images(cat: Tensor) -> Tensor:
    return torch.stack([cat, cat.flip(-1) ** 2]).float()


def test_one_network_by_hand(images: Tensor) -> None:
    network = random_cnn(width=32)
    got = Run(images).of(network)
    stack = read_stack(network, images[:1])
    f = network(images).detach().double()[:, 0]
    limits = torch.stack([l2_limit(stack, image).image for image in images])
    sines = angle(f, limits).sin()
    x = squared_norms(images).sqrt()
    assert got.number("theory_sin") == pytest.approx(float(sines.mean()), rel=1e-9)
    assert got.number("theory_sin_rms") == pytest.approx(float(sines.square().mean().sqrt()))
    assert got.number("theory_bound") == pytest.approx(two_layer_bound(32, 0.05))
    assert got.number("theory_tightness") == pytest.approx(
        float((two_layer_bound(32, 0.05) / sines).mean())
    )
    assert got.number("theory_input_to_limit") == pytest.approx(
        float(angle(x, limits).rad2deg().mean())
    )
    assert got.number("theory_input_to_output") == pytest.approx(
        float(angle(x, f).rad2deg().mean())
    )
    assert got.number("theory_violations") == 0
    assert got.number("theory_input_to_limit_violations") == 0
    assert got.number("theory_input_to_limit") < got.number("theory_input_to_limit_bound")
    norms = f.norm(dim=(1, 2)) / limits.norm(dim=(1, 2))
    assert got.number("theory_norm_ratio") == pytest.approx(float(norms.mean()))
    assert got.notes == []
    assert all("assumption" not in (value.details or {}) for value in got.values.values())
    assert got.values["theory_sin"].uncertainty is None


@pytest.mark.slow
def test_draws_give_rates_and_the_prediction_fits(images: Tensor) -> None:
    got = Run(images).of(random_cnn(width=64, draws=400))
    rates = got.details("theory_violations")["by_delta"]
    assert [r["delta"] for r in rates] == [0.01, 0.05, 0.1, 0.2, 0.5, 0.9]
    assert all(r["rate"] == 0 and 0 < r["high"] < 0.01 for r in rates)
    ratio = got.values["theory_prediction_over_measurement"]
    assert ratio.value is not None
    assert ratio.uncertainty is not None
    assert ratio.uncertainty < 0.05
    assert abs(ratio.value - 1) < 0.05 + 3 * ratio.uncertainty
    assert got.values["theory_sin"].n == 800
    assert len(got.details("theory_sin")["per_network"]) == 400
    again = Run(images).of(random_cnn(width=64, draws=400))
    assert again.number("theory_sin") == got.number("theory_sin")


def test_rates_count(images: Tensor) -> None:
    """A bound below what is measured is violated: delta near 1 with filters that all agree."""
    network = random_cnn(width=64, draws=1)
    first = network.layers[0].weight  # type: ignore[union-attr, index]
    with torch.no_grad():
        first.copy_(torch.zeros_like(first))
        first[:, :, 0, 0] = torch.linspace(-1, 1, 64)[:, None]  # one tap: far from any limit
    edges = images * 0
    edges[:, :, ::4, ::4] = 1
    got = Run(edges, {"deltas": [0.5], "delta": 0.95}).of(network)
    assert got.number("theory_violations") == 1.0
    assert got.details("theory_violations")["at"]["low"] == pytest.approx(0.2065, abs=1e-3)


def test_average_pools_take_the_recursion(images: Tensor) -> None:
    got = Run(images).of(random_cnn(depth=4, width=64, pools=[1], upsamplings=[2], pool="average"))
    forced = Run(images, {"limit": "l2"}).of(
        random_cnn(depth=4, width=64, pools=[1], upsamplings=[2], pool="average")
    )
    assert "assumption" not in (got.values["theory_sin"].details or {})
    assert got.number("theory_sin_to_average_rms") == got.number("theory_sin_rms")
    assert got.number("theory_sin_to_l2_rms") != got.number("theory_sin_rms")
    assert got.number("theory_sin_to_l2_rms") == forced.number("theory_sin_rms")
    assert "assumption" in got.details("theory_sin_to_l2_rms")
    assert any("Theorem 4 has l2 pooling, not average" in note for note in forced.notes)
    assert any("no first-order prediction" in note for note in got.notes)
    assert "theory_prediction_over_measurement" not in got.values
    assert any("silent on the limit" in a for a in got.details("theory_bound")["assumption"])


@pytest.mark.parametrize(
    ("options", "value", "says"),
    [
        ({"bias": True}, "theory_sin", "no biases"),
        ({"slope": 0.2}, "theory_bound", "not leaky ReLU"),
        ({"law": "laplace"}, "theory_predicted_sin_rms", "not isotropic"),
        ({"law": "uniform"}, "theory_input_to_limit_bound", "not isotropic"),
        ({"depth": 3}, "theory_bound", "windows overlap"),
        ({"depth": 3, "pools": [1], "pool": "max"}, "theory_sin", "not max"),
    ],
)
def test_broken_assumptions_are_marked(
    images: Tensor, options: dict[str, object], value: str, says: str
) -> None:
    got = Run(images).of(random_cnn(width=64, **options))
    assert math.isfinite(got.number(value))
    assert any(says in assumption for assumption in got.details(value)["assumption"])
    assert any(says in note for note in got.notes)


def test_disjoint_windows_mark_nothing_but_miss_the_input(images: Tensor) -> None:
    got = Run(images).of(random_cnn(depth=3, kernel=2, stride=2))
    assert "assumption" not in got.details("theory_bound")
    assert "theory_input_to_limit" not in got.values
    assert any("needs one size" in note for note in got.notes)


def test_negative_pixels_and_large_images(images: Tensor) -> None:
    got = Run(images - 0.5).of(random_cnn())
    assert any("negative" in note for note in got.notes)
    assert "theory_input_to_limit_bound" not in got.values
    large = torch.rand(1, 3, 80, 80)
    got = Run(large).of(random_cnn())
    assert any("64x64 is the most" in note for note in got.notes)
    assert "theory_input_to_limit" in got.values
    with pytest.raises(UserError, match="64x64 is the most"):
        Run(large).of(random_cnn(depth=3, pools=[1], pool="average"))


def test_foreign_filters_cannot_be_drawn_again(images: Tensor) -> None:
    network = random_cnn(draws=2)
    with torch.no_grad():
        network.layers[0].weight.mul_(2)  # type: ignore[union-attr, operator, index]
    with pytest.raises(UserError, match="law="):
        Run(images).of(network)


def test_float32_is_harmless(images: Tensor) -> None:
    """The sine of the angle moves by less than 1e-6 between a float32 and a float64 network."""
    network = random_cnn(depth=5, width=128)
    single = Run(images).of(network)
    double = Run(images).of(copy.deepcopy(network).double())
    assert abs(single.number("theory_sin") - double.number("theory_sin")) < 1e-6
    assert single.number("theory_sin") > 1e-3


def test_bad_options() -> None:
    with pytest.raises(ValueError, match="each delta"):
        TheoryOptions.model_validate({"deltas": [0.5, 1.0]})


def test_picture_shows_image_limit_and_output(images: Tensor, tmp_path: Path) -> None:
    artifacts = Artifacts(tmp_path / "run")
    Run(images, {"pictures": 1}, artifacts).of(random_cnn(width=4096))
    (kept,) = artifacts.files
    assert kept.file == "run/theory.png"
    assert kept.caption.endswith("f: image 0")
    with Image.open(tmp_path / kept.file) as picture:
        sheet = np.asarray(picture.convert("L"), dtype=float)
    assert sheet.shape == (104, 304)
    image, limit, output = (sheet[4:100:6, at : at + 96 : 6] for at in (4, 104, 204))
    x = squared_norms(images[0]).sqrt().numpy()
    assert np.abs(image / 255 - (x - x.min()) / (x.max() - x.min())).max() < 0.003
    assert np.corrcoef(limit.ravel(), output.ravel())[0, 1] > 0.99
    assert np.corrcoef(limit.ravel(), image.ravel())[0, 1] < 0.99
    assert not stretch(torch.ones(1, 2, 2)).any()


def test_limit_ssim_against_scikit_image_and_a_wide_network(images: Tensor) -> None:
    from rbench_plugins.images.ssim import grey
    from skimage.metrics import structural_similarity

    network = random_cnn(width=32)
    got = Run(images).of(network)
    stack = read_stack(network, images[:1])
    expected = []
    for image in images:
        limit = l2_limit(stack, image).z
        limit = (limit - limit.min()) / (limit.max() - limit.min())
        expected.append(
            structural_similarity(
                grey(image.double())[0].numpy(),
                limit.numpy(),
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
                data_range=1.0,
            )
        )
    value = got.number("theory_limit_ssim@minmax")
    assert value == pytest.approx(sum(expected) / 2, abs=1e-9)
    assert got.values["theory_limit_ssim@minmax"].higher_is_better
    small = Run(images[..., :10, :10]).of(random_cnn(width=32))
    assert any("at least 11 pixels" in note for note in small.notes)


@pytest.mark.parametrize(
    ("options", "width", "at_most"),
    [
        ({}, 256, 0.1),
        ({"depth": 2, "pooling": "l2"}, 300, 0.2),
        ({"depth": 2, "pooling": "average"}, 300, 0.2),
    ],
)
def test_mean_variant_of_rrvgg_converges_to_its_limit(
    images: Tensor, options: dict[str, object], width: int, at_most: float
) -> None:
    """CD1 has no pool: every theorem but Theorem 8's one route holds for it as it is."""
    fields = {**RRVGG_MEAN.defaults, **options, "width": width}
    network = RRVGG_MEAN.build(BuildContext(), CnnDcnOptions.model_validate(fields))
    got = Run(images).of(network.eval())
    assert got.number("theory_sin") < at_most
    assert got.number("theory_sin") < 0.6 * math.sin(
        math.radians(got.number("theory_input_to_limit"))
    )
    assert got.number("theory_norm_ratio") == pytest.approx(1, abs=0.5)
    assert "assumption" not in got.details("theory_sin")


def test_one_filter_is_refused(images: Tensor) -> None:
    fields = {**RRVGG_MEAN.defaults, "width": 1}
    network = RRVGG_MEAN.build(BuildContext(), CnnDcnOptions.model_validate(fields))
    with pytest.raises(UserError, match="width 2 or more"):
        Run(images).of(network)
