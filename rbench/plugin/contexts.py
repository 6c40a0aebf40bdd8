"""What the engine hands to a component's function: the run's facts and the means to report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Literal, Protocol

from rbench.plugin.subset import Choice, test_choice, train_choice
from rbench.records.record import Artifact, MetricValue, Phase, Selection

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator
    from PIL.Image import Image
    from torch import Tensor, nn

    from rbench.plugin.data import ImageData, TrainingBatches
    from rbench.plugin.layer import Layer
    from rbench.plugin.outcomes import Outcome
    from rbench.plugin.recipe import Training

Note = Callable[[str], None]
"""Takes one sentence that the user should know and that the record keeps."""


class Progress(Protocol):
    """Where a long job says how far it is; ``text`` is a short live figure such as a loss."""

    def __call__(self, phase: str, done: int, total: int, text: str = "") -> None:
        """Report ``done`` of ``total`` units of ``phase``."""


class DrawsFilters(Protocol):
    """How a layer has its own filters drawn by the run's initializer."""

    def __call__(self, weight: Tensor, stream: str, layer: Layer | None = None) -> None:
        """Fill ``weight`` (c_out, c_in/groups, k, k) from the stream of that name."""


def silent(phase: str, done: int, total: int, text: str = "") -> None:
    """Progress that is shown nowhere."""


class Clock:
    """Seconds and images of each phase of a run."""

    def __init__(self) -> None:
        self.phases: dict[str, Phase] = {}
        self.running: list[Phase] = []
        self.earlier = 0.0
        """Seconds that earlier processes spent on this run, before it was resumed."""
        self.again = False

    def begin_again(self, phases: dict[str, Phase]) -> None:
        """Count on from ``phases``, those before an attempt of this process that failed.

        So a phase's seconds are those that its images took. The run's seconds hold the failed
        attempt as well: with what earlier processes spent, they are known by now.
        """
        self.phases, self.again = phases, True

    def resumed(self, seconds: float) -> None:
        """Count ``seconds`` that a checkpoint's training had taken in the phase that is running.

        They are an earlier process's, unless this process has begun again.
        """
        if not self.again:
            self.earlier += seconds
        if self.running:
            self.running[-1].seconds += seconds

    def exclude(self, seconds: float) -> None:
        """Take ``seconds`` that belong to another phase off the phase that is running."""
        if self.running:
            self.running[-1].seconds -= seconds

    def timing(self) -> list[Phase]:
        """The phases, rounded, with images per second where images were counted."""
        return [
            Phase(
                name=phase.name,
                seconds=round(phase.seconds, 4),
                images=phase.images,
                images_per_second=(
                    round(phase.images / phase.seconds, 1)
                    if phase.images and phase.seconds
                    else None
                ),
            )
            for phase in self.phases.values()
        ]

    @contextmanager
    def phase(self, name: str, images: int = 0) -> Iterator[Phase]:
        """Time a block; the block may set ``phase.images``. A name seen before adds up."""
        phase = self.phases.setdefault(name, Phase(name=name))
        phase.images += images
        self.running.append(phase)
        start = perf_counter()
        try:
            yield phase
        finally:
            self.running.pop()
            phase.seconds += perf_counter() - start


class StaysFrozen(Protocol):
    """What the engine has frozen, for a task with a training loop of its own.

    :func:`rbench.train` calls all of it.
    """

    def begin_epoch(self, epoch: int) -> bool:
        """Before the first step of ``epoch`` (from 0 on): let learn what is to learn from it on.
        Whether anything changed."""

    def ever_learning(self) -> list[nn.Parameter]:
        """Parameters that do not learn now and will: the optimizer has to know them."""

    def fixed_entries(self) -> Mapping[str, Tensor]:
        """Boolean masks of the entries that stay now, of parameters that learn in part."""

    def fix(self, masks: Mapping[str, Tensor]) -> None:
        """Keep the entries under boolean ``masks``, by parameter's name, as they are now to the
        end: for a task that chooses what learns. Called before the training. UserError where a
        parameter stands for other numbers than it holds, as an LC-block's may."""

    def before_step(self) -> None:
        """Between the backward pass and the optimizer's step."""

    def after_step(self) -> None:
        """After the optimizer's step."""


