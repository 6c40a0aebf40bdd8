"""Which assumptions of which theorem a network breaks. The values are computed anyway."""

from __future__ import annotations

from rbench_plugins.theory.stack import Stack, Upsample


def of_limit(stack: Stack, recursion: bool) -> list[str]:
    """What Theorems 1, 4 and 10 assume and ``stack`` breaks.

    ``recursion``: f* comes from the covariance recursion of Theorem 10.
    """
    broken = []
    if any(conv.bias for conv in stack.convs):
        broken.append("Definition 1 has no biases; f* is that of the network without them")
    if any(conv.slope for conv in stack.convs):
        broken.append("Definition 1 has ReLU, not leaky ReLU; f* is ReLU's")
    if not all(conv.gaussian for conv in stack.convs):
        broken.append("the filters' distribution is not isotropic (their kurtosis is not Gaussian)")
    wanted = "average" if recursion else "l2"
    for kind in sorted(stack.pools - {wanted}):
        theorem = "10 has average" if recursion else "4 has l2"
        broken.append(f"Theorem {theorem} pooling, not {kind}")
    if any(isinstance(layer, Upsample) and layer.nearest for layer in stack.layers):
        broken.append("Theorem 4 has zero insertion, not nearest upsampling")
    return broken


def of_bound(stack: Stack, recursion: bool) -> list[str]:
    """What Theorems 2, 6 and 8 assume and ``stack`` breaks."""
    broken = of_limit(stack, recursion)
    if stack.depth > 2:
        if recursion and stack.pools:
            broken.append("Theorem 8 has l2 pooling and is silent on the limit of Theorem 10")
        if any(conv.window.overlaps for conv in stack.convs[1:]):
            broken.append(
                "Theorem 8 has at most one route from pixel to pixel; windows overlap here, and "
                "lambda takes the norm of the window sum in place of the root of r"
            )
    return broken


def of_angle(stack: Stack, recursion: bool) -> list[str]:
    """What Theorems 3 and 9 assume and ``stack`` breaks."""
    broken = of_limit(stack, recursion)
    if not stack.keeps_size:
        broken.append("Theorem 9 has stride-1 convolutions that keep the image's size only")
    return broken


def of_prediction(stack: Stack) -> list[str]:
    """What the first-order prediction assumes and ``stack`` breaks."""
    return of_limit(stack, recursion=False)


__all__ = ["of_angle", "of_bound", "of_limit", "of_prediction"]
