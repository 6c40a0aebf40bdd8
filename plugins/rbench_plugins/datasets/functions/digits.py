"""Opens the dataset that ``datasets/digits.py`` describes."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rbench import DataContext, ImageData, NoOptions
from rbench_plugins.datasets.memory import in_memory
from rbench_plugins.datasets.published import revision_of


def open_digits(context: DataContext, options: NoOptions) -> ImageData:
    """All digits in memory; grey values 0..16 become 0..255."""
    values, labels = read_digits()
    pixels = np.rint(values.reshape(-1, 1, 8, 8) * (255 / 16)).astype(np.uint8)
    by_class = np.argsort(labels, kind="stable")
    held_out = np.zeros(len(labels), dtype=bool)
    held_out[by_class[::5]] = True
    side = (context.img_size or (8, 8))[0]
    return in_memory(
        context,
        "digits",
        (pixels[~held_out], labels[~held_out]),
        (pixels[held_out], labels[held_out]),
        map(str, range(10)),
        revision=revision_of([pixels.tobytes(), labels.astype(np.uint8).tobytes()]),
        crop_pad=side // 8,
    )


def read_digits() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """What ``sklearn.datasets.load_digits(return_X_y=True)`` returns, read from its file.

    Importing scikit-learn imports scipy.stats and pandas, which takes longer than some runs.
    """
    found = find_spec("sklearn")
    for folder in (found and found.submodule_search_locations) or ():
        path = Path(folder, "datasets", "data", "digits.csv.gz")
        if path.is_file():
            table = np.loadtxt(path, delimiter=",")
            return table[:, :-1], table[:, -1].astype(np.int64)
    from sklearn.datasets import load_digits  # slow, see above

    values, labels = load_digits(return_X_y=True)
    return values, labels
