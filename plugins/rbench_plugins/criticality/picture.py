"""Criticality layer by layer as bars."""

from __future__ import annotations

from io import BytesIO

from matplotlib.figure import Figure
from PIL import Image

Results = dict[str, dict[str, dict[str, float]]]
"""mode -> layer -> number -> value."""


def draw(results: Results, spatial: set[str]) -> Image.Image:
    """A row per mode, a bar per layer from input to output; layers of spatial filters are dark."""
    names = list(next(iter(results.values())))
    width = max(5.0, 0.16 * len(names) + 1.5)
    figure = Figure(figsize=(width, 1.2 + 1.8 * len(results)), layout="constrained")
    panels = figure.subplots(len(results), 1, sharex=True, squeeze=False)[:, 0]
    colors = ["tab:blue" if name in spatial else "lightsteelblue" for name in names]
    for panel, (mode, by_layer) in zip(panels, results.items(), strict=True):
        heights = [by_layer[name]["criticality"] for name in names]
        panel.bar(range(len(names)), heights, color=colors)
        panel.set(ylim=(0, 1), ylabel=f"criticality, {mode}")
    panels[-1].set_xticks(range(len(names)), names, rotation=90, fontsize=6)
    file = BytesIO()
    figure.savefig(file, format="png", dpi=120)
    return Image.open(file)
