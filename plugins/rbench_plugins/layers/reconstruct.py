"""Run many random networks over many images: memory bounded, no weight left changed."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

from rbench import UserError
from rbench_plugins.layers.cnn_dcn import CnnDcn
from rbench_plugins.layers.cnn_dcn_plan import Conv

BUDGET = 256 * 1024**2
"""Bytes of the widest layer's input and output together, for the images of one chunk."""


def reconstruct(
    network: nn.Module,
    images: Tensor,
    *,
    networks: int = 1,
    device: torch.device | None = None,
    dtype: torch.dtype = torch.float32,
    budget: int = BUDGET,
    progress: Callable[[int], None] = lambda done: None,
) -> Iterator[Tensor]:
    """The outputs (M, c, H, W), float32 on the CPU, of each of ``networks`` on all ``images``.

    Network 0 is ``network`` as it is; the others are drawn anew by its own laws. Images go
    through in chunks whose widest layer fits into ``budget`` bytes (one image at least).
    """
    device = device or images.device
    worker = copy.deepcopy(network).eval()
    size = chunk_size(worker, (images.shape[-2], images.shape[-1]), dtype, budget)
    for number in range(networks):
        if number:
            if not isinstance(worker, CnnDcn):
                raise UserError(f"networks={networks} needs a random CNN-DCN such as rrvgg")
            worker.float().cpu().redraw(number)
        worker = worker.to(device, dtype).to(memory_format=torch.channels_last)
        outputs = []
        with torch.inference_mode():
            for chunk in images.split(size):
                x = chunk.to(device, dtype).contiguous(memory_format=torch.channels_last)
                outputs.append(_checked(worker(x), x).float().cpu())
                progress(number * len(images) + sum(map(len, outputs)))
        yield torch.cat(outputs)


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


def _checked(output: object, images: Tensor) -> Tensor:
    if isinstance(output, Tensor) and output.ndim == 4 and output.shape[-2:] == images.shape[-2:]:
        return output
    raise UserError(
        "the task reconstruction needs a model that gives images for images, such as rrvgg"
    )
