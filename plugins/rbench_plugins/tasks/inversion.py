"""``inversion``: recover images from a network's features by optimizing pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field

from rbench import Options, Task, UserError
from rbench_plugins.restoration.outcome import RestorationOutcome

if TYPE_CHECKING:
    from rbench import TaskContext
    from rbench_plugins.restoration.invert import Inverted


class InversionOptions(Options):
    """Which features, and how the pixels are optimized."""

    layer: str | None = Field(
        None, description="a module's name, such as layer3.1.conv2; none: the last convolution"
    )
    steps: int = Field(200, ge=1, le=100_000, description="of L-BFGS")
    smooth: float = Field(
        0.01, ge=0, description="weight of the total variation against the features' distance"
    )
    images: int = Field(1, ge=1, description="how many, evenly spaced over the test images")


def run(context: TaskContext, options: InversionOptions) -> RestorationOutcome:
    """For each image x0: the image whose features are those of x0, from noise on.

    The network is used as it was built, random or published, in eval mode and float32.
    """
    import torch

    from rbench import Normalized, generator
    from rbench_plugins.images.subset import evenly
    from rbench_plugins.restoration.invert import Maps, invert, last_convolution
    from rbench_plugins.tasks.reconstruction import load

    data = context.data
    if data.test is None:
        raise UserError(f"the data set {data.name} has no test images")
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
    from rbench_plugins.images.grid import Tile, grid

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


COMPONENT = Task(
    name="inversion",
    summary="Recover images from a network's features by optimizing pixels.",
    question="Reconstruction",
    run=run,
    produces=RestorationOutcome,
    options=InversionOptions,
    dataset="photographs",
    metrics=("psnr", "ssim"),
    trains=lambda options: False,
    labels=False,
)
