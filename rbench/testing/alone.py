"""Whether a block of code leaves the global random states alone."""

from __future__ import annotations

import pickle
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def alone() -> Iterator[list[str]]:
    """Complaints, filled at the end of the block, if it moved a global random state."""
    complaints: list[str] = []
    before = {name: state() for name, state in _global_states().items()}
    yield complaints
    for name, state in _global_states().items():
        if state() != before[name]:
            complaints.append(f"it moves the global random state of {name}")


def _global_states() -> dict[str, Callable[[], object]]:
    return {
        "torch": lambda: bytes(torch.get_rng_state().tolist()),
        "numpy": lambda: pickle.dumps(np.random.get_state(legacy=False)),
        "random": random.getstate,
    }
