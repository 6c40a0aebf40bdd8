"""The device of each run, where one process executes several."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from accelerate.state import AcceleratorState, PartialState

import rbench
from rbench.errors import UserError
from rbench.plugin.catalog import Catalog
from rbench.runner.accelerator import make_accelerator
from rbench.spec.resolve import Resolved, resolve


@pytest.fixture
def run() -> Iterator[Resolved]:
    """A run on the CPU; the process's state is left as it was found: fresh."""
    AcceleratorState._reset_state(reset_partial_state=True)
    spec = rbench.RunSpec(model="test_resnet", dataset="digits", device="cpu")
    yield resolve(spec, Catalog.from_environment())
    AcceleratorState._reset_state(reset_partial_state=True)


def test_each_run_of_a_process_has_its_own_device(
    run: Resolved, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if torch saw a GPU; nothing is computed on it.
    gpu = property(lambda state: torch.device("cuda"))
    monkeypatch.setattr(PartialState, "default_device", gpu)
    for device in ("cpu", "cuda", "cpu", "cpu", "cuda"):
        assert make_accelerator(replace(run, device=device)).device.type == device


@pytest.mark.parametrize("before", [False, True])
def test_a_device_that_torch_lacks_is_refused(
    run: Resolved, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    """A GPU's device file is there, but torch was built without CUDA."""
    monkeypatch.setattr(PartialState, "default_device", property(lambda state: torch.device("cpu")))
    if before:
        make_accelerator(run)
    with pytest.raises(UserError, match="--device cuda: torch and Accelerate compute on cpu here"):
        make_accelerator(replace(run, device="cuda"))
