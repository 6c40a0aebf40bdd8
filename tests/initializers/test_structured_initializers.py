"""Initializers with structure, each against its definition: moments, covariance, rank, places."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rbench_plugins.initializers.functions import covariance as cov
from rbench_plugins.initializers.functions import zero as zero_init
from rbench_plugins.initializers.functions.conv_aware import spectra
from safetensors.torch import save_file
from scipy import stats
from torch import Tensor, nn
from torch.nn import functional as F

from rbench import Layer, generator
from tests.initializers.test_initializers import BY_NAME, FAN_IN, SHAPE, draw, normal, uniform

LECUN = math.sqrt(1 / FAN_IN)
XAVIER = math.sqrt(2 / (FAN_IN + 64 * 9))


@pytest.mark.parametrize(
    ("name", "options", "cdf", "std"),
    [
        ("lecun", {}, normal(LECUN), LECUN),
        ("lecun", {"distribution": "uniform"}, uniform(math.sqrt(3) * LECUN), LECUN),
        ("xavier", {"gain": 2.0}, uniform(2 * math.sqrt(3) * XAVIER), 2 * XAVIER),
        ("xavier", {"distribution": "normal"}, normal(XAVIER), XAVIER),
        ("trunc_normal", {}, stats.truncnorm(-2, 2, scale=0.02).cdf, 0.02 * math.sqrt(0.7737)),
        (
            "trunc_normal",
            {"std": None, "cutoff": 1.0},
            stats.truncnorm(-1, 1, scale=LECUN).cdf,
            LECUN * math.sqrt(0.2911),
        ),
    ],
)
def test_follows_its_distribution(name: str, options: dict[str, Any], cdf: Any, std: float) -> None:
    sample = draw(name, **options).double().flatten().numpy()
    assert sample.mean() == pytest.approx(0, abs=0.025 * std)
    assert sample.std() == pytest.approx(std, rel=0.035)
    assert stats.kstest(sample, cdf).pvalue > 0.001


@pytest.mark.parametrize(("mode", "fan"), [("fan_in", FAN_IN), ("fan_out", 64 * 9)])
def test_signed_constants(mode: str, fan: int) -> None:
    weight = draw("signed_constant", mode=mode)
    assert torch.equal(weight.abs(), torch.full(SHAPE, math.sqrt(2 / fan)))
    positive = int((weight > 0).sum())
    assert stats.binomtest(positive, weight.numel()).pvalue > 0.001


@pytest.mark.parametrize("shape", [(6, 4, 3, 3), (4, 6, 5, 5), (6, 6), (4, 2, 3)])
def test_dirac_is_torchs(shape: tuple[int, ...]) -> None:
    expected = torch.empty(shape)
    if len(shape) == 2:
        nn.init.eye_(expected)
    else:
        nn.init.dirac_(expected)
    assert torch.equal(draw("dirac", shape), expected)
    if len(shape) > 2:
        nn.init.dirac_(expected, groups=2)
        assert torch.equal(draw("dirac", shape, groups=2), expected)


def test_sparse_filters_have_their_taps() -> None:
    weight = draw("sparse", sparsity=0.75).view(64, -1)
    kept = round(0.25 * FAN_IN)
    assert (weight.count_nonzero(1) == kept).all()
    values = weight[weight != 0].double().numpy()
    assert stats.kstest(values, normal(math.sqrt(2 / kept))).pvalue > 0.001
    per_tap = weight.count_nonzero(0).double()
    # Each tap is in each filter with probability 1/4: a binomial number of 64.
    assert per_tap.mean() == 16
    assert float(per_tap.var()) == pytest.approx(64 * 0.25 * 0.75, rel=0.3)


def test_zero_is_deterministic_and_orthogonal() -> None:
    for shape in ((8, 8, 3, 3), (5, 8, 3, 3), (12, 8, 3, 3), (16, 3), (64, 1, 5, 5)):
        weight = draw("zero", shape)
        assert torch.equal(weight, draw("zero", shape, seed=1))
        flat = weight.flatten(2).sum(2) if len(shape) > 2 else weight
        if shape[0] <= shape[1]:
            assert torch.equal(flat, torch.eye(shape[0], shape[1]))
        else:
            size = 2 ** math.ceil(math.log2(shape[0]))
            assert torch.allclose(flat.abs(), torch.tensor(size**-0.5))
            if size == shape[0]:
                torch.testing.assert_close(flat.T @ flat, torch.eye(shape[1]))
        assert weight.count_nonzero() == flat.count_nonzero()
    x = torch.rand(2, 8, 9, 9)
    assert torch.equal(F.conv2d(x, draw("zero", (8, 8, 3, 3)), padding=1), x)
    identity = zero_init.matrix(12, 8, zero_init.ZeroOptions(hadamard=False))
    assert torch.equal(identity, torch.eye(12, 8))
    doubled = zero_init.matrix(12, 8, zero_init.ZeroOptions(scale=2.0))
    torch.testing.assert_close(doubled, 2 * zero_init.matrix(12, 8, zero_init.ZeroOptions()))


def test_convolution_aware_spectra_and_variance() -> None:
    """The spectra's rows are orthonormal; numpy's inverse FFT gives the same filters."""
    rows = spectra(10, 6, torch.Generator().manual_seed(0))
    for block in (rows[:6], rows[6:]):
        identity = torch.eye(len(block), dtype=torch.float64)
        torch.testing.assert_close(block @ block.T, identity, atol=1e-12, rtol=0)
    for shape in ((8, 4, 3, 3), (8, 10, 5, 5), (4, 1, 4, 4), (16, 8, 1, 1)):
        for noise in (0.0, 0.05):
            weight = draw("conv_aware", shape, noise=noise).double()
            fan_in = weight[0].numel()
            assert float(weight.var(correction=0)) == pytest.approx(2 / fan_in, rel=1e-5)
    shape = (5, 3, 3, 3)
    stream = torch.Generator().manual_seed(0)
    reference = np.stack(
        [np.fft.irfft2(spectra(3, 6, stream).numpy().reshape(3, 3, 2), s=(3, 3)) for _ in range(5)]
    )
    reference *= np.sqrt(2 / 27 / reference.var())
    found = draw("conv_aware", shape, noise=0.0)
    np.testing.assert_allclose(found.numpy(), reference, atol=1e-6)


@pytest.mark.parametrize(("k", "expected"), [(3, 0.16), (5, 0.09)])
def test_spectra_of_convolution_aware_kernels_are_nearly_orthogonal(
    k: int, expected: float
) -> None:
    kernels = draw("conv_aware", (300, k + 2, k, k), noise=0.0).double().numpy()
    half = np.fft.rfft2(kernels).reshape(300, k + 2, -1)
    products = np.einsum("fan,fbn->fab", half, half.conj()).real
    lengths = np.einsum("faa->fa", products).mean()
    others = products[:, ~np.eye(k + 2, dtype=bool)]
    assert np.sqrt((others**2).mean()) / lengths == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize("c_in", [1, 4])
@pytest.mark.parametrize(
    ("options", "taps"), [({}, 1), ({"kernel": "box", "taps": 4}, 4), ({"kernel": "box"}, 9)]
)
def test_impulses_and_boxes(c_in: int, options: dict[str, Any], taps: int) -> None:
    weight = draw("structured", (900, c_in, 5, 5), **options).flatten(0, 1).flatten(1)
    assert (weight.count_nonzero(1) == taps).all()
    assert (weight.square().sum(1) * c_in).numpy() == pytest.approx(1 / 3, rel=1e-5)
    counts = weight.count_nonzero(0).numpy()
    assert stats.chisquare(counts).pvalue > 0.001  # every tap is taken as often


def test_spots_are_gaussians_around_a_tap() -> None:
    weight = draw("structured", (400, 1, 5, 5), kernel="spot", variance=0.8)[:, 0]
    assert float(weight.square().sum((1, 2)).mean()) == pytest.approx(1 / 3, rel=1e-5)
    for kernel in weight[:10]:
        y, x = divmod(int(kernel.argmax()), 5)
        for i in range(5):
            for j in range(5):
                expected = math.exp(-((i - y) ** 2 + (j - x) ** 2) / 1.6)
                assert float(kernel[i, j] / kernel.max()) == pytest.approx(expected, rel=1e-4)


def test_low_rank_and_shared_kernels() -> None:
    weight = draw("structured", (500, 1, 5, 5), kernel="low_rank", rank=4).view(500, 25)
    assert int(torch.linalg.matrix_rank(weight)) == 4
    energies = [
        float(draw("structured", (500, 1, 5, 5), seed, kernel="low_rank", rank=4).square().sum())
        for seed in range(60)
    ]
    assert np.mean(energies) / 500 == pytest.approx(1 / 3, rel=0.1)
    shared = draw("structured", (12, 1, 3, 3), kernel="random", heads=3).view(4, 3, 9)
    assert torch.equal(shared, shared[:1].expand(4, 3, 9))
    assert len(torch.unique(shared.view(12, 9), dim=0)) == 3
    sample = draw("structured", kernel="random").view(-1) * math.sqrt(SHAPE[1]) * 3
    assert stats.kstest(sample.numpy(), uniform(1.0)).pvalue > 0.001


def sigma(k: int, s: float) -> Tensor:
    """The paper's block matrices, loop by loop."""
    c = k // 2
    z = torch.zeros(k, k, dtype=torch.float64)
    for i in range(k):
        for j in range(k):
            z[i, j] = math.exp(-((i - c) ** 2 + (j - c) ** 2) / (2 * s))
    product = torch.zeros(k * k, k * k, dtype=torch.float64)
    for i in range(k):
        for j in range(k):
            for m in range(k):
                for n in range(k):
                    y, x = m - i + c, n - j + c
                    moved = float(z[y, x]) if 0 <= y < k and 0 <= x < k else 0.0
                    product[i * k + j, m * k + n] = z[i, j] * (moved - z[m, n] / 2)
    return (product + product.T) / 2


