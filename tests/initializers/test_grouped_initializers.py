"""Initializers that make a layer an identity or isometry do so in grouped convolutions, too."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rbench import Layer
from tests.initializers.test_initializers import BY_NAME, draw


def grouped(name: str, shape: tuple[int, ...], layer: int, **options: Any) -> Tensor:
    component, weight = BY_NAME[name], torch.full(shape, float("nan"))
    stream = torch.Generator().manual_seed(0)
    component.draw(weight, stream, component.options(**options), Layer(name="conv", groups=layer))
    return weight


@pytest.mark.parametrize("groups", [1, 2, 8])
def test_dirac_is_the_identity(groups: int) -> None:
    images = torch.rand(2, 8, 9, 9)
    weight = grouped("dirac", (8, 8 // groups, 5, 5), groups)
    assert torch.equal(F.conv2d(images, weight, padding=2, groups=groups), images)


@pytest.mark.parametrize(("own", "asked", "parts"), [(2, 1, 2), (2, 4, 4), (4, 4, 4), (2, 5, 2)])
def test_parts_of_dirac_are_torchs(own: int, asked: int, parts: int) -> None:
    """5 parts of 16 outputs cannot be made, and the layer's groups stay."""
    expected = torch.empty(16, 3, 3, 3)
    nn.init.dirac_(expected, groups=parts)
    assert torch.equal(grouped("dirac", (16, 3, 3, 3), own, groups=asked), expected)


@pytest.mark.parametrize("groups", [1, 4, 32])
def test_delta_orthogonal_is_an_isometry_of_every_group(groups: int) -> None:
    weight = grouped("delta_orthogonal", (32, 32 // groups, 3, 3), groups, gain=2.0)
    images = torch.randn(4, 32, 6, 6, generator=torch.Generator().manual_seed(0))
    maps = F.conv2d(F.pad(images, (1, 1, 1, 1), mode="circular"), weight, groups=groups)
    lengths = [part.flatten(2).norm(dim=(0, 2)) for part in (images, maps)]
    before, after = (length.view(groups, -1).norm(dim=1) for length in lengths)
    torch.testing.assert_close(after, 2 * before)


def test_groups_of_delta_orthogonal_differ() -> None:
    centre = grouped("delta_orthogonal", (64, 1, 3, 3), 64)[:, 0, 1, 1]
    torch.testing.assert_close(centre.abs(), torch.ones(64))
    assert 10 < int((centre > 0).sum()) < 54  # signs are drawn


@pytest.mark.parametrize("name", ["dirac", "delta_orthogonal"])
def test_layers_without_groups_are_as_before(name: str) -> None:
    assert torch.equal(grouped(name, (12, 8, 3, 3), 1), draw(name, (12, 8, 3, 3)))
