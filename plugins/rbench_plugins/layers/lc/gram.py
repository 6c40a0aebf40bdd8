"""An LC-block with frozen filters, trained as the one convolution that it amounts to.

Let R be the frozen filters, P the 1x1 weights, W = P R the combined filters and D the loss's
gradient in W, so that the gradient in P is D R^T. SGD with rate lr, weight decay wd, momentum mu
(and Nesterov or dampening) steps P by -lr v, where v is linear in the gradients D R^T + wd P so
far. Multiplying all of it by R from the right turns each D R^T + wd P into D R^T R + wd W: SGD
on W itself with the gradient multiplied by the Gram matrix G = R^T R, and weight decay on W as
it is. So W's trajectory is exactly that of the two convolutions, at the price of one, whatever
the expansion, and neither R nor P has to be kept.

It holds for optimizers whose step is linear in gradients and weights (SGD), up to rounding. It
does not for Adam and its kin, nor where gradients are clipped by a norm: the norm of D G is not
that of D R^T. Under mixed precision both forms round differently and agree as far as bf16 does.

For i.i.d. filters of PyTorch's default distribution, G tends to E c_out / (3 d) times the
identity (per group: its filters, its d taps): growing E acts as a step size. ``expected`` puts this
expectation in place of G; it is a control, not the LC-block.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from rbench_plugins.layers.lc.block import plain
from rbench_plugins.layers.lc.draw import Source, add_up, slices
from rbench_plugins.layers.lc.gradient import map_gradient
from rbench_plugins.layers.lc.shape import ConvShape


def expected_gram(shape: ConvShape, expansion: int) -> float:
    """E c_out / groups filters, each tap of variance 1/(3 d)."""
    return expansion * shape.per_group / (3 * shape.taps)


class LCGram(nn.Module):
    """Stands for an LC-block of ``shape`` whose filters are frozen.

    ``weight`` (c_out, c_in/groups, k, k) is W; the buffer ``gram`` is G, (groups, d, d), or its
    expected diagonal, (). The buffer follows from seed and name and is not in the state dict.
    """

    gram: Tensor

    def __init__(
        self,
        shape: ConvShape,
        expansion: int,
        source: Source,
        *,
        expected: bool = False,
    ) -> None:
        super().__init__()
        self.shape, self.expansion, self.expected = shape, expansion, expected
        self.source = source
        sums = add_up(shape, expansion, source, gram=not expected)
        gram = torch.tensor(expected_gram(shape, expansion)) if expected else sums.gram.float()
        self.weight = nn.Parameter(sums.combined)
        self.bias = nn.Parameter(torch.zeros(shape.c_out)) if shape.bias else None
        self.register_buffer("gram", gram, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """One convolution; W's gradient will arrive as D G."""
        return self.shape.convolve(images, map_gradient(self.weight, self.gram), self.bias)

    def spatial_parameters(self) -> Iterable[str]:
        """None: the filters are drawn, added up and forgotten."""
        return ()

    def represented(self) -> dict[str, int]:
        """How many numbers of the LC-block W stands for: the 1x1 weights; and the filters."""
        filters = self.shape.c_out * self.expansion
        return {
            "weight": filters * self.shape.per_group,
            "spatial": filters * self.shape.taps,
        }

    def combined_weight(self) -> Tensor:
        """W."""
        return self.weight

    def drawn_filters(self, at_most: int) -> Tensor:
        """The first filters of R, drawn again and flattened: (n, d) with n <= ``at_most``."""
        rows: list[Tensor] = []
        found = 0
        for part in slices(self.shape, self.expansion, self.source):
            rows.append(part.filters.reshape(-1, self.shape.taps))
            found += len(rows[-1])
            if found >= at_most:
                break
        return torch.cat(rows)[:at_most]

    def gram_matrix(self) -> Tensor:
        """R^T R of each group, (groups, d, d), float64, of the filters drawn again."""
        return add_up(self.shape, self.expansion, self.source, products=torch.float64).gram

    def folded(self) -> nn.Conv2d:
        """The plain convolution that computes the same."""
        return plain(self.shape, self.weight, self.bias)

    def extra_repr(self) -> str:
        """What print shows."""
        return f"{self.shape}, expansion={self.expansion}, expected={self.expected}"
