"""Channels, sizes and moments of images in memory."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from rbench_plugins.datasets.memory import channelled, in_memory, moments_of, resized
from rbench_plugins.datasets.published import revision_of
from skimage.data import astronaut

from rbench import DataContext, UserError


@pytest.fixture
def photos() -> torch.Tensor:
    """(2, 3, 40, 30) uint8."""
    image = torch.from_numpy(astronaut()).permute(2, 0, 1)
    return torch.stack([image[:, 100:140, 200:230], image[:, 0:40, 0:30]])


def test_grey_is_pillows(photos: torch.Tensor) -> None:
    grey = channelled(photos, 1)
    for image, plane in zip(photos, grey, strict=True):
        expected = np.asarray(Image.fromarray(image.permute(1, 2, 0).numpy()).convert("L"))
        assert (plane[0].numpy() == expected).all()


def test_resized_is_pillows(photos: torch.Tensor) -> None:
    for image, small in zip(photos, resized(photos, (16, 20)), strict=True):
        pil = Image.fromarray(image.permute(1, 2, 0).numpy())
        expected = np.asarray(pil.resize((20, 16), Image.Resampling.BICUBIC))
        assert (small.permute(1, 2, 0).numpy() == expected).all()


def test_moments(photos: torch.Tensor) -> None:
    mean, std = moments_of(photos)
    values = photos.double() / 255
    assert mean == pytest.approx(values.mean((0, 2, 3)).tolist(), rel=1e-12)
    assert std == pytest.approx(values.std((0, 2, 3), correction=0).tolist(), rel=1e-12)
    assert moments_of(torch.full((2, 1, 3, 3), 255, dtype=torch.uint8)) == ((1.0,), (1.0,))


def test_revision_depends_on_bytes_and_their_borders() -> None:
    assert revision_of([b"ab", b"c"]) != revision_of([b"a", b"bc"])
    assert revision_of([b"ab", b"c"]) == revision_of(iter([b"ab", b"c"]))


def test_given_moments_hold_only_for_the_channels_they_were_given_for() -> None:
    split = (np.full((4, 3, 2, 2), 51, dtype=np.uint8), [0, 1, 0, 1])
    given = ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))

    def opened(in_chans: int | None) -> tuple[float, ...]:
        context = DataContext(in_chans=in_chans)
        return in_memory(context, "x", split, split, "ab", revision="1", moments=given).mean

    assert opened(None) == opened(3) == given[0]
    assert opened(1) == pytest.approx([0.2])


@pytest.mark.parametrize(
    ("count", "labels", "complaint"),
    [
        (0, [], "x has no train images"),
        (2, [0], "x is broken: 2 train images, 1 labels"),
        (2, [0, 2], "x is broken: a train label is not in 0..1"),
        (2, [0, -1], "x is broken: a train label is not in 0..1"),
    ],
)
def test_broken_sets(count: int, labels: list[int], complaint: str) -> None:
    split = (np.zeros((count, 1, 2, 2), dtype=np.uint8), labels)
    with pytest.raises(UserError) as error:
        in_memory(DataContext(), "x", split, split, "ab", revision="1")
    assert str(error.value) == complaint
