"""Run many random networks over many images: memory bounded, no weight left changed."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import cast

import torch
from torch import Tensor, nn

from rbench import Redrawable, UserError
from rbench_plugins.layers.cnn_dcn.bfloat16_stack import LEVELS, Bfloat16Stack, fits, framed
from rbench_plugins.layers.cnn_dcn.network import CnnDcn
from rbench_plugins.layers.cnn_dcn.plan import Conv

BUDGET = 256 * 1024**2
"""Bytes of the widest layer's input and output together, for the images of one chunk."""
CPU_BUDGET = 16 * 1024**2
"""The same on a CPU, where larger blocks come from the system anew each time, page by page."""


def reconstruct(
    network: nn.Module,
    images: Tensor,
    *,
    networks: int = 1,
    device: torch.device | None = None,
    dtype: torch.dtype = torch.float32,
    budget: int | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> Iterator[Tensor]:
    """The outputs (M, c, H, W), float32 on the CPU, of each of ``networks`` on all ``images``.

    Network 0 is ``network`` itself; the others are drawn from its own distributions. Images go
    through in chunks whose widest layer fits into ``budget`` bytes (one image at least).
    """
    device = device or images.device
    on_cpu = device.type == "cpu"
    # In one layout throughout: it is part of which network a seed and a number mean.
    worker = copy.deepcopy(network).eval().to(memory_format=torch.channels_last)
    if not is_redrawable(worker) and networks > 1:
        raise UserError(f"networks={networks} needs a random CNN-DCN such as rrvgg")
    budget = budget or (CPU_BUDGET if on_cpu else BUDGET)
    parts = images.split(chunk_size(worker, (images.shape[-2], images.shape[-1]), dtype, budget))
    run: Callable[[Tensor], object] = worker
    stack = None
    if on_cpu and dtype == torch.bfloat16 and fits(worker) and _whole_levels(images):
        stack = cast(CnnDcn, worker)
        chunks = [framed(stack, (part * LEVELS).round()) for part in parts]
        pilot = (parts[0] * LEVELS).round()
    else:
        form = torch.channels_last
        chunks = [part.to(device, dtype).contiguous(memory_format=form) for part in parts]
    if on_cpu:
        _keep_pages()
    for number in range(networks):
        if number:
            worker.float().cpu()
            assert isinstance(worker, Redrawable)
            worker.redraw(number)
        if stack is not None:
            run = Bfloat16Stack(stack, pilot)
        else:
            worker.to(device, dtype)
        outputs: Tensor | None = None
        done = 0
        with torch.inference_mode():
            for part, x in zip(parts, chunks, strict=True):
                output = _checked(run(x), part)
                if outputs is None:
                    outputs = torch.empty(len(images), *output.shape[1:])
                outputs[done : done + len(x)] = output
                done += len(x)
                progress(number * len(images) + done)
        assert outputs is not None
        yield outputs


def is_redrawable(network: nn.Module) -> bool:
    """Whether further random networks of the kind of ``network`` can be drawn."""
    return isinstance(network, Redrawable) and network.redrawable


def chunk_size(
    network: nn.Module, size: tuple[int, int], dtype: torch.dtype, budget: int = BUDGET
) -> int:
    """How many images of ``size`` go through ``network`` at once."""
    if not isinstance(network, CnnDcn):
        return 8
    widest, area = 0.0, float(size[0] * size[1])
    for step in network.encoder.steps:
        if isinstance(step, Conv):  # channels in and out: both are in memory
            widest = max(widest, area * (step.inputs + step.outputs))
        area /= step.stride**2
    return max(1, int(budget // (widest * torch.finfo(dtype).bits / 8)))


def _whole_levels(images: Tensor) -> bool:
    """Whether all are 8-bit images in [0, 1]."""
    return all(
        float((image * LEVELS - (image * LEVELS).round()).abs().max()) < 1e-3 for image in images
    )


def _keep_pages() -> None:
    """Make glibc keep freed blocks of up to 30 MiB instead of returning them to the system.

    It adapts its threshold to the largest block freed so far. Otherwise the system zeroes the
    pages of each layer's output anew, which takes longer than a narrow layer's convolution.
    """
    torch.empty(30 * 1024**2, dtype=torch.uint8)


def _checked(output: object, images: Tensor) -> Tensor:
    if isinstance(output, Tensor) and output.ndim == 4 and output.shape[-2:] == images.shape[-2:]:
        return output
    raise UserError(
        "the task reconstruction needs a model that gives images for images, such as rrvgg"
    )