@pytest.mark.parametrize(("k", "s", "smallest"), [(3, 3.0, -0.61), (9, 3.0, -0.04), (3, 1.0, 0)])
def test_the_covariance_is_the_papers_where_that_is_one(k: int, s: float, smallest: float) -> None:
    """Elsewhere its nearest positive semidefinite matrix."""
    wanted = sigma(k, s)
    values, vectors = torch.linalg.eigh(wanted)
    lowest = min(0.0, float(values.min()))
    assert lowest == pytest.approx(smallest, abs=0.005)
    found = cov.covariance((k, k), s)
    clipped = vectors @ values.clamp_min(0).diag() @ vectors.T
    torch.testing.assert_close(found, clipped, atol=1e-10, rtol=0)
    assert float(cov.covariance((k, k), 0.16).trace()) == pytest.approx(0.680, abs=1e-3)


def test_kernels_have_that_covariance() -> None:
    kernels = draw("covariance", (60_000, 1, 3, 3), depth=1.0).view(-1, 9).double()
    expected = cov.covariance((3, 3), 0.16 + 0.32 + 1.44)
    found = kernels.T @ kernels / len(kernels)
    # The standard error of an entry is at most sqrt(2) times the variance over sqrt(60,000).
    torch.testing.assert_close(found, expected, atol=5 * 0.006 * float(expected.max()), rtol=0)
    assert abs(kernels.mean(0)).max() < 0.02
    shared = draw("covariance", (2000, 16, 3, 3), depth=1.0)
    energy = float(shared.square().sum((1, 2, 3)).mean())
    assert energy == pytest.approx(float(expected.trace()), rel=0.05)


