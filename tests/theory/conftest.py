from __future__ import annotations

import pytest
import torch
from skimage import data
from skimage.transform import resize
from torch import Tensor


@pytest.fixture(scope="session")
def cat() -> Tensor:
    """(3, 16, 16) float64 in [0, 1]."""
    return torch.from_numpy(
        resize(data.chelsea()[:300, :300], (16, 16), anti_aliasing=True)
    ).permute(2, 0, 1)
