"""Contact sheets of stylized pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from rbench_plugins.images.grid import Tile, grid, to_pil

if TYPE_CHECKING:
    from PIL.Image import Image

    from rbench_plugins.stylization.outcome import StylizationOutcome

MOST_ROWS = 40


def contact_sheet(outcome: StylizationOutcome, title: str) -> Image:
    """One network: contents down, styles across. Several: a row per pair, a column per network."""
    contents, styles, pairs = outcome.contents, outcome.styles, outcome.pairs
    networks = len(outcome.outputs)
    rows: list[list[Tile]] = []
    if networks == 1:
        rows.append([Tile(None, title)])
        rows[0] += [Tile(p, n) for p, n in zip(styles, outcome.style_names, strict=True)]
        of = dict(zip(pairs, outcome.outputs[0], strict=True))
        for c, (content, name) in enumerate(zip(contents, outcome.content_names, strict=True)):
            rows.append([Tile(content, name)])
            rows[-1] += [
                Tile(of[(c, s)], f"{name} + {outcome.style_names[s]}") for s in range(len(styles))
            ]
        return _sheet(rows[: MOST_ROWS + 1])
    for p, (c, s) in enumerate(pairs):
        rows.append(
            [
                Tile(contents[c], outcome.content_names[c]),
                Tile(styles[s], outcome.style_names[s]),
            ]
        )
        rows[-1] += [
            Tile(
                outcome.outputs[k, p], f"network {k + 1}, {title}" if k == 0 else f"network {k + 1}"
            )
            for k in range(networks)
        ]
    return _sheet(rows[:MOST_ROWS])


def plain_sheet(outcome: StylizationOutcome) -> Image:
    """The pictures alone, a row per pair and a column per network: for figures of many records."""
    rows = [torch.cat(list(row), 2) for row in outcome.outputs.transpose(0, 1)[:MOST_ROWS]]
    return to_pil(torch.cat(rows, 1))


def _sheet(rows: list[list[Tile]]) -> Image:
    return grid(rows, one_size=True, at_least=0)
