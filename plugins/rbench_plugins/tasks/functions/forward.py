"""Runs the task that ``tasks/forward.py`` describes."""

from __future__ import annotations

import torch

from rbench import ImagesOutcome, NoOptions, TaskContext, UserError
from rbench_plugins.images.grid import stretch


def run(context: TaskContext, options: NoOptions) -> ImagesOutcome:
    """Every test image once, in order; no training, no labels.

    ``outputs`` are the network's, each stretched to [0, 1]; metrics that need the unscaled output
    run the network themselves. UserError if the network does not return images.
    """
    data, network = context.data, context.network.eval().to(context.device)
    if data.test is None:
        raise UserError(f"the dataset {data.name} has no test images")
    inputs, outputs = [], []
    with context.clock.phase("forward", len(data.test)), torch.no_grad():
        for batch in data.test.batches(8, context.device):
            maps = network(batch.images)
            if maps.ndim != 4:
                raise UserError(
                    "the task forward needs a network from images to images, such as random_cnn"
                )
            inputs.append(batch.images.cpu())
            outputs.append(stretch(maps.float().cpu()))
            context.progress("forward", sum(map(len, inputs)), len(data.test))
    names = list(getattr(data.test, "names", ())) or [str(i) for i in range(len(data.test))]
    return ImagesOutcome(
        network=network, inputs=torch.cat(inputs), outputs=torch.cat(outputs), names=names
    )