@dataclass(kw_only=True)
class BuildContext:
    """For ``Architecture.build``: the shape of the problem.

    ``img_size`` is (height, width) in pixels; ``num_classes`` 0 asks for a network without a
    classifier; ``pretrained`` asks for published weights.
    """

    name: str = ""
    """The architecture's name, which tells the members of a family apart."""
    in_chans: int = 3
    img_size: tuple[int, int] = (32, 32)
    num_classes: int = 10
    pretrained: bool = False
    seed: int = 0
    """The run's seed, for architectures that draw from streams of their own
    (:func:`rbench.seeds.generator`) instead of the global generator."""
    freeze: tuple[str, ...] = ("none",)
    """The rules and patterns by which the engine will freeze the network, for layers that can be
    run more cheaply when their filters stay as drawn."""
    unfreeze: tuple[str, ...] = ()
    """What it will let learn later, as EPOCH:RULE."""
    training: Training | None = None
    """The recipe by which it will be trained, if the task trains."""
    draw: DrawsFilters | None = None
    """Where the run names an initializer: ``draw(weight, stream, layer)`` fills a spatial filter
    (c_out, c_in/groups, k, k) in place, from the initializer's distribution and from the stream of
    that name. The engine draws plain convolutions itself; a layer that keeps or combines filters
    of its own calls this in place of its own distribution. ``layer`` says which of how many layers
    it is, and its groups; without it, initializers that look at the layer fail or see none."""
    note: Note = field(default=lambda text: None)


@dataclass(kw_only=True)
class DataContext:
    """For ``Dataset.open``: where the files are and in what form they are wanted.

    ``img_size`` None means the set's own size; ``labels`` False means that a folder without
    classes will do.
    """

    name: str = ""
    """The dataset's name, which tells the members of a family apart."""
    data_dir: Path | None = None
    download: bool = False
    img_size: tuple[int, int] | None = None
    in_chans: int | None = None
    labels: bool = True
    skip_bad: bool = False
    """Leave out images that cannot be read, and say so in a note."""
    limit: int | None = None
    """How many training images are used. A dataset may return them all, and the engine takes its
    choice; one that decodes files returns those of :meth:`train_choice` only."""
    limit_test: int | None = None
    """How many test images are used, as ``limit``."""
    note: Note = field(default=lambda text: None)

    def train_choice(self, images: int) -> Choice | None:
        """Which of the training images are used; None: all of them."""
        return train_choice(images, self.limit)

    def test_choice(self, labels: Sequence[int]) -> Choice | None:
        """Which of the test images are used, given the labels of all; None: all of them."""
        return test_choice(labels, self.limit_test)


class Artifacts:
    """Pictures that belong to a record: files in a folder of the record's name."""

    def __init__(self, folder: Path | None) -> None:
        self.folder, self.files = folder, list[Artifact]()

    def save(self, name: str, image: Image, caption: str) -> None:
        """Write ``image`` as ``name`` (``.png`` or ``.jpg``), unless the run keeps no files."""
        folder = self.made_folder()
        if folder is None:
            return
        options = {"optimize": True} if name.endswith(".png") else {"quality": 88}
        image.save(folder / name, **options)
        self.files.append(Artifact(file=f"{folder.name}/{name}", caption=caption))

    def made_folder(self) -> Path | None:
        """The folder, which exists now; None if the run keeps no files."""
        if self.folder is not None:
            # Not all parents: a shared folder that has vanished must not be made again in its
            # place.
            self.folder.parent.mkdir(exist_ok=True)
            self.folder.mkdir(exist_ok=True)
        return self.folder


Split = Literal["val", "test"]
"""The images that a network is evaluated on; the validation split may be absent."""


