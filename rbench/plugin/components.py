"""The six kinds of component that plugins register: frozen descriptions with a factory.

A component is a name, one sentence, an options model and a function that does the work: a
callable, or a string ``"package.module:function"`` that is imported when it is first used.
Describing a component loads no torch, so a file that imports torch at its top is named by a string.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from pydantic import JsonValue

from rbench.plugin.function import Function
from rbench.plugin.options import NoOptions, Options
from rbench.plugin.outcomes import Outcome

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn

    from rbench.plugin.contexts import BuildContext, DataContext, MetricContext, TaskContext
    from rbench.plugin.data import ImageData
    from rbench.plugin.layer import Layer
    from rbench.records.record import MetricValue


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """A network family member.

    ``build(context, options)`` returns an ``nn.Module``. For classification it maps normalized
    images (B, in_chans, H, W) to logits (B, num_classes). It may draw from the global torch
    generator, which the engine has seeded for it.
    """

    kind: ClassVar[str] = "architecture"
    name: str
    summary: str
    build: Function[Callable[[BuildContext, Any], nn.Module]] = Function()
    options: type[Options] = NoOptions
    defaults: Mapping[str, JsonValue] = field(default_factory=dict)
    """Option values that the name itself implies; the user's values win."""
    title: str = ""
    """The network in the words of a heading, with options in braces: ``ResNet-{depth}-{width}``.
    Variants of one network share it. Empty: the name."""
    pretrained: bool | Callable[[Any], bool] = False
    """Whether ``build`` starts from published weights where ``context.pretrained`` asks for them;
    a function says it of options. Where it does not, ``--pretrained`` is an error."""
    revision: int = 1
    """Raised whenever the numbers that this component yields change."""

    def takes_pretrained(self, options: Any) -> bool:
        """Whether, under these options, the network starts from published weights if asked to."""
        return self.pretrained(options) if callable(self.pretrained) else self.pretrained


@dataclass(frozen=True, kw_only=True)
class ArchitectureFamily:
    """Many architectures under one description, such as every model of timm.

    ``names()`` lists what can be asked for, without loading torch; ``member(name)`` returns the
    architecture of that name, or None if the family does not know it (it may know names that
    ``names()`` does not list, such as ``resnet_lc_20_16x128``).
    """

    kind: ClassVar[str] = "architecture"
    name: str
    summary: str
    names: Callable[[], Iterable[str]]
    member: Callable[[str], Architecture | None]


@dataclass(frozen=True, kw_only=True)
class Initializer:
    """A distribution of weights.

    ``draw(weight, generator, options)``, or ``draw(weight, generator, options, layer)`` with a
    :class:`rbench.Layer`, fills ``weight`` in place, from ``generator`` and from nothing else. A
    convolution's is (c_out, c_in/groups, k, k), a linear layer's (c_out, c_in), a norm's (c,).

    ``fit(network, batches, options, layers)`` may adjust what was drawn by looking at training
    images: a list of batches (B, C, H, W), normalized and not augmented, and the layers that were
    drawn, whose modules are ``network.get_submodule(layer.name)``. No gradients are recorded.
    """

    kind: ClassVar[str] = "initializer"
    name: str
    summary: str
    draw: Function[Callable[..., object]] = Function()
    fit: Function[Callable[[nn.Module, list[Tensor], Any, list[Layer]], object] | None] = Function(
        None
    )
    options: type[Options] = NoOptions
    revision: int = 1


Selection: TypeAlias = "Iterable[str] | Mapping[str, Tensor | bool]"
"""What a freezing rule selects: names of tensors, or name -> boolean mask of the tensor's shape
(True: the entry is fixed; a plain True: all of the tensor)."""


