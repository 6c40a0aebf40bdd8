"""What tasks hand to metrics. A metric says which of these types it can read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn

    from rbench.plugin.data import Images


@dataclass(kw_only=True)
class Outcome:
    """The result of any task: the network as the task left it, in eval mode, float32.

    ``history`` holds named series (one number an epoch or a step, e.g. ``train_loss``) that go
    into the record as they are.
    """

    network: nn.Module
    history: dict[str, list[float]] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)
    """JSON values that the record keeps under ``details``."""
    fixed_entries: dict[str, Tensor] = field(default_factory=dict)
    """Parameter's name -> boolean mask of its entries that did not learn, where others did: set
    by the engine, from ``--freeze`` and from what the task fixed by ``context.frozen.fix``."""


@dataclass(kw_only=True)
class ClassificationOutcome(Outcome):
    """A classifier and the images it is judged on.

    ``classifier`` takes images (B, C, H, W) in [0, 1], normalizes them itself and returns
    logits (B, num_classes). ``logits`` (N, num_classes) float32 and ``labels`` (N,) are those
    of the whole test set, each image once, in the set's order, on the CPU.
    """

    classifier: nn.Module
    test: Images
    logits: Tensor
    labels: Tensor


@dataclass(kw_only=True)
class ImagesOutcome(Outcome):
    """Images in, images out: ``inputs`` and ``outputs`` are (N, C, H, W) in [0, 1], on the CPU.

    ``names`` has one entry an image.
    """

    inputs: Tensor
    outputs: Tensor
    names: list[str]
