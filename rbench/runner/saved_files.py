"""The files that a run writes beside its record: weights, and predictions of each image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from rbench.files import share
from rbench.plugin.outcomes import ClassificationOutcome, Outcome
from rbench.records.store import WEIGHTS, Store

if TYPE_CHECKING:
    from rbench.network.build import Built
    from rbench.plugin.contexts import Artifacts, Note


def save_predictions(outcome: Outcome, artifacts: Artifacts, note: Note) -> bool:
    """Write the predictions of ``outcome`` into a run's folder of artifacts; whether it has any.

    The form is that of :mod:`rbench.records.predictions`.
    """
    from safetensors.torch import save_file

    if not isinstance(outcome, ClassificationOutcome):
        note("--save-predictions: this task classifies no images, so there are none")
        return False
    if (folder := artifacts.made_folder()) is None:
        return True
    logits = outcome.logits
    small = max(logits.shape[1], int(outcome.labels.max()) + 1) <= 256
    kind = torch.uint8 if small else torch.int32
    tensors = {
        "labels": outcome.labels,
        "predicted": logits.argmax(1),
        "top5": logits.topk(min(5, logits.shape[1]), dim=1).indices,
    }
    content = {name: tensor.to(kind).contiguous() for name, tensor in tensors.items()}
    save_file(content, Store(folder.parent).predictions(folder.name))
    return True


def save_weights(built: Built, artifacts: Artifacts) -> None:
    """Write the network's state as :data:`rbench.records.store.WEIGHTS`."""
    from safetensors.torch import save_file

    if (folder := artifacts.made_folder()) is None:
        return
    state = {
        name: tensor.contiguous().clone() for name, tensor in built.network.state_dict().items()
    }
    save_file(state, folder / WEIGHTS)
    share(folder / WEIGHTS)


__all__ = ["save_predictions", "save_weights"]