@dataclass(frozen=True, kw_only=True)
class FreezingRule:
    """A choice of what stays as it was drawn.

    ``select(network, generator, options)`` returns a :data:`Selection`: names as
    ``network.named_parameters()`` (and ``named_buffers()``) gives them, or masks. It draws random
    numbers from ``generator`` and from nothing else, and leaves the network as it is. Norms whose
    parameters are all selected keep their running statistics as well; naming buffers is needed
    for norms without parameters only. An empty selection is an error unless ``may_be_empty``.
    """

    kind: ClassVar[str] = "freezing rule"
    name: str
    summary: str
    select: Function[Callable[[nn.Module, Generator, Any], Selection]] = Function()
    options: type[Options] = NoOptions
    formerly: tuple[str, ...] = ()
    """Earlier names, which go on working with a note of the new one."""
    may_be_empty: bool = False
    """Whether selecting nothing is what the rule is for."""
    revision: int = 1


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Images, with labels where there are any. ``open(context, options)`` returns the data."""

    kind: ClassVar[str] = "dataset"
    name: str
    summary: str
    open: Function[Callable[[DataContext, Any], ImageData]] = Function()
    options: type[Options] = NoOptions
    recipe: str | None = None
    """The recipe that a training task takes where the user names none."""
    needs_data_dir: bool = True
    identity: Function[Callable[[DataContext, Any], str | None] | None] = Function(None)
    """``identity(context, options)`` is a digest of the files' contents, or None where the
    dataset's name already says which images it has. It is part of a run's digest and is asked for
    often: without torch, and by :func:`rbench.content_digests`, which reads a file again only if
    it has changed."""
    title: str = ""
    """The images in the words of a heading. Empty: the name."""
    revision: int = 1


@dataclass(frozen=True, kw_only=True)
class DatasetFamily:
    """Many datasets under one description, such as everything that timm's readers open.

    ``names()`` lists examples of what can be asked for, without loading torch; ``member(name)``
    returns the dataset of that name, or None if the family does not know it.
    """

    kind: ClassVar[str] = "dataset"
    name: str
    summary: str
    names: Callable[[], Iterable[str]]
    member: Callable[[str], Dataset | None]


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is asked of a network. ``run(context, options)`` trains or not, returns an outcome."""

    kind: ClassVar[str] = "task"
    name: str
    summary: str
    run: Function[Callable[[TaskContext, Any], Outcome]] = Function()
    produces: type[Outcome]
    options: type[Options] = NoOptions
    dataset: str
    """The dataset where the user names none."""
    metrics: tuple[str, ...] = ()
    """The metrics where the user names none."""
    recipe: str | None = None
    """The recipe where neither the user nor the dataset names one."""
    trains: Callable[[Any], bool] = lambda options: True
    """Whether, under these options, the task trains and so needs a recipe."""
    learns: Callable[[Any], bool] | None = None
    """Whether, under these options, parameters of the network learn; None: where it trains. For a
    task that fits the network without a recipe."""
    labels: bool = True
    """Whether the task needs labeled train and test splits."""
    score: str | None = None
    """The metric by which ``keep = "best"`` selects an epoch; None: this task cannot."""
    question: str = ""
    """The heading under which the page groups this task's tables, such as ``Classification``.
    Empty: the name."""
    compared: tuple[str, ...] = ()
    """Options that say who competes and not by which rules: runs that differ in them share a
    protocol, and so a table of the leaderboard."""
    revision: int = 1

    def lets_learn(self, options: Any) -> bool:
        """Whether, under these options, parameters of the network learn, by a recipe or without."""
        return (self.learns or self.trains)(options)


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A metric's course over the epochs that another metric reads from ``Outcome.history``."""

    metric: str
    split: Literal["val", "test"]
    every: int = 1
    """Epochs between two points."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A measurement on an outcome. ``measure(outcome, context, options)`` returns its values.

    A metric is offered only outcomes of the type that it ``reads``.
    """

    kind: ClassVar[str] = "metric"
    name: str
    summary: str
    measure: Function[Callable[[Any, MetricContext, Any], Iterable[MetricValue]]] = Function()
    reads: type[Outcome] = Outcome
    options: type[Options] = NoOptions
    curves: Callable[[Any], tuple[Curve, ...]] = lambda options: ()
    """The curves that, under these options, it reads from the outcome's history."""
    revision: int = 1


Component: TypeAlias = (
    Architecture
    | ArchitectureFamily
    | Initializer
    | FreezingRule
    | Dataset
    | DatasetFamily
    | Task
    | Metric
)
FAMILIES = (ArchitectureFamily, DatasetFamily)
"""Components that stand for many."""
KINDS: tuple[str, ...] = (
    *("architecture", "initializer", "freezing rule", "dataset", "task", "metric"),
)
