"""The peak of a run's memory, on the CPU."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rbench import peak_memory
from rbench.runner.memory import reset_peak

CPU = torch.device("cpu")
LARGE = 160 * 2**20


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux")
def test_the_peak_is_that_of_this_run_and_counts_what_was_freed() -> None:
    reset_peak(CPU)
    before = peak_memory(CPU)
    assert before is not None
    held = torch.ones(LARGE, dtype=torch.uint8)
    del held
    after = peak_memory(CPU)
    assert after is not None
    assert after > before + 0.9 * LARGE
    reset_peak(CPU)
    again = peak_memory(CPU)
    assert again is not None
    assert again < after - 0.5 * LARGE
