"""Measure the peak memory of a run, and make room when a GPU is out of memory."""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from rbench.network.build import Built
    from rbench.spec.resolve import Resolved


def reset_peak(device: torch.device) -> None:
    """Start measuring the peak. Several runs may share a process, one after another."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    gc.collect()
    with suppress(OSError, AttributeError, TypeError):
        # Return the memory that earlier runs freed to the system (glibc), and reset Linux's record
        # of the peak, which psutil cannot do.
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")


def peak_memory(device: torch.device) -> int | None:
    """Bytes at the peak since :func:`reset_peak`; None where the system has no such figure.

    On a GPU the memory of tensors; on the CPU that of the whole process with data and libraries.
    On Linux this is VmHWM of /proc, because psutil reports the current size only.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    try:
        import resource  # not on Windows
    except ImportError:
        return None
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def halve_micro_batch(resolved: Resolved) -> Resolved | None:
    """The same run with micro-batches of half the size, or None where they cannot be halved."""
    training = resolved.training
    if training is None or training.batch_size % (2 * training.grad_accum_steps):
        return None
    parts = 2 * training.grad_accum_steps
    return replace(resolved, training=training.model_copy(update={"grad_accum_steps": parts}))


def free_gpu(built: Built, accelerator: Any) -> None:
    """Free what a failed attempt allocated on the GPU."""
    accelerator.free_memory()
    built.network.cpu()
    for parameter in built.network.parameters():
        parameter.grad = None
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
