"""Which parameters learn, what is known of the frozen ones, and whether they stayed put.

P2 freezes every convolution with more than one tap, stem and depthwise included; 1x1
convolutions, norms and the classifier learn (section 3; facts B2, C15).
"""

from __future__ import annotations

import fnmatch
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from rbench.errors import UserError, printable, suggest
from rbench.records.record import FreezeReport, Tensors

if TYPE_CHECKING:
    from torch import Tensor, nn

POLICIES = ("none", "spatial", "batchnorm", "all")


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


def is_spatial(module: nn.Module) -> bool:
    """Whether ``module`` is a (transposed) convolution with more than one tap."""
    from torch.nn.modules.conv import _ConvNd

    return isinstance(module, _ConvNd) and any(size > 1 for size in module.kernel_size)


def spatial_filters(network: nn.Module) -> Iterator[SpatialFilter]:
    """Every spatial filter of ``network`` in the order of its modules, combined where needed.

    A layer that answers :class:`SpatialModule` is one filter; its inner convolutions are not
    reported again.
    """
    covered: set[str] = set()
    for name, module in network.named_modules():
        if any(name.startswith(prefix) for prefix in covered):
            continue
        if isinstance(module, SpatialModule):
            covered.add(f"{name}.")
            yield SpatialFilter(name, module.combined_weight())
        elif is_spatial(module):
            yield SpatialFilter(name, module.weight)


def spatial_parameters(network: nn.Module) -> set[str]:
    """The names of all parameters that hold spatial filters, with their convolutions' biases."""
    names: set[str] = set()
    for prefix, module in network.named_modules():
        dot = f"{prefix}." if prefix else ""
        if is_spatial(module):
            # With those from which a weight is computed (torch.nn.utils.parametrize).
            names.update(dot + name for name, _ in module.named_parameters())
        elif isinstance(module, SpatialModule):
            names.update(dot + name for name in module.spatial_parameters())
    return names


def freeze(network: nn.Module, policies: Iterable[str]) -> FreezeReport:
    """Freeze ``network`` by every one of ``policies``: a policy's name or a name pattern.

    A pattern such as ``layer3.*`` is matched against parameter names and against the modules
    that hold them. UserError if a pattern matches nothing, or ``spatial`` finds no filter.
    """
    policies = list(policies)
    frozen: set[str] = set()
    for policy in policies:
        frozen |= _matches(network, policy)
    for name, parameter in network.named_parameters():
        if name in frozen:
            parameter.requires_grad_(False)
    return report(network, policies)


def report(network: nn.Module, policies: list[str]) -> FreezeReport:
    """Count and name what learns and what is frozen; hash what is frozen."""
    learn = {n: p for n, p in network.named_parameters() if p.requires_grad}
    fixed = {n: p for n, p in network.named_parameters() if not p.requires_grad}
    return FreezeReport(
        policy=policies,
        learnable=Tensors(count=sum(p.numel() for p in learn.values()), names=list(learn)),
        frozen=Tensors(
            count=sum(p.numel() for p in fixed.values()),
            names=list(fixed),
            sha256=fingerprint(fixed),
        ),
    )


def fingerprint(tensors: Mapping[str, Tensor]) -> str | None:
    """SHA-256 of names, dtypes, shapes and bytes; None for no tensor."""
    if not tensors:
        return None
    import torch

    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)};".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _matches(network: nn.Module, policy: str) -> set[str]:
    names = [name for name, _ in network.named_parameters()]
    if policy == "none":
        return set()
    if policy == "all":
        return set(names)
    if policy == "spatial":
        if any(isinstance(module, SpatialModule) for module in network.modules()):
            return spatial_parameters(network)  # maybe none: filters drawn but not kept
        return _need(spatial_parameters(network), "the network has no spatial convolution")
    if policy == "batchnorm":
        return set(names) - _norms_and_classifier(network)
    matched = {
        name
        for name in names
        if fnmatch.fnmatchcase(name, policy)
        or any(fnmatch.fnmatchcase(parent, policy) for parent in _parents(name))
    }
    known = [*POLICIES, *names, *{parent for name in names for parent in _parents(name)}]
    return _need(
        matched,
        f"--freeze '{printable(policy)}' is no policy ({', '.join(POLICIES)}) and matches no "
        f"parameter{suggest(policy, known)}",
    )


def _need(names: set[str], otherwise: str) -> set[str]:
    if not names:
        raise UserError(otherwise)
    return names


def _parents(name: str) -> list[str]:
    parts = name.split(".")[:-1]
    return [".".join(parts[: i + 1]) for i in range(len(parts))]


def _norms_and_classifier(network: nn.Module) -> set[str]:
    from torch import nn
    from torch.nn.modules.batchnorm import _NormBase

    norms: tuple[type[nn.Module], ...] = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
    get_classifier = getattr(network, "get_classifier", None)
    classifier = get_classifier() if callable(get_classifier) else None
    return {
        f"{prefix}.{name}" if prefix else name
        for prefix, module in network.named_modules()
        if isinstance(module, norms) or (classifier is not None and module is classifier)
        for name, _ in module.named_parameters()
    }
