"""Data-parallel runs: what the processes of one run have to agree on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import nn

from rbench.errors import UserError

if TYPE_CHECKING:
    from rbench.plugin.contexts import TaskContext


def shared_norms(module: nn.Module, context: TaskContext) -> nn.Module:
    """Synchronise batch norms where the recipe asks for it; either way the record says which.

    UserError on the CPU, where torch has no synchronised batch norm.
    """
    assert context.training is not None
    if not any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in module.modules()):
        return module
    if not context.training.sync_bn:
        context.note(
            f"batch norm: statistics of each process's own share of a batch, not synchronised, "
            f"over {context.accelerator.num_processes} processes; the main process's are kept"
        )
        return module
    if context.device.type != "cuda":
        raise UserError("--sync-bn needs GPUs: torch cannot synchronise batch norms on the CPU")
    from timm.layers import convert_sync_batchnorm

    # timm's, not torch's: torch's would drop the activation that timm's norms carry.
    context.note("batch norm: statistics synchronised over all processes")
    return convert_sync_batchnorm(module)


def agree_on_buffers(module: nn.Module, accelerator: Any) -> None:
    """Give every process the main one's buffers (running statistics), before it evaluates."""
    if accelerator.num_processes == 1:
        return
    from torch import distributed

    for buffer in module.buffers():
        distributed.broadcast(buffer, src=0)
