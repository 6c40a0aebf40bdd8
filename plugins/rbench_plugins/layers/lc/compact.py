"""An LC-block whose filters may learn, trained with c_out/g + d rows in place of E c_out/g.

Let P (m x n) be the 1x1 weights of one group and R (n x d) its filters: n = E m filters for m
outputs, d taps each. Both stand in Z = [P^T | R], n x (m + d). With D the loss's gradient in the
combined filters W = P R, the gradients in P and R are D R^T and P^T D, so that Z's is

    [R D^T | P^T D] = Z [[0, D], [D^T, 0]]:

Z times a small matrix. SGD with momentum, Nesterov and weight decay adds up such gradients, their
earlier ones and Z itself, so that Z after any number of steps is Z_0 times a matrix of m + d rows.
Write Z_0 = Q U with orthonormal columns Q and a square U of m + d rows: the trajectory is Q U_t,
where U_t is what the same optimizer makes of U, because W = U_P^T U_R and D are the same. So E m
filters are trained exactly, up to rounding, at the price of m + d; only U is kept, and Q can be
had again by drawing Z_0 again. Freezing P or R leaves columns of U as they are and changes
nothing in this, and the norms of gradients are those of the large block, so that clipping them
is exact, too. It does not hold for optimizers that look at single entries, such as Adam.

The form has a gain where m + d < E m; at E = 128 in a 64-to-64 layer it is 640 rows for 8192.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from rbench_plugins.layers.lc.block import LCBlock
from rbench_plugins.layers.lc.draw import Filters, Slices, Source, slices
from rbench_plugins.layers.lc.shape import ConvShape

_WELL_CONDITIONED = 4
"""From this many rows per column on, i.i.d. numbers are multiplied in float32 before the sum."""


@dataclass(frozen=True)
class Factor:
    """``upper`` (groups, m + d, m + d), float64: U with U^T U = Z_0^T Z_0."""

    upper: Tensor

    def filters(self, shape: ConvShape) -> Filters:
        """U's columns as the weights of two grouped convolutions, float64."""
        g, m, n = shape.groups, shape.per_group, self.upper.shape[1]
        coefficients, rows = self.upper[..., :m], self.upper[..., m:]
        return Filters(
            rows.reshape(g * n, *shape.weight[1:]).contiguous(),
            coefficients.transpose(1, 2).reshape(shape.c_out, n, 1, 1).contiguous(),
        )


def pays(shape: ConvShape, expansion: int) -> bool:
    """Whether there are fewer rows to train than filters."""
    return shape.per_group + shape.taps < expansion * shape.per_group


def factor(
    shape: ConvShape, expansion: int, source: Source, products: torch.dtype | None = None
) -> Factor:
    """U of the block that ``source`` draws; memory does not depend on the expansion.

    Cholesky's factor, or where Z_0 has dependent columns (an initializer may repeat filters) the
    square root by eigenvalues. ``products`` is the precision in which some rows are multiplied
    before they are added in float64; None: float32 where that is safe.
    """
    m, d = shape.per_group, shape.taps
    good = source.draw is None and expansion * m >= _WELL_CONDITIONED * (m + d)
    products = products or (torch.float32 if good else torch.float64)
    total = torch.zeros(shape.groups, m + d, m + d, dtype=torch.float64)
    for part in slices(shape, expansion, source):
        z = _columns(part).to(products)
        total += z.transpose(1, 2) @ z
    upper, failed = torch.linalg.cholesky_ex(total, upper=True)
    if failed.any():
        values, vectors = torch.linalg.eigh(total)
        upper = values.clamp(min=0).sqrt()[..., None] * vectors.transpose(1, 2)
    return Factor(upper)


def _columns(part: Slices) -> Tensor:
    """Z_0's rows of some slices: (groups, n m, m + d)."""
    n, g, m, _ = part.filters.shape
    both = torch.cat([part.coefficients.transpose(2, 3), part.filters], dim=3)
    return both.transpose(0, 1).reshape(g, n * m, -1)


class LCCompact(LCBlock):
    """Stands for an LC-block of ``shape`` run folded, under an optimizer that is linear.

    ``spatial`` (g (m + d), c_in/groups, k, k) and ``pointwise`` (c_out, m + d, 1, 1) are U_R and
    U_P^T in the places of R and P.
    """

    def __init__(self, shape: ConvShape, expansion: int, source: Source) -> None:
        assert pays(shape, expansion)
        self_made = factor(shape, expansion, source).filters(shape)
        filters = Filters(self_made.spatial.float(), self_made.pointwise.float())
        super().__init__(shape, expansion, source, folded=True, filters=filters)
        self.source = source

    def represented(self) -> dict[str, int]:
        """How many numbers of the LC-block each parameter stands for."""
        filters = self.expansion * self.shape.c_out
        return {
            "spatial": filters * self.shape.taps,
            "pointwise": filters * self.shape.per_group,
        }

    def drawn_filters(self, at_most: int) -> Tensor:
        """The first filters of R as they are now, R = Q U_R: (n, d) with n <= ``at_most``."""
        upper = factor(self.shape, self.expansion, self.source).upper
        now = self.spatial.detach().double().cpu()
        change = torch.linalg.lstsq(upper, now.reshape(len(upper), -1, self.shape.taps)).solution
        rows: list[Tensor] = []
        for part in slices(self.shape, self.expansion, self.source):
            rows.append(_columns(part).double() @ change)
            if sum(r.shape[1] for r in rows) >= at_most:
                break
        return torch.cat(rows, dim=1).reshape(-1, self.shape.taps)[:at_most].float()
