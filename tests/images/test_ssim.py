from __future__ import annotations

import numpy as np
import pytest
import torch
from rbench_plugins.images.ssim import Ssim, grey
from skimage.metrics import structural_similarity
from torchmetrics.functional.image import structural_similarity_index_measure

from rbench import UserError


def _pairs(height: int, width: int, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(0)
    a = torch.rand(3, 1, height, width, generator=g, dtype=torch.float64)
    b = (0.7 * a + 0.3 * torch.rand(3, 1, height, width, generator=g, dtype=torch.float64)).clip(
        0, 1
    )
    b[2] = 1 - b[2]
    return a.to(dtype), b.to(dtype)


def _skimage(a: torch.Tensor, b: torch.Tensor) -> float:
    return structural_similarity(
        a.double().numpy(),
        b.double().numpy(),
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=1.0,
    )


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
@pytest.mark.parametrize("size", [(11, 11), (40, 33), (64, 96)])
def test_equal_to_scikit_image(size: tuple[int, int], dtype: torch.dtype, tolerance: float) -> None:
    inputs, outputs = _pairs(*size, dtype)
    plain, inverted = Ssim(inputs)(outputs)
    for i in range(3):
        assert plain[i].item() == pytest.approx(
            _skimage(inputs[i, 0], outputs[i, 0]), abs=tolerance
        )
        assert inverted[i].item() == pytest.approx(
            _skimage(inputs[i, 0], 1 - outputs[i, 0]), abs=tolerance
        )
    assert plain[2] < 0 < inverted[2]


def test_equal_to_torchmetrics_without_its_border() -> None:
    inputs, outputs = _pairs(40, 33, torch.float64)
    _, full = structural_similarity_index_measure(
        outputs, inputs, data_range=1.0, return_full_image=True, reduction=None
    )
    expected = full[..., 5:-5, 5:-5].mean((1, 2, 3))
    torch.testing.assert_close(Ssim(inputs)(outputs)[0], expected, atol=1e-12, rtol=0)


def test_flat_and_photographic_float32() -> None:
    from skimage.data import chelsea

    cat = torch.from_numpy(chelsea()[:128, :128].copy()).permute(2, 0, 1)[None].float() / 255
    inputs = torch.cat([grey(cat), torch.full((1, 1, 128, 128), 0.99)])
    outputs = torch.cat([grey(cat).square(), torch.full((1, 1, 128, 128), 0.98)])
    plain, _ = Ssim(inputs)(outputs)
    for i in range(2):
        assert plain[i].item() == pytest.approx(_skimage(inputs[i, 0], outputs[i, 0]), abs=1e-5)


def test_networks_times_images_at_once() -> None:
    inputs, outputs = _pairs(20, 24, torch.float64)
    both = torch.stack([outputs, inputs])
    plain, _ = Ssim(inputs)(both)
    assert plain.shape == (2, 3)
    torch.testing.assert_close(plain[1], torch.ones(3, dtype=torch.float64))
    torch.testing.assert_close(plain[0], Ssim(inputs)(outputs)[0])


def test_the_papers_value_inverts_where_negative() -> None:
    inputs, outputs = _pairs(40, 75, torch.float32)
    plain, inverted = Ssim(inputs)(outputs)
    value, uninverted = Ssim(inputs).of_paper(torch.stack([outputs, 1 - outputs]))
    assert plain[2] < 0 < plain[1]
    torch.testing.assert_close(value[0], torch.stack([plain[0], plain[1], inverted[2]]))
    torch.testing.assert_close(uninverted, torch.stack([plain, inverted]), atol=1e-6, rtol=0)


def test_small_images_are_refused() -> None:
    with pytest.raises(UserError, match="11 pixels or more, not 10x32"):
        Ssim(torch.rand(1, 1, 32, 10))


def test_grey_is_pillows() -> None:
    from PIL import Image

    rgb = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    expected = np.asarray(Image.fromarray(rgb).convert("L")).astype(float)
    measured = grey(torch.from_numpy(rgb).permute(2, 0, 1).double())[0].numpy()
    assert np.abs(measured - expected).max() < 0.51
