"""Grids of pictures: sizes, places, captions."""

from __future__ import annotations

import numpy as np
import torch
from rbench_plugins.images.grid import CAPTION, Tile, grid, stretch, to_pil


def test_without_captions_tiles_lie_side_by_side() -> None:
    red = torch.tensor([1.0, 0, 0])[:, None, None].expand(3, 2, 3)
    grey = torch.full((1, 2, 3), 0.5)
    sheet = grid([[Tile(red), Tile(grey)], [Tile(None), Tile(red)]], at_least=6, gap=1)
    assert sheet.size == (2 * 7 + 1, 2 * 5 + 1)
    pixels = np.asarray(sheet)
    assert (pixels[1:5, 1:7] == (255, 0, 0)).all()
    assert (pixels[1:5, 8:14] == 128).all()
    assert (pixels[6:10, 1:7] == 255).all()  # nothing is white
    assert (pixels[6:10, 8:14] == (255, 0, 0)).all()
    assert (pixels[0] == 255).all()


def test_captions_have_a_line_and_are_cut_at_the_cells_width() -> None:
    black = torch.zeros(1, 40, 40)
    short, long = (np.asarray(grid([[Tile(black, text)]], at_least=0)) for text in ("a", "a" * 99))
    assert short.shape == long.shape == (40 + CAPTION + 8, 48, 3)
    assert (short[:CAPTION] < 128).any()
    assert (long[:CAPTION, 45:] == 255).all()
    assert (short[4 + CAPTION : -4, 4:44] == 0).all()


def test_one_size_fits_all_into_the_first() -> None:
    first, wide = torch.zeros(3, 20, 20), torch.zeros(3, 20, 80)
    pixels = np.asarray(grid([[Tile(first), Tile(wide)]], one_size=True, at_least=0, gap=2))
    assert pixels.shape == (24, 46, 3)
    second = pixels[2:22, 24:44]
    assert (second[8:12] < 10).all()  # centered, a quarter as high as wide
    assert (second[:6] == 255).all()


def test_pixels_are_rounded_and_clamped() -> None:
    image = torch.tensor([[-1.0, 0.5], [0.4999, 2.0]])
    assert np.asarray(to_pil(image))[..., 0].tolist() == [[0, 128], [127, 255]]
    assert stretch(torch.tensor([[2.0, 4.0], [3.0, 2.0]])).tolist() == [[0, 1], [0.5, 0]]
