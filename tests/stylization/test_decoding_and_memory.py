"""The mapping to images, the judges, and the estimate of memory."""

from __future__ import annotations

import pytest
import torch
from rbench_plugins.stylization.decoding import Decode, fit_linear
from rbench_plugins.stylization.evaluation import (
    ReferenceNetwork,
    content_distances,
    style_distances,
)
from rbench_plugins.stylization.memory import SHARE, Cost, batch_size
from torch import nn

from rbench import UserError


class Pair(nn.Module):
    """Features that are the image; a decoder that mixes its channels."""

    def __init__(self) -> None:
        super().__init__()
        self.decoder = nn.Sequential(nn.Conv2d(3, 5, 1, bias=False), nn.Conv2d(5, 3, 1, bias=False))

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        return images

    def decode(self, features: torch.Tensor, size: tuple[int, int] | None = None) -> torch.Tensor:
        return self.decoder(features)


def images(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def test_a_linear_map_is_found_exactly() -> None:
    maps, other = images(2, 4, 6, 5), images(2, 4, 3, 3, seed=1)
    weight, offset = images(2, 3, 4, seed=2) / 8, images(2, 3, 1, seed=3) / 8

    def truth(x: torch.Tensor) -> torch.Tensor:
        return (weight @ x.flatten(2) + offset).unflatten(-1, x.shape[-2:])

    found = fit_linear([maps, other], [truth(maps), truth(other)], ridge=0.0)
    torch.testing.assert_close(found.weight, weight, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(found(maps), truth(maps), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("mapping", ["readout", "affine", "affine_style", "affine_content"])
def test_a_decoder_that_loses_nothing_gives_the_content_back(mapping: str) -> None:
    torch.manual_seed(0)
    decode = Decode(Pair(), mapping)  # type: ignore[arg-type]
    content, style = images(2, 3, 8, 8), images(2, 3, 8, 8, seed=1)
    decode.fit((content, content), (style, style))
    torch.testing.assert_close(decode(content, (8, 8)), content, rtol=0.05, atol=0.05)


def test_minmax_spans_the_range() -> None:
    decode = Decode(Pair(), "minmax")
    content = images(2, 3, 8, 8)
    decode.fit((content, content), (content, content))
    out = decode(content * 50, (8, 8))
    assert out.amin((1, 2, 3)).tolist() == pytest.approx([0, 0], abs=1e-6)
    assert out.amax((1, 2, 3)).tolist() == pytest.approx([1, 1], abs=1e-6)


def test_a_network_without_a_decoder_is_refused() -> None:
    with pytest.raises(UserError, match="a Conv2d, has no encode and no decode; rrvgg has both"):
        Decode(nn.Conv2d(3, 3, 1), "minmax")


def test_judges_are_fixed_and_find_a_style_in_itself() -> None:
    style, other = images(2, 3, 32, 32), images(2, 3, 32, 32, seed=1) ** 4
    judge = ReferenceNetwork(0)
    for kind in ("gram", "moments"):
        assert style_distances(style, style, judge, kind).tolist() == pytest.approx([0, 0])
        assert float(style_distances(other, style, judge, kind).min()) > 0.05
    torch.testing.assert_close(
        style_distances(other, style, judge, "gram"),
        style_distances(other, style, ReferenceNetwork(0), "gram"),
    )
    different = style_distances(other, style, ReferenceNetwork(1), "gram")
    assert not torch.allclose(different, style_distances(other, style, judge, "gram"))
    # Where things are does not matter to a style, but does to a content.
    mirrored = style.flip(-1)
    assert float(content_distances(mirrored, style, judge).min()) > 0.1


def test_memory_is_refused_with_a_size_that_fits() -> None:
    cost = Cost(64, 1, (48, 64, 96, 96), (1, 1, 1, 1), True)
    size = (4000, 3000)
    free = 4 * 2**30
    with pytest.raises(
        UserError, match=r"3000x4000 pixels need about .* at most --img-size"
    ) as info:
        batch_size(cost, size, size, free, 8)
    height, width = (int(word) for word in str(info.value).split()[-2:])
    assert 0.7 < width / height < 0.8
    assert batch_size(cost, (height, width), (height, width), free, 8) == 1
    assert cost.bytes((height + 40, width + 30), (height + 40, width + 30)) > SHARE * free
    assert batch_size(cost, (64, 64), (64, 64), free, 8) == 8
    assert 1 < batch_size(cost, (256, 256), (256, 256), free, 99) < 99