def layer_aware(name: str, shape: tuple[int, ...], layer: Layer, **options: Any) -> Tensor:
    component, weight = BY_NAME[name], torch.full(shape, math.nan)
    component.draw(weight, generator(0, name), component.options(**options), layer)
    return weight


def test_covariance_grows_with_the_depth_of_the_layer() -> None:
    shape = (20_000, 1, 3, 3)
    for index, depth in ((0, 0.0), (2, 0.5), (4, 1.0)):
        found = layer_aware("covariance", shape, Layer(name="conv", index=index, count=5))
        assert torch.equal(found, layer_aware("covariance", shape, Layer(name="x"), depth=depth))
        s = 0.16 + 0.32 * depth + 2.88 * depth**2 / 2
        energy = float(found.square().sum((1, 2, 3)).mean())
        assert energy == pytest.approx(float(cov.covariance((3, 3), s).trace()), rel=0.03)


def test_covariance_is_taken_from_a_trained_network(tmp_path: Path) -> None:
    """The kernels' second moments in the file, by numpy, by the layer's name or else its depth."""
    draws = torch.Generator().manual_seed(0)
    mixing = torch.randn(9, 9, generator=draws)
    state = {
        "blocks.2.weight": (torch.randn(400, 9, generator=draws) @ mixing).view(400, 1, 3, 3) + 1,
        "blocks.10.weight": torch.randn(40, 3, 5, 5, generator=draws),
        "head.weight": torch.randn(4, 40, 1, 1, generator=draws),
    }
    path = tmp_path / "weights.safetensors"
    save_file(state, path)
    first = np.cov(state["blocks.2.weight"].view(400, 9).double().numpy(), rowvar=False, ddof=0)
    shape = (60_000, 1, 3, 3)
    named = Layer(name="blocks.2", index=4, count=5)
    for layer in (named, Layer(name="other", index=0, count=5)):
        kernels = layer_aware("covariance", shape, layer, weights=path).view(-1, 9).double()
        found = (kernels.T @ kernels / len(kernels)).numpy()
        np.testing.assert_allclose(found, first, atol=0.03 * first.max())
        assert abs(kernels.mean(0)).max() < 0.03 * first.max()
    deepest = Layer(name="x", index=1, count=2)
    # The last by number, not by letter; three inputs per filter have that filter's energy.
    last = layer_aware("covariance", (20_000, 3, 5, 5), deepest, weights=path)
    second = np.cov(state["blocks.10.weight"].view(120, 25).double().numpy(), rowvar=False, ddof=0)
    energy = float(last.double().square().sum((1, 2, 3)).mean())
    assert energy == pytest.approx(3 * np.trace(second), rel=0.03)
    larger = layer_aware("covariance", (4000, 1, 7, 7), named, weights=path).double()
    # The mean kernel is not part of the covariance, so that the energy is at most that of the file.
    whole = float(state["blocks.2.weight"].square().sum((1, 2, 3)).mean())
    assert 0.5 * whole < float(larger.square().sum((1, 2, 3)).mean()) < 1.05 * whole


