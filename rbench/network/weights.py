"""The weights that an initializer can fill, whatever way their layer keeps them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from rbench.errors import UserError
from rbench.network.frozen import is_power_iteration
from rbench.network.modules import KERNELS, SpatialModule, is_convolution, is_norm, is_spatial
from rbench.network.wrap import stored_weight

ITERATIONS = 15
"""Power iterations after a draw, as many as torch makes when spectral normalization is set up."""
Fill = Callable[[Tensor, str], None]
"""Fills a tensor in place; the name is that of the stream of random numbers."""


@dataclass(frozen=True)
class Weight:
    """One weight: of a layer (``module``), or a parameter that belongs to none of the kinds."""

    name: str
    kind: str
    module: nn.Module
    tensor: Tensor
    """In its own shape; of a computed weight a copy."""
    stream: str

    @property
    def spatial(self) -> bool:
        """Whether it convolves with more than one tap."""
        return self.kind == "conv" and max(self.tensor.shape[2:], default=1) > 1

    def fill(self, fill: Fill) -> None:
        """Let ``fill`` draw it, and keep the result where the layer keeps its weight."""
        with torch.no_grad():
            if self.name.endswith("]") and KERNELS in vars(self.module):
                fill(self.tensor, self.stream)
                return
            hook = weight_norm_hook(self.module)
            if hook is not None:
                fill(self.tensor, self.stream)
                _keep_weight_norm(self.module, hook, self.tensor)
            elif is_torch_parametrized(self.module):
                fill(self.tensor, self.stream)
                try:
                    self.module.weight = self.tensor
                except (NotImplementedError, ValueError) as error:
                    raise UserError(
                        f"--init: {self.name} computes its weight, and no drawn one can be put "
                        f"there ({error})"
                    ) from error
                _iterate(self.module)
            else:
                fill(self.tensor, self.stream)
                _iterate_old(self.module)


def weights(network: nn.Module) -> Iterator[Weight]:
    """All weights (no biases) in the order of ``named_modules``, each once.

    Those inside of a :class:`SpatialModule` are left out: it has drawn its own.
    """
    own: set[str] = set()
    seen: set[int] = set()
    for name, module in network.named_modules():
        if any(name.startswith(prefix) for prefix in own) or ".parametrizations" in f".{name}":
            continue
        if isinstance(module, SpatialModule):
            own.add(f"{name}.")
            continue
        for weight in _of(name, module):
            if id(weight.tensor) not in seen:
                seen.add(id(weight.tensor))
                yield weight


def _of(name: str, module: nn.Module) -> Iterator[Weight]:
    dot = f"{name}." if name else ""
    kind = "conv" if is_convolution(module) else "linear" if isinstance(module, nn.Linear) else ""
    if kind:
        yield Weight(name, kind, module, _tensor(module), f"{dot}weight")
        return
    kind = "norm" if is_norm(module) else "other"
    kernels = vars(module).get(KERNELS, ())
    for own, parameter in module.named_parameters(recurse=False):
        if own.endswith("bias"):
            continue
        if own in kernels and parameter.ndim == 2 and hasattr(module, "weight_shape"):
            # timm's CondConv2d: a row an expert, each a kernel laid flat.
            shape: Any = module.weight_shape
            for expert in range(len(parameter)):
                view = parameter.detach()[expert].view(tuple(shape))
                yield Weight(f"{dot}{own}[{expert}]", "conv", module, view, f"{dot}{own}/{expert}")
        elif own in kernels:
            yield Weight(name, "conv", module, parameter, f"{dot}{own}")
        elif kind == "norm" and own == "weight":
            yield Weight(name, kind, module, parameter, f"{dot}{own}")
        else:
            yield Weight(f"{dot}{own}", kind, module, parameter, f"{dot}{own}")


def _tensor(module: nn.Module) -> Tensor:
    if weight_norm_hook(module) is not None or is_torch_parametrized(module):
        weight = module.weight
        assert isinstance(weight, Tensor)
        return weight.detach().clone()
    original = getattr(module, "weight_orig", None)  # spectral_norm of old, and pruning
    return original if isinstance(original, Tensor) else stored_weight(module)


def is_torch_parametrized(module: nn.Module) -> bool:
    """Whether the weight is computed by one of torch's own parametrizations.

    Those of a plugin keep as ``original`` what an initializer is to draw (a mask's weights).
    """
    if not parametrize.is_parametrized(module, "weight"):
        return False
    computed: Any = module.parametrizations
    return any(
        type(part).__module__ == "torch.nn.utils.parametrizations" for part in computed.weight
    )


def weight_norm_hook(module: nn.Module) -> Any:
    """The hook of ``torch.nn.utils.weight_norm`` (the older one), or None."""
    hooks = module._forward_pre_hooks.values()
    return next((h for h in hooks if isinstance(h, WeightNorm) and h.name == "weight"), None)


def _keep_weight_norm(module: nn.Module, hook: Any, weight: Tensor) -> None:
    module.get_parameter("weight_v").copy_(weight)
    module.get_parameter("weight_g").copy_(torch.norm_except_dim(weight, 2, hook.dim))
    module.weight = hook.compute_weight(module)


def _iterate(module: nn.Module) -> None:
    """Let spectral normalization find the largest singular value of what was drawn."""
    computed: Any = module.parametrizations
    for part in computed.weight:
        if is_power_iteration(part):
            matrix = part._reshape_weight_to_matrix(computed.weight.original)
            part._power_method(matrix, ITERATIONS)


def _iterate_old(module: nn.Module) -> None:
    for hook in module._forward_pre_hooks.values():
        if isinstance(hook, SpectralNorm):
            for _ in range(ITERATIONS):
                hook.compute_weight(module, do_power_iteration=True)


__all__ = ["Fill", "Weight", "is_spatial", "weights"]
