"""Run a network over a set of images, each exactly once, on any number of processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from accelerate import Accelerator

    from rbench.plugin.contexts import Progress
    from rbench.plugin.data import FileImages, MemoryImages


@torch.no_grad()
def predict(
    network: nn.Module,
    images: MemoryImages | FileImages,
    accelerator: Accelerator,
    *,
    batch_size: int = 256,
    progress: Progress | None = None,
    phase: str = "evaluate",
) -> Tensor:
    """The outputs (N, ...) of ``network`` in eval mode, float32, in the images' order, on the CPU.

    Processes share the images; what is added so that all have the same number is cut off again,
    so the result depends neither on the batch size nor on the number of processes.
    """
    count, processes = len(images), accelerator.num_processes
    share = -(-count // processes)
    start = accelerator.process_index * share
    shard = torch.arange(start, start + share).clamp_(max=count - 1)
    was_training = network.training
    network.eval()
    outputs = []
    for batch in images.batches(batch_size, accelerator.device, shard):
        outputs.append(network(batch.images).float())
        if progress is not None:
            progress(phase, min(sum(map(len, outputs)), share), share)
    network.train(was_training)
    gathered: Tensor = accelerator.gather(torch.cat(outputs))
    return gathered[:count].cpu()
