"""The LC-block (P2 section 4, Fig 3): k x k filters, E times as many as outputs, then a 1x1.

With nothing between the two, they fold into one convolution with the combined filters
W = P R (Lemma 3.1): R the filters, P the 1x1 weights. The block can be run either way. Two more
ways do not keep what was drawn: :mod:`rbench_plugins.layers.lc.gram` where R is frozen, and
:mod:`rbench_plugins.layers.lc.compact` where it may learn.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rbench import UserError
from rbench_plugins.layers.lc.draw import Filters, Source, keep
from rbench_plugins.layers.lc.shape import ConvShape


class LCBlock(nn.Module):
    """Stands for a convolution of ``shape`` and maps (B, c_in, H, W) to (B, c_out, H', W').

    ``spatial`` (E c_out, c_in/groups, k, k) holds the filters R, ``pointwise``
    (c_out, E c_out/groups, 1, 1) the combinations P; the 1x1 has the groups of the spatial
    convolution, so that the block folds into a convolution of ``shape``. The bias, where the
    shape has one, is the 1x1's. ``between`` is the operation after the spatial convolution:
    none, relu, bn or bn_relu (P2 Table 3). ``folded`` changes cost, not the function. ``filters``
    are the weights to start from, where ``source`` is not to be asked.
    """

    def __init__(
        self,
        shape: ConvShape,
        expansion: int,
        source: Source,
        *,
        between: str = "none",
        folded: bool = False,
        filters: Filters | None = None,
    ) -> None:
        super().__init__()
        assert between == "none" or not folded
        self.shape, self.expansion, self.between, self.fold = shape, expansion, between, folded
        drawn = filters or keep(shape, expansion, source)
        self.spatial, self.pointwise = nn.Parameter(drawn.spatial), nn.Parameter(drawn.pointwise)
        self.bias = nn.Parameter(torch.zeros(shape.c_out)) if shape.bias else None
        self.bn = nn.BatchNorm2d(expansion * shape.c_out) if "bn" in between else None
        self.formed: Tensor | None = None

    def forward(self, images: Tensor) -> Tensor:
        """One convolution with the combined filters, or two convolutions."""
        if self.fold:
            weight = self.combined_weight() if self.formed is None else self.formed
            return self.shape.convolve(images, weight, self.bias)
        maps = self.shape.convolve(images, self.spatial, None)
        if self.bn is not None:
            maps = self.bn(maps)
        if "relu" in self.between:
            maps = F.relu(maps)
        return F.conv2d(maps, self.pointwise, self.bias, groups=self.shape.groups)

    @contextmanager
    def formed_once(self) -> Iterator[None]:
        """Inside, W is not formed anew in each forward pass of a folded block: for many passes
        with weights that stay as they are and need no gradient, such as an attack's."""
        self.formed = self.combined_weight().detach() if self.fold else None
        try:
            yield
        finally:
            self.formed = None

    def spatial_parameters(self) -> Iterable[str]:
        """The frozen ones in P2."""
        return ("spatial",)

    def combined_weight(self) -> Tensor:
        """W = P R, (c_out, c_in/groups, k, k); where an operation sits between, without it.

        In the weights' own precision, also under autocast: what a convolution rounds to bfloat16
        is W, as it does to a plain network's filters, and not the sums that W is made of.
        """
        with torch.autocast(self.spatial.device.type, enabled=False):
            return self._combine()

    def _combine(self) -> Tensor:
        g, m = self.shape.groups, self.shape.per_group
        coefficients = self.pointwise.view(g, m, -1)
        c, (height, width) = self.shape.weight[1], self.shape.kernel
        spatial = self.spatial
        if not spatial.is_contiguous():
            # channels_last: multiply in the order in memory, which the convolution wants as well
            rows = spatial.permute(0, 2, 3, 1).reshape(g, -1, self.shape.taps)
            combined = (coefficients @ rows).view(-1, height, width, c)
            return combined.permute(0, 3, 1, 2)
        rows = spatial.view(g, -1, self.shape.taps)
        return (coefficients @ rows).view(self.shape.weight)

    def drawn_filters(self, at_most: int) -> Tensor:
        """The first filters of R, flattened: (n, d) with n <= ``at_most``."""
        return self.spatial.detach().reshape(-1, self.shape.taps)[:at_most]

    def gram_matrix(self) -> Tensor:
        """R^T R of each group, (groups, d, d), float64."""
        rows = self.spatial.detach().double().reshape(self.shape.groups, -1, self.shape.taps)
        return rows.transpose(1, 2) @ rows

    def folded(self) -> nn.Conv2d:
        """The plain convolution that computes the same; UserError if an operation sits between."""
        if self.between != "none":
            raise UserError(
                f"an LC-block with '{self.between}' between its convolutions does not fold into "
                "one convolution; only between=none does"
            )
        return plain(self.shape, self.combined_weight(), self.bias)

    def extra_repr(self) -> str:
        """What print shows."""
        return f"{self.shape}, expansion={self.expansion}, between={self.between}, fold={self.fold}"


def plain(shape: ConvShape, weight: Tensor, bias: Tensor | None) -> nn.Conv2d:
    """A convolution of ``shape`` with copies of these values."""
    conv = shape.conv().to(weight.device, weight.dtype)
    with torch.no_grad():
        conv.weight.copy_(weight)
        if bias is not None and conv.bias is not None:
            conv.bias.copy_(bias)
    return conv
