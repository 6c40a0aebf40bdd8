"""What a classifier predicted for each image of its test set, as a file beside the record.

A safetensors file with three tensors, in the order of the dataset's images: ``labels`` (N,),
``predicted`` (N,), the class of the largest logit, and ``top5`` (N, k), the k = min(5, classes)
classes of the largest logits, largest first. All are uint8 where there are at most 256 classes,
else int32: 7 bytes an image of CIFAR-10.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rbench.errors import UserError, printable
from rbench.records.store import RECORD_SUFFIX, Store

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Predictions:
    """``labels`` (N,), ``predicted`` (N,) and ``top5`` (N, k), integers."""

    labels: NDArray[np.integer]
    predicted: NDArray[np.integer]
    top5: NDArray[np.integer]


def predictions_of(record: Path) -> Predictions | None:
    """The predictions beside the record in the file ``record``; None if it kept none.

    UserError where the file cannot be read.
    """
    path = Store(record.parent).predictions(record.name.removesuffix(RECORD_SUFFIX))
    if not path.exists():
        return None
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        found = load_file(path)
        return Predictions(found["labels"], found["predicted"], found["top5"])
    except (SafetensorError, OSError, KeyError) as error:
        raise UserError(f"{path} holds no predictions: {printable(error)}") from error


__all__ = ["Predictions", "predictions_of"]