def test_a_covariance_file_counts_by_its_contents(tmp_path: Path) -> None:
    from rbench.errors import UserError
    from rbench.plugin.catalog import Catalog
    from rbench.spec.resolve import resolve
    from rbench.spec.run_spec import RunSpec

    catalog = Catalog.from_environment()

    def identity(**kwargs: Any) -> Any:
        spec = RunSpec(model="resnet18", init="covariance", init_kwargs=kwargs, dataset="digits")
        return resolve(spec, catalog).identity["init"]["options"]

    assert "weights" not in identity()
    one, copy = tmp_path / "one.safetensors", tmp_path / "copy.safetensors"
    save_file({"conv.weight": torch.ones(4, 1, 3, 3)}, one)
    copy.write_bytes(one.read_bytes())
    assert identity(weights=str(one)) == identity(weights=str(copy))
    before = identity(weights=str(one))
    save_file({"conv.weight": torch.zeros(4, 1, 3, 3)}, one)
    assert identity(weights=str(one)) != before
    with pytest.raises(UserError, match=r"gone.safetensors cannot be read"):
        identity(weights=str(tmp_path / "gone.safetensors"))
    (tmp_path / "text.safetensors").write_text("no weights")
    for name, complaint in (("text", "cannot be read"), ("flat", "has no kernels")):
        if name == "flat":
            save_file({"fc.weight": torch.ones(4, 3)}, tmp_path / "flat.safetensors")
        with pytest.raises(ValueError, match=complaint):
            layer_aware(
                "covariance",
                (4, 1, 3, 3),
                Layer(name="x"),
                weights=tmp_path / f"{name}.safetensors",
            )


def test_zero_makes_a_depthwise_convolution_the_identity() -> None:
    x = torch.rand(2, 8, 9, 9)
    weight = layer_aware("zero", (8, 1, 5, 5), Layer(name="depthwise", groups=8))
    assert torch.equal(F.conv2d(x, weight, padding=2, groups=8), x)
    head = Layer(name="fc", index=3, count=4, kind="linear")
    assert layer_aware("zero", (10, 8), head, zero_last=True).count_nonzero() == 0
    assert layer_aware("zero", (10, 8), head).count_nonzero() == 80


def test_zero_lets_residual_blocks_begin_as_their_shortcuts() -> None:
    def block(kind: str, ends: bool, **options: Any) -> Tensor:
        layer = Layer(name="conv2", kind=kind, last_of_branch=lambda: ends)
        shape = (8, 8, 3, 3) if kind == "conv" else (8, 8)
        return layer_aware("zero", shape, layer, **options)

    assert block("conv", True).count_nonzero() == 0
    for weight in (
        block("conv", False),
        block("conv", True, zero_residual=False),
        block("linear", True),
    ):
        assert weight.count_nonzero() == 8


def test_a_residual_network_by_zero_is_its_shortcuts() -> None:
    """The paper's network: every block of a ResNet hands on what it is given."""
    import timm

    from rbench.network.draw import Drawing, WeightSampler
    from rbench.spec.chosen import Chosen
    from rbench.spec.run_spec import RunSpec

    network: Any = timm.create_model("resnet18", num_classes=3).eval()
    component = BY_NAME["zero"]
    sampler = WeightSampler(Chosen(component, component.options()), 0)
    drawing = Drawing(network, RunSpec(model="m", init="zero"), (3, 64, 64))
    drawing.draw(sampler, drawing.chosen)
    maps = torch.rand(2, 64, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(network.layer1(maps), maps)
        block = network.layer2[0]
        assert torch.equal(block(maps), block.downsample(maps).relu())
    assert network.layer1[0].conv1.weight.count_nonzero() == 64


def test_a_layer_of_few_kernels_is_the_same_in_any_process() -> None:
    for name in ("covariance", "structured", "sparse", "conv_aware"):
        assert torch.equal(draw(name, (4, 2, 3, 3)), draw(name, (4, 2, 3, 3)))
        assert not torch.equal(draw(name, (4, 2, 3, 3)), draw(name, (4, 2, 3, 3), seed=1))
