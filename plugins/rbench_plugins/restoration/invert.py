"""Images from features, by optimizing pixels (He, Wang, Hopcroft, NeurIPS 2016, section 3)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor, nn

from rbench import UserError
from rbench_plugins.probing.features import classifier_of
from rbench_plugins.restoration.degrade import psnr
from rbench_plugins.restoration.outcome import Course

CHECKS = 50


class Maps(nn.Module):
    """Images (B, C, H, W) in [0, 1] -> the output of ``layer`` of ``network``, as it is."""

    def __init__(self, network: nn.Module, layer: str) -> None:
        super().__init__()
        self.network, self.layer = network, layer
        inner = getattr(network, "network", network)
        names = [name for name, _ in inner.named_modules() if name]
        if layer not in names:
            near = ", ".join(names[:8])
            raise UserError(f"layer={layer}: the network has no such module; there are {near} ...")
        self._module = [inner.get_submodule(layer)]

    def forward(self, images: Tensor) -> Tensor:
        """The network runs to its end; the layer's last output counts."""
        seen: list[Any] = []
        (module,) = self._module
        handle = module.register_forward_hook(lambda module, inputs, output: seen.append(output))
        try:
            self.network(images)
        finally:
            handle.remove()
        if not seen or not isinstance(seen[-1], Tensor):
            raise UserError(f"layer={self.layer} yields no tensor on the way through the network")
        maps: Tensor = seen[-1]
        return maps


def last_convolution(network: nn.Module) -> str:
    """The name of the last convolution before the classifier."""
    classifier = classifier_of(network)
    names = [
        name
        for name, module in network.named_modules()
        if isinstance(module, nn.modules.conv._ConvNd) and module is not classifier
    ]
    if not names:
        raise UserError("the network has no convolution to invert; name a layer")
    return names[-1]


@dataclass(frozen=True)
class Inverted:
    """The image found (1, C, H, W), the losses at the checks, and its course against the truth."""

    image: Tensor
    losses: list[float]
    course: Course


def total_variation(image: Tensor) -> Tensor:
    """Mean squared difference of neighboring pixels, along both axes."""
    down = (image[..., 1:, :] - image[..., :-1, :]).square().mean()
    right = (image[..., :, 1:] - image[..., :, :-1]).square().mean()
    return down + right


def invert(
    features: Callable[[Tensor], Tensor],
    truth: Tensor,
    draws: Generator,
    *,
    steps: int,
    smooth: float,
    report: Callable[[int, float], None] = lambda step, value: None,
) -> Inverted:
    """Minimize |phi(x) - phi(x0)|^2 / |phi(x0)|^2 + ``smooth`` TV(x) over the pixels of x.

    L-BFGS with a strong Wolfe line search, from normal noise of 0.1 around the middle gray. The
    truth x0 enters through its features alone.
    """
    with torch.no_grad():
        target = features(truth)
        size = target.square().sum().clamp_min(1e-12)
    noise = torch.randn(truth.shape, generator=draws).to(truth)
    x = (0.5 + 0.1 * noise).requires_grad_(True)
    optimizer = torch.optim.LBFGS(
        [x],
        max_iter=1,
        max_eval=25,
        history_size=20,
        tolerance_grad=0.0,
        tolerance_change=0.0,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        distance = (features(x) - target).square().sum() / size
        loss = distance + smooth * total_variation(x)
        (x.grad,) = torch.autograd.grad(loss, x)
        return loss.detach()

    course = Course([], [], [], psnr(x, truth))
    losses: list[float] = []
    every = max(1, steps // CHECKS)
    for step in range(1, steps + 1):
        value: Any = optimizer.step(closure)
        if step % every and step != steps:
            continue
        losses.append(float(value))
        course.steps.append(step)
        course.current.append(psnr(x, truth))
        course.average.append(course.current[-1])
        report(step, losses[-1])
    return Inverted(x.detach().clamp(0, 1), losses, course)
