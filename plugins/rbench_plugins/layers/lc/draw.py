"""The numbers of an LC-block, drawn in a stream of expansion slices.

An LC-block with expansion E has E slices: slice e holds c_out random filters and the 1x1 weights
that act on them. Slices come from streams of the block's own (the run's seed, the block's name),
one for filters and one for 1x1 weights, so that every execution draws the same numbers, whether
it keeps them (unfolded, folded) or adds them up and forgets them (gram). It follows that the
filters at expansion 8 are the first eight slices of those at expansion 128.

Both distributions are PyTorch's default, U(+-1/sqrt(fan_in)) (P2 eq. 3 and appendix B): fan_in is
d = c_in/groups k^2 for the filters, and E c_out/groups for the 1x1 weights. Where the run names
an initializer, each slice of filters is drawn by it as one convolution's weight would be.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from rbench import Layer, generator
from rbench_plugins.layers.lc.shape import ConvShape

_NUMBERS_AT_ONCE = 1 << 21

Draw = Callable[[Tensor, str, Layer], None]
"""Fills a filter bank (c_out, c_in/groups, k, k) of a layer from the stream of that name."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a block's numbers come from; ``draw`` None: PyTorch's default distribution.

    The block is number ``index`` of the network's ``count`` blocks.
    """

    seed: int
    name: str
    draw: Draw | None = None
    index: int = 0
    count: int = 1

    def layer(self, shape: ConvShape) -> Layer:
        """The convolution that one slice of the block's filters is."""
        return Layer(
            name=self.name,
            index=self.index,
            count=self.count,
            fan_in=shape.taps,
            fan_out=shape.per_group * math.prod(shape.kernel),
            stride=shape.stride[0],
            groups=shape.groups,
        )


@dataclass(frozen=True)
class Slices:
    """Some consecutive slices, n of them, float32, from slice ``start`` on.

    ``filters`` (n, groups, m, d), ``coefficients`` (n, groups, m, m) with m = c_out/groups: row
    o of group j weighs the m filters of that group and slice for output channel j m + o.
    """

    start: int
    filters: Tensor
    coefficients: Tensor


def slices(shape: ConvShape, expansion: int, source: Source) -> Iterator[Slices]:
    """All slices in order, as many at a time as keeps memory small."""
    stream = generator(source.seed, "lc", source.name, "spatial")
    coefficients = generator(source.seed, "lc", source.name, "pointwise")
    g, m, d = shape.groups, shape.per_group, shape.taps
    at_once = max(1, _NUMBERS_AT_ONCE // (shape.c_out * max(d, m)))
    a, b = 1 / math.sqrt(d), 1 / math.sqrt(expansion * m)
    for start in range(0, expansion, at_once):
        n = min(at_once, expansion - start)
        filters = torch.empty(n, g, m, d)
        if source.draw is None:
            filters.uniform_(-a, a, generator=stream)
        else:
            for i in range(n):
                bank = filters[i].view(shape.weight)
                source.draw(bank, f"lc/{source.name}/{start + i}", source.layer(shape))
        yield Slices(
            start,
            filters,
            torch.empty(n, g, m, m).uniform_(-1, 1, generator=coefficients).mul_(b),
        )


@dataclass(frozen=True)
class Filters:
    """All of a block's numbers, in the layout of two grouped convolutions.

    ``spatial`` (E c_out, c_in/groups, k, k) goes group by group, and slice by slice in each;
    ``pointwise`` (c_out, E c_out/groups, 1, 1) has its inputs in that order.
    """

    spatial: Tensor
    pointwise: Tensor


def keep(shape: ConvShape, expansion: int, source: Source) -> Filters:
    """All slices, kept, in the layout of two grouped convolutions."""
    g, m, d = shape.groups, shape.per_group, shape.taps
    spatial, pointwise = torch.empty(g, expansion, m, d), torch.empty(g, m, expansion, m)
    for part in slices(shape, expansion, source):
        to = part.start + len(part.filters)
        spatial[:, part.start : to] = part.filters.transpose(0, 1)
        pointwise[:, :, part.start : to] = part.coefficients.permute(1, 2, 0, 3)
    return Filters(
        spatial.view(expansion * shape.c_out, *shape.weight[1:]),
        pointwise.view(shape.c_out, expansion * m, 1, 1),
    )


@dataclass(frozen=True)
class Sums:
    """``combined`` is W = P R (c_out, c_in/groups, k, k), ``gram`` is R^T R (groups, d, d)."""

    combined: Tensor
    gram: Tensor


def add_up(
    shape: ConvShape,
    expansion: int,
    source: Source,
    gram: bool = True,
    products: torch.dtype = torch.float32,
) -> Sums:
    """W = P R, float32, and G = R^T R, float64, added up in float64 over all slices.

    ``products`` is the precision in which some slices are multiplied before they are added; of
    the filters' rank, float32 says nothing beyond its rounding. Memory does not depend on the
    expansion. With ``gram`` False, G is left empty.
    """
    g, m, d = shape.groups, shape.per_group, shape.taps
    combined = torch.zeros(g, m, d, dtype=torch.float64)
    total = torch.zeros(g, d, d, dtype=torch.float64) if gram else torch.empty(0)
    for part in slices(shape, expansion, source):
        rows = part.filters.transpose(0, 1).reshape(g, -1, d).to(products)
        weights = part.coefficients.permute(1, 2, 0, 3).reshape(g, m, -1).to(products)
        combined += weights @ rows
        if gram:
            total += rows.transpose(1, 2) @ rows
    return Sums(combined.float().view(shape.weight), total)
