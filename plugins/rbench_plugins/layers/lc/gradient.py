"""Identity in the forward pass, a linear map of the gradient in the backward pass."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class _MapGradient(torch.autograd.Function):
    """A function instead of a hook on the parameter: it survives copies and pickling."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, factor: Tensor) -> Tensor:
        ctx.save_for_backward(factor)
        return weight.view_as(weight)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (grad,) = grads
        (factor,) = ctx.saved_tensors
        with torch.autocast(grad.device.type, enabled=False):
            if factor.dim() == 0:
                return grad * factor.to(grad.dtype), None
            groups, taps, _ = factor.shape
            flat = grad.reshape(groups, -1, taps)
            return (flat @ factor.to(grad.dtype)).view(grad.shape), None


def map_gradient(weight: Tensor, factor: Tensor) -> Tensor:
    """``weight`` itself, whose gradient arrives multiplied by ``factor``.

    ``weight`` (c_out, c_in/groups, k, k); ``factor`` a scalar (), or symmetric matrices
    (groups, d, d) that act on each filter of a group, flattened to d = c_in/groups k^2.
    """
    result: Tensor = _MapGradient.apply(weight, factor)
    return result
