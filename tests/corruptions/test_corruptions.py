"""The 15 corruptions against scipy, scikit-image, Pillow and formulas, on a real photograph."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image
from rbench_plugins.corruptions import blur, digital, noise, weather
from rbench_plugins.corruptions.make import corrupt, parameters_of
from rbench_plugins.corruptions.tables import ALEXNET, NAMES, SEVERITIES, TABLES
from scipy import ndimage
from skimage import color, data, transform
from torch import Tensor

from rbench import UserError

SIZE = 96
CIFAR_TOO = ("imagenet", "cifar")


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    """(96, 96, 3) float32, 8-bit values."""
    image = Image.fromarray(data.chelsea()).resize((SIZE, SIZE), Image.Resampling.BICUBIC)
    return np.asarray(image, dtype=np.float32) / 255


@pytest.fixture(scope="module")
def tensor(photo: np.ndarray) -> Tensor:
    return torch.from_numpy(photo.copy()).movedim(-1, 0)[None]


def randoms(count: int = 1, seed: int = 0) -> list[np.random.Generator]:
    return [np.random.default_rng([seed, i]) for i in range(count)]


@pytest.mark.parametrize("scale", CIFAR_TOO)
@pytest.mark.parametrize("name", NAMES)
def test_every_corruption_at_every_severity(name: str, scale: str, tensor: Tensor) -> None:
    images = tensor[..., :32, 30:62] if scale == "cifar" else tensor
    distances = []
    for severity in SEVERITIES:
        changed = corrupt(images, name, severity, numbers=[4])
        assert changed.shape == images.shape
        assert changed.min() >= 0
        assert changed.max() <= 1
        torch.testing.assert_close(changed * 255, (changed * 255).round())  # 8-bit values
        again = corrupt(images, name, severity, numbers=[4])
        assert torch.equal(changed, again)
        distances.append((changed - images).abs().mean().item())
    assert min(distances) > 0
    if name not in ("elastic_transform", "frost", "glass_blur", "snow"):
        assert distances[-1] > distances[0]


@pytest.mark.parametrize("name", NAMES)
def test_an_image_does_not_depend_on_its_batch(name: str, tensor: Tensor) -> None:
    images = torch.cat([tensor[..., :32, :32], tensor[..., 40:72, 40:72]])
    together = corrupt(images, name, 3, numbers=[7, 8])
    alone = corrupt(images[1:], name, 3, numbers=[8])
    torch.testing.assert_close(together[1:], alone, atol=1.01 / 255, rtol=0)
    grey = corrupt(images.mean(1, keepdim=True), name, 3, numbers=[7, 8])
    assert grey.shape == (2, 1, 32, 32)


def test_noise_has_the_moments_of_its_distribution() -> None:
    flat = np.full((1, 200, 200, 3), 0.4, dtype=np.float32)
    n = flat.size
    normal = noise.gaussian_noise(flat, randoms(), 0.08)
    assert abs(normal.mean() - 0.4) < 4 * 0.08 / n**0.5
    assert normal.std() == pytest.approx(0.08, rel=0.01)
    shot = noise.shot_noise(flat, randoms(), 25)
    assert shot.mean() == pytest.approx(0.4, abs=4 * (0.4 / 25 / n) ** 0.5)
    assert shot.var() == pytest.approx(0.4 / 25, rel=0.02)
    salted = noise.impulse_noise(flat, randoms(), 0.1)
    assert (salted == 1).mean() == pytest.approx(0.05, abs=4 * (0.05 / n) ** 0.5)
    assert (salted == 0).mean() == pytest.approx(0.05, abs=4 * (0.05 / n) ** 0.5)


@pytest.mark.parametrize(("radius", "smoothing"), [(3, 0.1), (6, 0.5), (1.5, 0.1), (0.4, 0.5)])
def test_defocus_is_a_mirrored_convolution(
    radius: float, smoothing: float, photo: np.ndarray
) -> None:
    half = 12
    at = np.arange(-half, half + 1)
    flat = (np.hypot(at[:, None], at[None]) <= radius).astype(float)
    kernel = ndimage.gaussian_filter(flat / flat.sum(), smoothing, truncate=1 / smoothing)
    expected = np.stack(
        [ndimage.convolve(photo[..., c], kernel, mode="mirror") for c in range(3)], -1
    )
    found = blur.defocus_blur(photo[None], randoms(), radius, smoothing)[0]
    np.testing.assert_allclose(found, expected, atol=2e-6)


def test_motion_blur_is_a_sum_of_shifted_images(photo: np.ndarray) -> None:
    radius, sigma, angle = 7, 3.0, 30.0
    weights = np.exp(-(np.arange(15) ** 2) / (2 * sigma**2))
    padded = np.pad(photo, ((20, 20), (20, 20), (0, 0)), mode="edge")
    expected = np.zeros_like(photo)
    for i, weight in enumerate(weights / weights.sum()):
        down = int(np.ceil(i * np.sin(np.pi / 6) - 0.5))
        right = int(np.ceil(i * np.cos(np.pi / 6) - 0.5))
        top, left = 20 + down, 20 + right
        expected += weight * padded[top : top + SIZE, left : left + SIZE]
    found = blur.streaked(photo[None], np.array([angle]), radius, sigma)[0]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_zoom_is_scipys(photo: np.ndarray) -> None:
    for factor in (1.03, 1.2):
        crop = int(np.ceil(SIZE / factor))
        top = (SIZE - crop) // 2
        inner = photo[top : top + crop, top : top + crop]
        large = ndimage.zoom(inner, (factor, factor, 1), order=1)
        trim = (len(large) - SIZE) // 2
        expected = large[trim : trim + SIZE, trim : trim + SIZE]
        np.testing.assert_allclose(blur.zoomed(photo[None], factor)[0], expected, atol=1e-5)


def test_glass_blur_moves_pixels_nearby_only() -> None:
    ramp = np.arange(40, dtype=np.float32)[None, :, None, None] / 255
    image = np.broadcast_to(ramp, (1, 40, 40, 3)).copy()
    moved = blur.glass_blur(image, randoms(), 0.01, 2, 1)
    # One pass from the bottom up: a row takes from up to two rows below itself or its source.
    assert 0 < np.abs(moved - image).max() * 255 <= 2 * 2 + 1


def test_elastic_transform_is_scikit_images_warp_and_scipys_displacement(
    photo: np.ndarray,
) -> None:
    displacement, sigma, corners = 5.0, 3.0, 4.0
    random = np.random.default_rng(5)
    middle, reach = SIZE // 2, SIZE // 3
    before = middle + reach * np.array([[1, 1], [1, -1], [-1, -1]])
    after = before + random.uniform(-corners, corners, (3, 2))
    inverse = transform.AffineTransform.from_estimate(after, before)
    warped = transform.warp(photo, inverse, order=1, mode="reflect")
    fields = random.uniform(-1, 1, (2, SIZE, SIZE))
    right, down = (
        ndimage.gaussian_filter(f, sigma, mode="reflect", truncate=3) * displacement for f in fields
    )
    rows, columns = np.mgrid[:SIZE, :SIZE]
    expected = np.stack(
        [
            ndimage.map_coordinates(
                warped[..., c], [rows + down, columns + right], order=1, mode="reflect"
            )
            for c in range(3)
        ],
        -1,
    )
    found = digital.elastic_transform(
        photo[None], [np.random.default_rng(5)], displacement, sigma, corners
    )[0]
    # Beyond the edge, scikit-image and torch mirror alike but for a row of pixels.
    np.testing.assert_allclose(found[8:-8, 8:-8], expected[8:-8, 8:-8], atol=2e-5)


def test_brightness_is_scikit_images_hsv(photo: np.ndarray) -> None:
    hsv = color.rgb2hsv(photo)
    hsv[..., 2] = (hsv[..., 2] + 0.3).clip(0, 1)
    found = weather.brightness(photo[None], randoms(), 0.3)[0]
    np.testing.assert_allclose(found, color.hsv2rgb(hsv), atol=1e-5)
    black = np.zeros((1, 2, 2, 3), dtype=np.float32)
    np.testing.assert_allclose(weather.brightness(black, randoms(), 0.3), 0.3, atol=1e-7)


def test_contrast_pixelate_and_jpeg(photo: np.ndarray) -> None:
    found = digital.contrast(photo[None], randoms(), 0.2)[0]
    np.testing.assert_allclose(found.mean((0, 1)), photo.mean((0, 1)), atol=1e-5)
    np.testing.assert_allclose(found.std((0, 1)), 0.2 * photo.std((0, 1)), rtol=1e-4)
    pixels = Image.fromarray((photo * 255).round().astype(np.uint8))
    file = BytesIO()
    pixels.save(file, "JPEG", quality=15)
    expected = np.asarray(Image.open(file), dtype=np.float32) / 255
    assert (digital.jpeg_compression(photo[None], randoms(), 15)[0] == expected).all()
    coarse = digital.pixelate(photo[None], randoms(), 0.5)[0]
    blocks = photo.reshape(48, 2, 48, 2, 3).mean((1, 3))
    np.testing.assert_allclose(
        coarse[::2, ::2], blocks, atol=1.01 / 255
    )  # Pillow rounds rows, then columns
    assert (coarse[::2] == coarse[1::2]).all()


def test_fog_and_its_fractal(photo: np.ndarray) -> None:
    for size, side in ((32, 32), (33, 64), (200, 256)):
        (field,) = weather.plasma(randoms(), size, 2)
        assert field.shape == (side, side)
        assert (field.min(), field.max()) == (0, 1)
    # A larger decay is a smoother cloud: neighbors differ less.
    rough, smooth = (
        np.abs(np.diff(weather.plasma(randoms(8), 64, decay), axis=1)).mean()
        for decay in (1.4, 2.5)
    )
    assert smooth < 0.6 * rough
    foggy = weather.fog(photo[None], randoms(), 1.5, 2)[0]
    cloud = weather.plasma(randoms(), SIZE, 2)[0, :SIZE, :SIZE, None]
    largest = photo.max()
    np.testing.assert_allclose(foggy, (photo + 1.5 * cloud) * largest / (largest + 1.5), atol=1e-6)


def test_frost_has_the_colors_of_the_photographs() -> None:
    black = np.zeros((40, 64, 64, 3), dtype=np.float32)
    layers = weather.frost(black, randoms(40), 1, 1)
    found = {tuple(np.round(layer.mean((0, 1)), 2).tolist()) for layer in layers}
    known = {tuple(np.round(np.array(color), 2).tolist()) for color, _ in weather.FROST}
    for mean in found:
        assert min(np.abs(np.subtract(mean, other)).max() for other in known) < 0.02


def test_tables_are_complete_and_lengths_follow_the_image() -> None:
    for table in TABLES.values():
        assert set(table) == set(NAMES) == set(ALEXNET)
        assert all(len(rows) == 5 for rows in table.values())
    assert parameters_of("jpeg_compression", 1, 32, 32) == (80,)
    assert parameters_of("jpeg_compression", 1, 224, 224) == (25,)
    assert parameters_of("elastic_transform", 1, 224, 224) == pytest.approx((488, 170.8, 24.4))
    assert parameters_of("elastic_transform", 2, 32, 32) == pytest.approx((1.6, 6.4, 2.24))


def test_four_channels_are_one_line() -> None:
    with pytest.raises(UserError, match="not of 4 channels"):
        corrupt(torch.zeros(1, 4, 8, 8), "fog", 1, numbers=[0])
