from __future__ import annotations

import numpy as np
import pytest
import torch
from rbench_plugins.images.controls import blurred, controls
from rbench_plugins.images.outcome import ReconstructionOutcome
from rbench_plugins.metrics import mse, psnr, squared_error, ssim
from scipy.ndimage import gaussian_filter
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import nn

from rbench import ImagesOutcome, Metric, MetricContext, MetricValue

G = torch.Generator().manual_seed(0)
INPUTS = torch.rand(3, 3, 20, 24, generator=G)
OUTPUTS = (0.8 * INPUTS + 0.2 * torch.rand(3, 3, 20, 24, generator=G)).clamp(0, 1)
OUTPUTS[1] = 1 - OUTPUTS[1]


def _measure(component: Metric, outcome: ImagesOutcome) -> dict[str, MetricValue]:
    context = MetricContext(seed=0, device=torch.device("cpu"), accelerator=None)  # type: ignore[arg-type]
    return {v.name: v for v in component.measure(outcome, context, component.options())}


def _outcome(outputs: torch.Tensor = OUTPUTS) -> ImagesOutcome:
    return ImagesOutcome(
        network=nn.Identity(), inputs=INPUTS, outputs=outputs, names=["a", "b", "c"]
    )


def test_ssim_is_the_papers() -> None:
    values = _measure(ssim.COMPONENT, _outcome())
    weights = np.array([0.299, 0.587, 0.114])

    def grey(image: torch.Tensor) -> np.ndarray:
        return image.permute(1, 2, 0).double().numpy() @ weights

    def skimage(a: np.ndarray, b: np.ndarray) -> float:
        return structural_similarity(
            a, b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=1.0
        )

    plain = [skimage(grey(INPUTS[i]), grey(OUTPUTS[i])) for i in range(3)]
    inverted = skimage(grey(INPUTS[1]), 1 - grey(OUTPUTS[1]))
    assert plain[1] < 0 < inverted
    details = values["ssim"].details
    assert isinstance(details, dict)
    assert details["per_image"] == pytest.approx([plain[0], inverted, plain[2]], abs=1e-5)
    assert values["ssim"].value == pytest.approx((plain[0] + inverted + plain[2]) / 3, abs=1e-5)
    assert values["ssim_uninverted"].value == pytest.approx(sum(plain) / 3, abs=1e-5)
    assert values["ssim_inverted_share"].value == pytest.approx(1 / 3)
    assert values["ssim"].uncertainty_kind == "standard error over images"


def test_psnr_and_mse() -> None:
    found = _measure(psnr.COMPONENT, _outcome())["psnr"].details
    assert isinstance(found, dict)
    expected = [
        peak_signal_noise_ratio(INPUTS[i].numpy(), OUTPUTS[i].numpy(), data_range=1.0)
        for i in range(3)
    ]
    assert found["per_image"] == pytest.approx(expected, abs=1e-4)
    value = _measure(mse.COMPONENT, _outcome())["mse"].value
    assert value == pytest.approx(float((INPUTS - OUTPUTS).square().mean()), rel=1e-5)


def test_a_perfect_output() -> None:
    values = _measure(ssim.COMPONENT, _outcome(INPUTS.clone()))
    assert values["ssim"].value == pytest.approx(1, abs=1e-5)
    assert _measure(psnr.COMPONENT, _outcome(INPUTS.clone()))["psnr"].value == float("inf")


def test_grey_outputs_are_compared_with_grey_inputs() -> None:
    from rbench_plugins.images.ssim import grey

    assert _measure(mse.COMPONENT, _outcome(grey(INPUTS)))["mse"].value == pytest.approx(0)


def test_mean_and_spread_over_networks() -> None:
    outputs = torch.cat([OUTPUTS, INPUTS])
    outcome = ReconstructionOutcome(
        network=nn.Identity(),
        inputs=INPUTS,
        outputs=outputs,
        names=["a", "b", "c"],
        networks=2,
        raw=outputs * 7 - 3,
        mapping="clamp",
        compare=("minmax",),
        losses={"validation": torch.tensor([1.0, 2, 3])},
    )
    value = _measure(mse.COMPONENT, outcome)["mse"]
    first = float((INPUTS - OUTPUTS).square().mean())
    assert value.value == pytest.approx(first / 2, rel=1e-5)
    assert value.uncertainty == pytest.approx(first / 2**0.5, rel=1e-5)
    assert value.n == 2
    assert _measure(mse.COMPONENT, outcome)["mse_minmax"].value == pytest.approx(first / 2, rel=0.1)
    assert _measure(squared_error.COMPONENT, outcome)["squared_error_validation"].value == 2


def test_controls() -> None:
    found = controls(INPUTS, seed=1)
    expected = gaussian_filter(INPUTS[0, 0].double().numpy(), 3, mode="nearest", truncate=4.0)
    np.testing.assert_allclose(found["blur"][0, 0].numpy(), expected, atol=1e-5)
    torch.testing.assert_close(found["mean_image"][0], INPUTS[1:].mean(0))
    for image, permuted in zip(INPUTS, found["permutation"], strict=True):
        torch.testing.assert_close(image.flatten().sort()[0], permuted.flatten().sort()[0])
    assert controls(INPUTS[:1])["mean_image"].std((-2, -1)).max() < 1e-6
    assert blurred(torch.full((1, 1, 30, 30), 0.3), 3.0).std() < 1e-6
