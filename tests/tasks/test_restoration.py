"""Deep Image Prior and inversion: degradations against formulas, optimizations on real images."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rbench_plugins.architectures import dip_skip
from rbench_plugins.layers.skip_net import SkipNet
from rbench_plugins.restoration import degrade
from rbench_plugins.restoration.invert import Maps, invert, last_convolution
from rbench_plugins.restoration.prior import Schedule, fit
from scipy.ndimage import convolve1d
from skimage import data as pictures
from skimage.metrics import peak_signal_noise_ratio
from skimage.transform import resize
from torch import Tensor, nn

from rbench import BuildContext, UserError, generator, global_seed
from tests.conftest import Rbench


@pytest.fixture(scope="module")
def photo() -> Tensor:
    """The cat of scikit-image, (1, 3, 32, 32) in [0, 1]."""
    small = resize(pictures.chelsea()[:300, 100:400], (32, 32), anti_aliasing=True)
    return torch.as_tensor(small, dtype=torch.float32).permute(2, 0, 1)[None]


def test_psnr_is_scikit_images(photo: Tensor) -> None:
    other = photo.roll(1, -1)
    expected = peak_signal_noise_ratio(photo.numpy(), other.numpy(), data_range=1)
    assert degrade.psnr(other, photo) == pytest.approx(expected, rel=1e-6)
    assert degrade.psnr(photo, photo) == math.inf


def test_noise_of_25_is_20_db() -> None:
    middle = torch.full((1, 3, 200, 200), 0.5)
    observation = degrade.noisy(middle, 25, generator(0, "noise"))
    assert degrade.psnr(observation.y, middle) == pytest.approx(20 * math.log10(255 / 25), abs=0.05)
    assert observation.loss(middle).item() == pytest.approx((25 / 255) ** 2, rel=0.02)


def test_only_pixels_that_are_there_count(photo: Tensor) -> None:
    observation = degrade.masked(photo, 0.7, generator(0, "mask"))
    assert observation.mask is not None
    assert float(observation.mask.mean()) == pytest.approx(0.3, abs=0.05)
    assert observation.loss(photo).item() == 0
    elsewhere = photo + (1 - observation.mask)
    assert observation.loss(elsewhere).item() == 0
    everywhere = photo + 0.1
    assert observation.loss(everywhere).item() == pytest.approx(0.01, rel=1e-4)


@pytest.mark.parametrize("factor", [2, *(pytest.param(f, marks=pytest.mark.slow) for f in (3, 4))])
def test_lanczos_downsampling_is_scipys_convolution(photo: Tensor, factor: int) -> None:
    def window(x: float) -> float:
        return 0.0 if abs(x) >= 2 else float(np.sinc(x) * np.sinc(x / 2))

    length = 32 // factor * factor
    image = photo[0, 0, :length, :length].double().numpy()
    found = degrade.downsample(photo.double(), factor)[0, 0]
    for i in (0, 1, length // factor - 1):
        for j in (0, 2, length // factor - 1):
            # The middle of the block, in the coordinates of pixel centers.
            y, x = ((k + 0.5) * factor - 0.5 for k in (i, j))
            total = weights = 0.0
            for m in range(-2 * factor, length + 2 * factor):
                for n in range(-2 * factor, length + 2 * factor):
                    weight = window((m - y) / factor) * window((n - x) / factor)
                    inside = np.clip(m, 0, length - 1), np.clip(n, 0, length - 1)
                    total, weights = total + weight * image[inside], weights + weight
            assert float(found[i, j]) == pytest.approx(total / weights, abs=1e-9)
    constant = torch.full((1, 1, 16, 16), 0.3)
    torch.testing.assert_close(
        degrade.downsample(constant, factor), constant[..., : 16 // factor, : 16 // factor]
    )
    kernel = degrade.lanczos2(2).numpy()
    rows = convolve1d(image, kernel[::-1], axis=0, mode="nearest")
    assert rows.shape == image.shape


def network(**options: Any) -> SkipNet:
    given = dip_skip.DipSkipOptions(**{"input_channels": 8, "scales": 3, "width": 16, **options})
    with global_seed(0, "weights"):
        built = dip_skip.COMPONENT.build(BuildContext(img_size=(32, 32)), given)
    assert isinstance(built, SkipNet)
    return built


def test_the_hourglass_has_the_papers_parts() -> None:
    full = SkipNet(32, 3, 5, 128, 4)
    x = torch.rand(1, 32, 64, 96)
    assert full(x).shape == (1, 3, 64, 96)
    convolutions = [m for m in full.modules() if isinstance(m, nn.Conv2d)]
    assert len(convolutions) == 5 * 5 + 1
    # Per scale: skip, two on the way down, one up, one 1x1; norms with scale and shift; biases.
    scale = 128 * 4 + 4 + 8 + (128 * 128 * 9 + 128 + 256) * 2
    scale += 2 * 132 + 132 * 128 * 9 + 128 + 256 + 128 * 128 + 128 + 256
    first = scale - (128 - 32) * 4 - (128 - 32) * 128 * 9
    expected = first + 4 * scale + 128 * 3 + 3
    assert sum(p.numel() for p in full.parameters()) == expected
    assert SkipNet(3, 1, 2, 8, 0)(torch.rand(1, 3, 17, 19)).shape == (1, 1, 17, 19)


SCHEDULE = Schedule(steps=150, lr=0.01, noise=1 / 30, average=0.95, backtrack=True)


@pytest.mark.slow
def test_denoising_takes_noise_away_and_never_looks_at_the_truth(photo: Tensor) -> None:
    observation = degrade.noisy(photo, 25, generator(0, "noise"))
    results = []
    for truth in (photo, torch.zeros_like(photo)):
        z = torch.rand(1, 8, 32, 32, generator=generator(0, "z")) / 10
        fitted = fit(network(), z, observation, truth, SCHEDULE, generator(0, "steps"))
        results.append(fitted)
    assert torch.equal(results[0].last, results[1].last)
    assert torch.equal(results[0].average, results[1].average)
    course = results[0].course
    assert course.steps == list(range(1, 151))
    assert course.average[-1] > 16
    assert max(course.current) >= course.current[-1]
    oracle = degrade.psnr(results[0].oracle, photo)
    assert oracle == pytest.approx(max(course.current))
    assert results[0].losses[-1] < results[0].losses[0] / 4


def test_what_is_frozen_is_not_moved(photo: Tensor) -> None:
    net = network()
    frozen = {}
    for name, parameter in net.named_parameters():
        if parameter.ndim == 4 and parameter.shape[-1] > 1:
            parameter.requires_grad_(False)
            frozen[name] = parameter.detach().clone()
    observation = degrade.masked(photo, 0.5, generator(0, "mask"))
    z = torch.rand(1, 8, 32, 32, generator=generator(0, "z")) / 10
    schedule = Schedule(steps=20, lr=0.01, noise=0.0, average=0.0, backtrack=False)
    fitted = fit(net, z, observation, photo, schedule, generator(0, "steps"))
    for name, parameter in net.named_parameters():
        if name in frozen:
            assert torch.equal(parameter, frozen[name])
    assert torch.equal(fitted.average, fitted.last)


@pytest.mark.slow
def test_a_fit_that_falls_apart_goes_back(photo: Tensor) -> None:
    """At a learning rate that destroys the fit, the last good weights return."""
    observation = degrade.noisy(photo, 25, generator(0, "noise"))
    z = torch.rand(1, 8, 32, 32, generator=generator(0, "z")) / 10
    worst = {}
    for backtrack in (False, True):
        net = network()
        schedule = Schedule(steps=120, lr=0.02, noise=0.0, average=0.0, backtrack=backtrack)

        def disturb(step: int, value: float, net: SkipNet = net) -> None:
            if step == 100:
                with torch.no_grad():
                    for parameter in net.parameters():
                        parameter.mul_(0)

        fitted = fit(net, z, observation, photo, schedule, generator(0, "steps"), disturb)
        worst[backtrack] = fitted.losses[-1]
    assert worst[True] < worst[False]


def test_inversion_matches_features_and_recovers_from_an_early_layer(photo: Tensor) -> None:
    with global_seed(0):
        net = nn.Sequential(
            nn.Conv2d(3, 24, 3, padding=1), nn.ReLU(), nn.Conv2d(24, 8, 3, 2, padding=1), nn.ReLU(),
            nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4),
        )  # fmt: skip
    assert last_convolution(net) == "2"
    maps = Maps(net, "1")
    torch.testing.assert_close(maps(photo), net[:2](photo))
    early = invert(maps, photo, generator(0, "x"), steps=60, smooth=0.0)
    late = invert(Maps(net, "3"), photo, generator(0, "x"), steps=60, smooth=0.01)
    assert early.losses[-1] < 1e-3
    assert early.course.current[-1] > 25
    assert early.course.current[-1] > late.course.current[-1] > late.course.observed
    assert all(p.grad is None for p in net.parameters())
    with pytest.raises(UserError, match="layer=nothing: the network has no such module"):
        Maps(net, "nothing")
    with pytest.raises(UserError, match="no convolution"):
        last_convolution(nn.Linear(2, 2))


@pytest.mark.slow
@pytest.mark.parametrize("degradation", ["denoise", "inpaint", "super_resolution"])
def test_the_task_on_a_photograph(rbench: Rbench, degradation: str) -> None:
    words = ["run", "--task", "deep_image_prior", "--model", "dip_skip", "--img-size", "48"]
    words += ["--model-kwargs", "width=8", "scales=3", "input_channels=4", "--freeze", "spatial"]
    words += ["--task-kwargs", "steps=12", f"degradation={degradation}", "images=2"]
    done = rbench(*words, "--metrics", "restoration", "psnr", "--output", "o", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    (path,) = Path.cwd().joinpath("o").glob("*.json")
    record = json.loads(path.read_text())
    values = {m["name"]: m["value"] for m in record["metrics"]}
    assert values["psnr"] == pytest.approx(values["restoration_average"], abs=1e-3)
    assert values["restoration_oracle"] >= values["restoration_last"]
    assert record["freeze"]["frozen"]["sha256"] == record["freeze"]["sha256_after"]
    assert record["freeze"]["trained"]
    assert "learns: 1x1 convolutions, norms" in done.stdout
    assert "untrained" not in done.stdout
    assert len(record["history"]["psnr_last"]) == 12
    assert len(record["artifacts"]) == 1


@pytest.mark.slow
def test_the_inversion_of_a_random_network(rbench: Rbench) -> None:
    words = ["run", "--task", "inversion", "--model", "resnet18", "--img-size", "32"]
    words += ["--model-kwargs", "zero_init_last=false", "--task-kwargs", "steps=8", "layer=layer1"]
    done = rbench(*words, "--metrics", "psnr", "--output", "o", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    (path,) = Path.cwd().joinpath("o").glob("*.json")
    record = json.loads(path.read_text())
    assert record["history"]["loss"][-1] < record["history"]["loss"][0]
    assert record["network_sha256"] == record["result_sha256"]


def test_images_too_small_for_the_scales(rbench: Rbench) -> None:
    done = rbench("run", "--task", "deep_image_prior", "--model", "dip_skip", "--img-size", "16")
    assert done.returncode == 2
    assert "scales=5 needs images of 33 pixels" in done.stderr
