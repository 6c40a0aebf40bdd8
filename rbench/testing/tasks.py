"""A task's run on sixteen small images and a small network."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from accelerate import Accelerator
from torch import nn

from rbench.errors import UserError
from rbench.network.build import state_sha256
from rbench.network.frozen import Frozen, FrozenWeightsMoved
from rbench.plugin.catalog import Catalog
from rbench.plugin.components import Task
from rbench.plugin.contexts import TaskContext
from rbench.plugin.data import ImageData, MemoryImages
from rbench.plugin.options import Options
from rbench.plugin.recipe import Training
from rbench.runner.batches import make_batches
from rbench.seeds import generator, global_seed


def check_task(task: Task, options: Options, catalog: Catalog) -> Iterator[str]:
    """Its metrics can read what it yields, and one epoch of it on tiny input yields that.

    UserError says that it wants another network or other data, and passes.
    """
    try:
        catalog.dataset(task.dataset)
    except UserError as error:
        yield f"its default dataset: {error}"
    for name in task.metrics:
        metric = catalog.metric(name)
        if not issubclass(task.produces, metric.reads):
            yield f"its metric {name} cannot read a {task.produces.__name__}"
    with global_seed(0, "testing"):
        network = nn.Sequential(
            *(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU()),
            *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4)),
        )
    recipe = {"epochs": 1, "batch_size": 4, "lr": 0.01, "amp": False}
    training = Training.model_validate(recipe) if task.trains(options) else None
    frozen = Frozen(network, {})
    context = TaskContext(
        network=network,
        data=_images(),
        training=training,
        seed=0,
        accelerator=Accelerator(cpu=True),
        workers=0,
        make_batches=make_batches,
        frozen=frozen,
    )
    before = torch.get_rng_state()
    drawn = state_sha256(network)
    try:
        outcome: object = task.run(context, options)
    except UserError:
        return
    except Exception as error:
        yield f"its run raises {type(error).__name__}: {error}"
        return
    if not isinstance(outcome, task.produces):
        yield f"its run returns a {type(outcome).__name__}, not a {task.produces.__name__}"
    if not torch.equal(before, torch.get_rng_state()):
        yield "its run moves the global random state of torch"
    try:
        frozen.check()
    except FrozenWeightsMoved:
        yield "its run moves entries that it fixed"
    moved = state_sha256(network) != drawn
    if moved != task.lets_learn(options):
        yield (
            "its run changes the network, and neither trains nor learns says so"
            if moved
            else "trains or learns says that parameters learn, and its run leaves them alone"
        )


def _images() -> ImageData:
    """Sixteen images of 32 px in four classes, to train and to test on."""
    pixels = torch.randint(
        256, (16, 3, 32, 32), generator=generator(0, "testing"), dtype=torch.uint8
    )
    images = MemoryImages(pixels, torch.arange(16) % 4, [f"{i}.png" for i in range(16)])
    return ImageData(
        name="tiny",
        revision="0",
        in_chans=3,
        img_size=(32, 32),
        train=images,
        test=images,
        class_names=list("abcd"),
        mean=(0.5,) * 3,
        std=(0.25,) * 3,
    )
