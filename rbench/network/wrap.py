"""Other layers in place of a network's own, for architectures that change any model of timm's.

Two ways, and both keep the network around the layers as it is: :func:`replace_layers` puts
another module in a layer's place (an LC-block for a convolution); :func:`reparametrize` keeps the
layer and computes its weight from other parameters (a mask over frozen weights, coefficients of
a fixed basis).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn.utils import parametrize

MakeLayer = Callable[[nn.Module, str], nn.Module | None]
"""(layer, its name in the network) -> what takes its place, or None to keep the layer."""


@dataclass(frozen=True)
class Layer:
    """A convolution or linear layer of a network, and every name under which it is reached."""

    module: nn.Module
    names: list[str]


def weight_layers(network: nn.Module) -> Iterator[Layer]:
    """Every convolution (of any dimension, transposed too) and ``nn.Linear`` of ``network``.

    In the order of ``named_modules``; subclasses such as timm's ``Conv2dSame`` and ``StdConv2d``
    included. A layer that the network uses at several places comes once.
    """
    layers: dict[nn.Module, list[str]] = {}
    for name, module in network.named_modules(remove_duplicate=False):
        if isinstance(module, nn.modules.conv._ConvNd | nn.Linear):
            layers.setdefault(module, []).append(name)
    for module, names in layers.items():
        yield Layer(module, names)


def replace_layers(network: nn.Module, make: MakeLayer) -> list[str]:
    """Put ``make(layer, name)`` in the place of every layer for which it is not None.

    Args:
        network: changed in place. It must not itself be a convolution or linear layer.
        make: is offered each layer of :func:`weight_layers` with its (first) name.

    Returns:
        The names of the layers that were replaced, in order. A layer used at several places is
        replaced at all of them by the same module, and named once.
    """
    replaced = []
    for layer in list(weight_layers(network)):
        module = make(layer.module, layer.names[0])
        if module is None:
            continue
        for name in layer.names:
            assert name, "the network itself cannot be replaced in place"
            parent, _, leaf = name.rpartition(".")
            setattr(network.get_submodule(parent), leaf, module)
        replaced.append(layer.names[0])
    return replaced


def reparametrize(network: nn.Module, make: MakeLayer) -> list[str]:
    """Compute the weights of layers by ``make(layer, name)``, where it is not None.

    What ``make`` returns is a parametrization in the sense of ``torch.nn.utils.parametrize``: a
    module whose ``forward(original)`` returns the weight that the layer uses, and which holds
    any further parameters. With ``right_inverse(weight)`` it says what is kept as ``original``
    (the layer's weight otherwise). This works for every kind of layer, also where a network reads
    ``layer.weight`` itself, and :func:`rbench.folded` turns the result into plain layers.

    Args:
        network: changed in place.
        make: is offered each layer of :func:`weight_layers` with its (first) name.

    Returns:
        The names of the layers whose weight is now computed, in order.
    """
    changed = []
    for layer in list(weight_layers(network)):
        module = make(layer.module, layer.names[0])
        if module is not None:
            parametrize.register_parametrization(layer.module, "weight", module)
            changed.append(layer.names[0])
    return changed


def stored_weight(layer: nn.Module) -> Tensor:
    """The tensor that an initializer fills: the layer's weight, or what it is computed from."""
    weight = layer.weight
    if parametrize.is_parametrized(layer, "weight"):
        weight = layer.parametrizations.weight.original  # type: ignore[union-attr]
    assert isinstance(weight, Tensor)
    return weight
