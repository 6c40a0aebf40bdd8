"""Every random choice derives from the run's seed and a purpose, never from global state."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Generator


def derive(seed: int, *purpose: str | int) -> int:
    """A 63-bit seed for ``purpose``, the same on every machine and process."""
    text = "\x1f".join(["rbench", str(seed), *map(str, purpose)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: int, *purpose: str | int) -> Generator:
    """A CPU generator for ``purpose``; draw on the CPU and move, so that devices agree."""
    import torch

    return torch.Generator().manual_seed(derive(seed, *purpose))


def seed_globally(value: int) -> None:
    """Seed torch's, numpy's and random's global state; for use inside :func:`global_seed`."""
    import numpy as np
    import torch

    torch.manual_seed(value)
    random.seed(value)
    np.random.seed(value % 2**32)


@contextmanager
def global_seed(seed: int, *purpose: str | int) -> Iterator[None]:
    """Seed torch's, numpy's and random's global state inside the block; put it back after.

    For code that is not ours and draws globally: timm's constructors, torchattacks.
    """
    import numpy as np
    import torch

    python, numpy = random.getstate(), np.random.get_state()
    value = derive(seed, *purpose)
    with torch.random.fork_rng():
        seed_globally(value)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)
