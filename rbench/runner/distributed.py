"""Data-parallel runs: batch norm statistics across the processes of one run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import distributed, nn

from rbench.errors import UserError
from rbench.network.frozen import hold, is_held

if TYPE_CHECKING:
    from rbench.plugin.contexts import TaskContext


def sync_batch_norms(module: nn.Module, context: TaskContext) -> nn.Module:
    """Synchronize batch norms if the recipe says ``sync_bn``; the record notes which it was.

    UserError on the CPU, where torch has no synchronized batch norm.
    """
    assert context.training is not None
    if not any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in module.modules()):
        return module
    if not context.training.sync_bn:
        context.note(
            f"batch norm: statistics of each process's own share of a batch, not synchronized, "
            f"over {context.accelerator.num_processes} processes; the main process's are kept"
        )
        return module
    if context.device.type != "cuda":
        raise UserError("--sync-bn needs GPUs: torch cannot synchronize batch norms on the CPU")
    from timm.layers import convert_sync_batchnorm

    held = [name for name, norm in module.named_modules() if is_held(norm)]
    # timm's function, not torch's: torch's drops the activation inside timm's norm layers.
    context.note("batch norm: statistics synchronized over all processes")
    converted: nn.Module = convert_sync_batchnorm(module)
    for name in held:
        # The new norms know nothing of those that are frozen.
        hold(converted.get_submodule(name))
    return converted


def broadcast_buffers(module: nn.Module, accelerator: Any) -> None:
    """Copy the main process's buffers (running statistics) to all processes, before evaluation."""
    if accelerator.num_processes == 1:
        return
    for buffer in module.buffers():
        distributed.broadcast(buffer, src=0)
