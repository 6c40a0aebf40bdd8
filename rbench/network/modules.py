"""What a network is made of: spatial filters, norms, the classifier, and the names of their parts.

A parameter's name is the one that ``named_parameters`` gives, so that a reparametrized
convolution (``torch.nn.utils.parametrizations``, or the older ``torch.nn.utils.weight_norm``) is
named by the tensors it is computed from, such as ``conv.parametrizations.weight.original0``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor, nn

KERNELS = "_rbench_kernels"
"""The attribute by which :mod:`rbench.network.kernels` marks a module of an unknown class that
was seen to convolve: the names of its own parameters that are kernels."""


@runtime_checkable
class SpatialModule(Protocol):
    """What a layer that is not a plain convolution implements to take part.

    ``spatial_parameters`` names those of its own parameters that hold spatial filters (none, if
    they are drawn but not kept); ``combined_weight`` is the filter (c_out, c_in, k, k) that the
    layer convolves with in effect, such as an LC-block's.
    """

    def spatial_parameters(self) -> Iterable[str]:
        """Names of the layer's own parameters, without prefix."""

    def combined_weight(self) -> Tensor:
        """The filter in effect, (c_out, c_in/groups, k, k)."""


@dataclass(frozen=True)
class SpatialFilter:
    """A layer's filter in effect: its module name and weight (c_out, c_in/groups, k, k)."""

    name: str
    weight: Tensor


def is_convolution(module: nn.Module) -> bool:
    """Whether ``module`` is a (transposed) convolution of any number of dimensions."""
    from torch.nn.modules.conv import _ConvNd

    return isinstance(module, _ConvNd)


def is_spatial(module: nn.Module) -> bool:
    """Whether ``module`` is a (transposed) convolution with more than one tap."""
    from torch.nn.modules.conv import _ConvNd

    return isinstance(module, _ConvNd) and any(size > 1 for size in module.kernel_size)


def is_norm(module: nn.Module) -> bool:
    """Whether ``module`` is a normalization layer: one of torch's, or of a class named so.

    timm has some twenty of its own (``EvoNorm2dB0``, ``FilterResponseNormTlu2d``, ``RmsNorm``).
    A class named so counts where the module itself holds parameters or running statistics.
    """
    from torch import nn
    from torch.nn.modules.batchnorm import _NormBase

    norms: tuple[type[nn.Module], ...] = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
    if isinstance(module, norms):
        return True
    kind = type(module)
    if "Norm" not in kind.__name__ or kind.__module__.startswith("torch.nn.utils"):
        return False
    own = next(module.parameters(recurse=False), None)
    return own is not None or next(module.buffers(recurse=False), None) is not None


def spatial_filters(network: nn.Module) -> Iterator[SpatialFilter]:
    """Every spatial filter of ``network`` in the order of its modules, combined where needed.

    A layer that answers :class:`SpatialModule` is one filter; its inner convolutions are not
    reported again. Filters of one or three dimensions, such as those of ECA's channel attention,
    are left out.
    """
    covered: set[str] = set()
    for name, module in network.named_modules():
        if any(name.startswith(prefix) for prefix in covered):
            continue
        if isinstance(module, SpatialModule):
            covered.add(f"{name}.")
            yield SpatialFilter(name, module.combined_weight())
        elif is_spatial(module):
            weight: Any = module.weight
            if weight.ndim == 4:
                yield SpatialFilter(name, weight)


def spatial_parameters(network: nn.Module) -> set[str]:
    """The names of all parameters that hold spatial filters, with their convolutions' biases."""
    names: set[str] = set()
    for prefix, module in network.named_modules():
        dot = f"{prefix}." if prefix else ""
        if is_spatial(module):
            # With those of its parametrizations, which are modules inside of it.
            names.update(dot + name for name, _ in module.named_parameters())
        elif isinstance(module, SpatialModule):
            names.update(dot + name for name in module.spatial_parameters())
        names.update(dot + name for name in getattr(module, KERNELS, ()))
    return names


def norm_parameters(network: nn.Module, *, buffers: bool = False) -> set[str]:
    """The names of all parameters of normalization layers; with ``buffers`` of buffers, too."""
    return {
        f"{prefix}.{name}" if prefix else name
        for prefix, module in network.named_modules()
        if is_norm(module)
        for name, _ in (
            *module.named_parameters(recurse=False),
            *(module.named_buffers(recurse=False) if buffers else ()),
        )
    }


def classifier_parameters(network: nn.Module, *, buffers: bool = False) -> set[str]:
    """The names of the classifier's parameters, empty where the network has none.

    With ``buffers`` also of its buffers, which a norm inside of it has.

    timm's networks say which layers those are, by ``get_classifier`` (one module, or several, such
    as the two of a distilled DeiT, with the norm that some have inside of it: LeViT, RepViT) and
    by the entry ``classifier`` of ``pretrained_cfg``, which names auxiliary ones, too (VOLO's). Of
    another network it is the last linear layer that it lists.
    """
    from torch import nn

    asked = getattr(network, "get_classifier", None)
    found: Any
    if callable(asked):
        found = asked()
    else:
        found = [m for m in network.modules() if isinstance(m, nn.Linear)][-1:]
    heads = [found] if isinstance(found, nn.Module) else list(found or ())
    config = getattr(network, "pretrained_cfg", None)
    named = (config.get("classifier") if isinstance(config, dict) else None) or ()
    modules = dict(network.named_modules())
    for name in [named] if isinstance(named, str) else named:
        if name in modules:
            heads.append(modules[name])

    def tensors(module: nn.Module) -> list[tuple[str, Tensor]]:
        return [*module.named_parameters(), *(module.named_buffers() if buffers else ())]

    inside = {id(tensor) for head in heads for _, tensor in tensors(head)}
    return {name for name, tensor in tensors(network) if id(tensor) in inside}


def parents(name: str) -> list[str]:
    """The modules that hold ``a.b.c``: ``a`` and ``a.b``."""
    parts = name.split(".")[:-1]
    return [".".join(parts[: i + 1]) for i in range(len(parts))]
