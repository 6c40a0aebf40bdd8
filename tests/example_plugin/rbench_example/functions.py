"""What the components of the example do; imported when one of them is used, not before."""

from __future__ import annotations

import torch
from torch import nn

import rbench
from rbench_example import TinyOptions


def build(context: rbench.BuildContext, options: TinyOptions):
    """Two convolutions, a mean, a classifier."""
    width = options.width
    return nn.Sequential(
        nn.Conv2d(context.in_chans, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Conv2d(width, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(4 * width, context.num_classes),
    )


def draw_signs(weight, generator, options):
    """Fill ``weight`` with +-1/sqrt(fan in), drawn from ``generator`` and from nothing else."""
    signs = weight.new_empty(weight.shape).bernoulli_(0.5, generator=generator) * 2 - 1
    weight.copy_(signs / weight[0].numel() ** 0.5)


def draw_by_depth(weight, generator, options, layer):
    """Normal; the standard deviation falls from (2 / fan in)^0.5 at the first layer to its half."""
    std = (2 / layer.fan_in) ** 0.5 * (1 - layer.depth / 2)
    weight.normal_(0, std, generator=generator)


def select(network, generator, options):
    """Names of the parameters that stay as drawn: the first half of the spatial filters."""
    spatial = rbench.spatial_parameters(network)
    names = [name for name, _ in network.named_parameters() if name in spatial]
    return set(names[: (len(names) + 1) // 2])


def open_stripes(context: rbench.DataContext, options: rbench.NoOptions) -> rbench.ImageData:
    """Noisy stripes along rows or columns in memory: 256 to train on, 64 to test on."""
    (height, width), channels = context.img_size or (16, 16), context.in_chans or 1
    draws = rbench.generator(0, "stripes")  # the data are the same for every seed of a run
    rows = (torch.arange(height) // 2 % 2).view(-1, 1).expand(height, width)
    columns = (torch.arange(width) // 2 % 2).expand(height, width)
    splits = {}
    for split, n in (("train", 256), ("test", 64)):
        labels = torch.arange(n) % 2
        noise = torch.randint(128, (n, channels, height, width), generator=draws)
        pixels = 127 * torch.stack([rows, columns])[labels].unsqueeze(1) + noise
        splits[split] = rbench.MemoryImages(pixels.to(torch.uint8), labels)
    return rbench.ImageData(
        name="example_stripes",
        revision="1",
        in_chans=channels,
        img_size=(height, width),
        class_names=["rows", "columns"],
        mean=(0.5,) * channels,
        std=(0.25,) * channels,
        train=splits["train"],
        test=splits["test"],
    )


def run(context: rbench.TaskContext, options: rbench.NoOptions) -> rbench.ClassificationOutcome:
    """Classify every test image by the network as it was built."""
    data = context.data
    if data.test is None or data.test.labels is None:
        raise rbench.UserError(f"the dataset {data.name} has no labeled test images")
    classifier = rbench.Normalized(context.network, data.mean, data.std).to(context.device).eval()
    with context.clock.phase("evaluate", len(data.test)):
        logits = rbench.predict(classifier, data.test, context.accelerator)
    return rbench.ClassificationOutcome(
        network=context.network,
        classifier=classifier,
        test=data.test,
        logits=logits,
        labels=data.test.labels,
    )


def confidence(outcome: rbench.ClassificationOutcome, context, options):
    """Mean probability that the classifier gives to its own answer, in percent."""
    chances = outcome.logits.softmax(1).amax(1)
    yield rbench.MetricValue(
        name="confidence", value=100 * float(chances.mean()), unit="%", n=len(chances)
    )
