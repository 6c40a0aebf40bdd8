"""The random CNN of Definition 1: rectified random convolutions, scaled, then the mean."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn

from rbench import generator
from rbench_plugins.layers.distribution import Distribution, by_std
from rbench_plugins.layers.zero_insertion import zero_insertion


class Scale(nn.Module):
    """Multiply by a constant."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, H, W) -> the same shape."""
        return maps * self.factor

    def extra_repr(self) -> str:
        """The factor."""
        return f"{self.factor:.6g}"


class ZeroInsertion(nn.Module):
    """Each pixel goes to the top left of a block of zeros (proof of Theorem 4)."""

    def __init__(self, factor: int = 2) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, C, factor H, factor W)."""
        return zero_insertion(maps, self.factor)


class ChannelMean(nn.Module):
    """The last layer of Definition 1: the mean over the channels."""

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, 1, H, W)."""
        return maps.mean(1, keepdim=True)


class RandomCNN(nn.Module):
    """``layers`` in order, a convolution's filters drawn from ``law``, a distribution, of ``std``.

    Maps images (B, C, H, W) in [0, 1] to f, (B, 1, H', W'). ``draws`` says how many networks a
    statement about the distribution of f should be measured on; this is the first of them.
    """

    def __init__(
        self, layers: list[nn.Module], law: Distribution, std: float, seed: int, draws: int = 1
    ) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self.law, self.std, self.seed, self.draws = law, std, seed, draws
        self.redrawable = True
        self.redraw(0)

    def forward(self, images: Tensor) -> Tensor:
        """See the class."""
        return self.layers(images)

    def redraw(self, network: int) -> None:
        """Make this the network of that number: 0 is the one that was built."""
        stream = generator(self.seed, "random_cnn", network)
        for module in self.layers:
            if isinstance(module, nn.Conv2d):
                draw(module.weight, stream, self.law, self.std)
                if module.bias is not None:
                    draw(module.bias, stream, self.law, self.std)
        self._sums = self._weight_sums()

    @property
    def as_drawn(self) -> bool:
        """Whether the filters are still those of the last :meth:`redraw`."""
        return self._sums == self._weight_sums()

    def _weight_sums(self) -> list[float]:
        return [float(parameter.detach().cpu().sum()) for parameter in self.parameters()]


@torch.no_grad()
def draw(weight: Tensor, generator: Generator, law: Distribution, std: float) -> None:
    """Fill ``weight`` with independent numbers of mean 0 and standard deviation ``std``.

    Drawn on the CPU and moved, so that devices agree.
    """
    initializer, options = by_std(law, std)
    host = torch.empty(weight.shape, dtype=weight.dtype)
    initializer.draw(host, generator, options)
    weight.copy_(host)


__all__ = ["ChannelMean", "Distribution", "RandomCNN", "Scale", "ZeroInsertion", "draw"]