@dataclass(frozen=True, kw_only=True)
class Probe:
    """Metrics to be measured while the network is trained, every ``every`` epochs and at the end.

    ``measure`` takes an outcome of the images of ``split``. Where ``selects`` is set, the first
    value is the score by which ``keep = "best"`` selects an epoch.
    """

    split: Split
    every: int
    measure: Callable[[Outcome], list[MetricValue]]
    selects: bool = False


class TrackSteps(Protocol):
    """Where a training logs how it goes, for the user's trackers."""

    def training(self, step: int, loss: Tensor, rate: float, images: int) -> None:
        """A step is done: its loss, learning rate, and the images seen so far."""

    def values(self, values: Mapping[str, float | None], step: int | None = None) -> None:
        """Numbers at a step; None: the last one."""


@dataclass(kw_only=True)
class TaskContext:
    """For ``Task.run``: the network, the data, the recipe and the means."""

    network: nn.Module
    """Built, drawn and frozen, on the CPU in float32; the task moves it."""
    data: ImageData
    training: Training | None
    seed: int
    accelerator: Accelerator
    workers: int = 2
    limit: int | None = None
    make_batches: Callable[[TaskContext], TrainingBatches] | None = None
    """The engine's function behind :meth:`training_batches`."""
    clock: Clock = field(default_factory=Clock)
    progress: Progress = silent
    note: Note = field(default=lambda text: None)
    artifacts: Artifacts = field(default_factory=lambda: Artifacts(None))
    checkpoints: Path | None = None
    """A folder for checkpoints of this very run, or None for none."""
    checkpoint_every: int | None = None
    """Optimizer steps between two checkpoints. None: at the end of an epoch, but at most once a
    minute; 0: never."""
    trained_folder: Path | None = None
    """A folder for trainings that have ended, kept where a metric fails afterwards."""
    trained: list[Callable[[], None]] = field(default_factory=list)
    """Functions that each save the end of a training; called when a metric fails afterwards."""
    trainings: int = 0
    """How many trainings this run has begun, so that each has checkpoints of its own."""
    frozen: StaysFrozen | None = None
    """What of the network is frozen entry by entry or for some epochs; None: nothing is."""
    probes: tuple[Probe, ...] = ()
    """What :func:`rbench.train` measures between epochs."""
    tracking: TrackSteps | None = None
    """Where :func:`rbench.train` logs its steps and epochs; None: nowhere."""
    earlier: Callable[[], dict[str, list[float]]] | None = None
    """Loads the weights of a training that is over and returns its history, where saved weights
    are measured again; :func:`rbench.train` calls it in place of a training."""
    selection: Selection | None = None
    """Set by :func:`rbench.train` where the recipe says ``keep = "best"``."""

    @property
    def device(self) -> torch.device:
        """Where this process computes."""
        return self.accelerator.device

    def training_batches(self) -> TrainingBatches:
        """This process's share of the training batches: of ``data.train``, or of ``limit``
        images of it, augmented by the recipe, in an order that derives from the run's seed."""
        assert self.make_batches is not None, "this context was made outside of a run"
        return self.make_batches(self)


class Rebuild(Protocol):
    """The network of the run as it was built, on the CPU and independent of the trained one."""

    def __call__(self, seed: int | None = None) -> nn.Module:
        """With the run's own seed and weights, or freshly drawn from another ``seed``."""


@dataclass(kw_only=True)
class MetricContext:
    """For ``Metric.measure``."""

    seed: int
    device: torch.device
    accelerator: Accelerator
    batch_size: int = 256
    phase: Phase = field(default_factory=lambda: Phase(name="metric"))
    """The metric's own phase in the record's timing; a metric that looks at images sets
    ``phase.images``."""
    progress: Progress = silent
    note: Note = field(default=lambda text: None)
    artifacts: Artifacts = field(default_factory=lambda: Artifacts(None))
    rebuild: Rebuild | None = None
    """Builds the run's network again, as it was before the task."""
