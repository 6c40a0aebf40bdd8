from __future__ import annotations

import pytest
import torch
from rbench_plugins.images.mappings import MAPPINGS, GreyMatched, mapping
from rbench_plugins.images.ssim import grey

from rbench import UnknownName

G = torch.Generator().manual_seed(3)
INPUTS = torch.rand(2, 3, 16, 12, generator=G)
OUTPUTS = torch.randn(2, 3, 16, 12, generator=G) * 5 + 2


@pytest.mark.parametrize("name", MAPPINGS)
def test_every_mapping_gives_images(name: str) -> None:
    for outputs in (OUTPUTS, OUTPUTS[:, :1], torch.zeros_like(OUTPUTS), OUTPUTS * 1e17):
        image = mapping(name)(outputs, INPUTS)
        assert image.shape[-2:] == INPUTS.shape[-2:]
        assert torch.isfinite(image).all()
        assert image.min() >= 0
        assert image.max() <= 1


@pytest.mark.parametrize("name", ["minmax", "grey_matched", "relu_minmax", "sigmoid", "affine_fit"])
def test_scale_does_not_matter(name: str) -> None:
    """Facts C7: of a bias-free random network, the weights' scale is lost in the mapping."""
    torch.testing.assert_close(
        mapping(name)(OUTPUTS, INPUTS), mapping(name)(OUTPUTS * 1000, INPUTS), atol=1e-5, rtol=1e-4
    )


def test_minmax_is_joint_over_channels() -> None:
    image = mapping("minmax")(OUTPUTS, INPUTS)
    assert image.amin((1, 2, 3)).tolist() == [0, 0]
    assert image.amax((1, 2, 3)).tolist() == pytest.approx([1, 1])
    channel_extremes = image.amax((2, 3))
    assert (channel_extremes < 1).sum() == 4


def test_grey_matched_has_the_inputs_moments() -> None:
    outputs = 3 * grey(INPUTS) * 40 - 7
    torch.testing.assert_close(
        mapping("grey_matched")(outputs, INPUTS), grey(INPUTS), atol=1e-5, rtol=0
    )


def test_grey_matched_networks_each_with_their_image() -> None:
    networks = torch.stack([OUTPUTS, OUTPUTS.flip(0) ** 2, OUTPUTS * 1e20])
    matched = GreyMatched(INPUTS)(networks)
    for network, images in zip(networks, matched, strict=True):
        for i in range(2):
            plane, target = grey(network)[i].double(), grey(INPUTS)[i].double()
            expected = (plane - plane.mean()) / plane.std() * target.std() + target.mean()
            torch.testing.assert_close(images[i].double(), expected.clamp(0, 1), atol=1e-5, rtol=0)


def test_the_fit_undoes_any_color_map_and_nothing_else() -> None:
    mix = torch.tensor([[1.0, 2, 0], [0, -1, 3], [2, 0, 1]])
    mixed = torch.einsum("dc,bchw->bdhw", mix, INPUTS) + 4
    torch.testing.assert_close(mapping("affine_fit")(mixed, INPUTS), INPUTS, atol=1e-4, rtol=0)
    noise = mapping("affine_fit")(OUTPUTS, INPUTS)
    assert (noise - INPUTS).square().mean() > 0.9 * (
        INPUTS - INPUTS.mean((2, 3), True)
    ).square().mean()


def test_an_unknown_mapping_is_named() -> None:
    with pytest.raises(UnknownName, match="minmax"):
        mapping("minmx")
