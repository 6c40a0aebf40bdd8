"""A task that trains nothing: what the network makes of each test image, scaled to [0, 1]."""

import rbench


def run(context, options):
    import torch

    network = context.network.to(context.device).eval()
    images = next(iter(context.data.test.batches(64, context.device))).images
    with torch.inference_mode():
        outputs = network(images).float().flatten(1)
    low, high = outputs.amin(1, keepdim=True), outputs.amax(1, keepdim=True)
    outputs = ((outputs - low) / (high - low).clamp(min=1e-12)).cpu()
    return rbench.ImagesOutcome(
        network=network,
        inputs=images.cpu(),
        outputs=outputs[:, None, None, :],
        names=[str(index) for index in range(len(images))],
    )


@rbench.hookimpl
def rbench_register_tasks():
    return [
        rbench.Task(
            name="docs_responses",
            summary="A network's outputs on test images, without training.",
            run=run,
            produces=rbench.ImagesOutcome,
            dataset="digits",
            metrics=("docs_spread",),
            trains=lambda options: False,
        )
    ]


def spread(outcome, context, options):
    yield rbench.MetricValue(
        name="docs_spread", value=float(outcome.outputs.std()), n=len(outcome.outputs)
    )


@rbench.hookimpl
def rbench_register_metrics():
    return [
        rbench.Metric(
            name="docs_spread",
            summary="Standard deviation of all outputs.",
            measure=spread,
            reads=rbench.ImagesOutcome,
        )
    ]
