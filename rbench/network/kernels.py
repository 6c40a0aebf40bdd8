"""Find convolution kernels in modules of unknown classes by what they compute.

timm's CondConv2d mixes the kernels of its experts, and a plugin's layer may call
``torch.nn.functional.conv2d`` itself. One blank image through the network, with the calls of
``conv*`` watched, tells which parameters are kernels. It is needed only where a module that is
neither a convolution, linear layer, norm nor embedding holds parameters of two dimensions or more.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules import module as hooks
from torch.overrides import TorchFunctionMode

from rbench.errors import printable
from rbench.network.modules import KERNELS, SpatialModule, is_convolution, is_norm
from rbench.plugin.contexts import Note

CONVOLUTIONS = {
    *(F.conv1d, F.conv2d, F.conv3d),
    *(F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d),
    *(torch.conv1d, torch.conv2d, torch.conv3d),
}


def mark_kernels(network: nn.Module, shape: tuple[int, ...], note: Note) -> list[str]:
    """Mark modules of unknown classes that hold kernels of more than one tap; their names.

    ``shape`` is that of one image (C, H, W). A network that does not take an image is left as it
    is, with a note.
    """
    if not any(_unknown(module) for module in _outside(network)):
        return []
    training = network.training
    network.eval()
    try:
        with torch.enable_grad(), _Watch() as watch:
            network(torch.zeros(1, *shape))
    except Exception as error:
        note(
            "whether its layers of unknown classes hold convolution kernels could not be seen: "
            f"{printable(error, 120)}"
        )
        return []
    finally:
        network.train(training)
    for module, names in watch.found.items():
        vars(module)[KERNELS] = tuple(sorted(names))
    return [name for name, module in network.named_modules() if module in watch.found]


def _outside(network: nn.Module) -> Iterator[nn.Module]:
    """The modules that are not inside of a SpatialModule."""
    own: set[str] = set()
    for name, module in network.named_modules():
        if any(name.startswith(prefix) for prefix in own):
            continue
        if isinstance(module, SpatialModule):
            own.add(f"{name}.")
            continue
        yield module


def _unknown(module: nn.Module) -> bool:
    if is_convolution(module) or is_norm(module):
        return False
    if isinstance(module, nn.Linear | nn.Embedding | SpatialModule):
        return False
    if type(module).__module__.startswith("torch.nn.utils"):
        return False
    return any(parameter.ndim > 1 for parameter in module.parameters(recurse=False))


class _Watch(TorchFunctionMode):
    """Watches convolutions, and which module calls them."""

    def __init__(self) -> None:
        super().__init__()
        self.stack: list[nn.Module] = []
        self.found: dict[nn.Module, set[str]] = {}
        self._module_hooks: Any = None

    def __enter__(self) -> _Watch:
        self._module_hooks = _stacked(self.stack)
        self._module_hooks.__enter__()
        super().__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        self._module_hooks.__exit__(*error)

    def __torch_function__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if function in CONVOLUTIONS and self.stack and _unknown(self.stack[-1]):
            weight = args[1] if len(args) > 1 else kwargs["weight"]
            bias = args[2] if len(args) > 2 else kwargs.get("bias")
            if max(weight.shape[2:], default=1) > 1:
                self._keep(self.stack[-1], weight, bias)
        return function(*args, **kwargs)

    def _keep(self, module: nn.Module, *tensors: Tensor | None) -> None:
        own = {id(p): name for name, p in module.named_parameters(recurse=False)}
        names = {own[leaf] for t in tensors if t is not None for leaf in _leaves(t) if leaf in own}
        if names:
            self.found.setdefault(module, set()).update(names)


@contextmanager
def _stacked(stack: list[nn.Module]) -> Iterator[None]:
    def enter(module: nn.Module, args: Any) -> None:
        stack.append(module)

    def leave(module: nn.Module, args: Any, output: Any) -> None:
        stack.pop()

    handles = [
        hooks.register_module_forward_pre_hook(enter),
        hooks.register_module_forward_hook(leave),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _leaves(tensor: Tensor) -> Iterator[int]:
    """The ``id`` of every parameter that ``tensor`` is computed from."""
    if tensor.grad_fn is None:
        yield id(tensor)
        return
    seen: set[Any] = set()
    waiting: list[Any] = [tensor.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            yield id(node.variable)
        waiting += [following for following, _ in node.next_functions]
