"""Runs the task that ``tasks/inversion.py`` describes."""

from __future__ import annotations

import torch

from rbench import Normalized, TaskContext, UserError, generator
from rbench_plugins.images.grid import Tile, grid
from rbench_plugins.images.subset import evenly
from rbench_plugins.restoration.invert import Inverted, Maps, invert, last_convolution
from rbench_plugins.restoration.outcome import RestorationOutcome
from rbench_plugins.tasks.functions.reconstruction import load
from rbench_plugins.tasks.inversion import InversionOptions


def run(context: TaskContext, options: InversionOptions) -> RestorationOutcome:
    """For each image x0: the image whose features are those of x0, from noise on.

    The network is used as it was built, random or published, in eval mode and float32.
    """
    data = context.data
    if data.test is None:
        raise UserError(f"the dataset {data.name} has no test images")
    network = Normalized(context.network, data.mean, data.std).to(context.device).eval()
    layer = options.layer or last_convolution(context.network)
    features = Maps(network, layer)
    truths, names = load(data.test, evenly(len(data.test), options.images))
    found: list[Inverted] = []
    with context.clock.phase("invert", options.steps * len(truths)):
        for number, image in enumerate(truths):

            def report(step: int, value: float, number: int = number) -> None:
                at = number * options.steps + step
                total = options.steps * len(truths)
                context.progress("invert", at, total, f"loss {value:.3g}")

            found.append(
                invert(
                    features,
                    image[None].to(context.device),
                    generator(context.seed, "inversion", number),
                    steps=options.steps,
                    smooth=options.smooth,
                    report=report,
                )
            )
    outputs = torch.cat([one.image for one in found]).cpu()
    columns = zip(*(one.losses for one in found), strict=True)
    rows = [
        [Tile(truth, "image"), Tile(output, f"from {layer}: {one.course.current[-1]:.2f} dB")]
        for truth, output, one in zip(truths[:4], outputs, found, strict=False)
    ]
    caption = f"images, and what the features of {layer} are enough to recover"
    context.artifacts.save("inversion.png", grid(rows), caption)
    return RestorationOutcome(
        network=context.network,
        inputs=truths,
        outputs=outputs,
        names=names,
        courses=[one.course for one in found],
        history={
            "step": [float(step) for step in found[0].course.steps],
            "loss": [sum(column) / len(found) for column in columns],
        },
        details={"layer": layer},
    )
