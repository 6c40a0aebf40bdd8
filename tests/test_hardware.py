"""Cores and memory that a process may use, within affinity and a container's limits."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from rbench import hardware


@pytest.mark.parametrize(
    ("quota", "expected"),
    [("max 100000", None), ("100000 100000", 1), ("150000 100000", 2), ("10000 100000", 1)],
)
def test_a_containers_quota_counts(tmp_path: Path, quota: str, expected: int | None) -> None:
    (tmp_path / "cpu.max").write_text(quota + "\n")
    everything = hardware.cores(tmp_path / "absent")
    assert hardware.cores(tmp_path) == min(everything, expected or everything)


def test_the_first_version_of_control_groups_counts(tmp_path: Path) -> None:
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    for quota, expected in (("-1", hardware.cores(tmp_path / "absent")), ("50000", 1)):
        (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(quota + "\n")
        assert hardware.cores(tmp_path) == expected


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system has no affinity")
def test_affinity_counts() -> None:
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from rbench import hardware; print(hardware.cores())"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "1\n"


def test_a_containers_memory_counts(tmp_path: Path) -> None:
    free = hardware.available_memory(tmp_path / "absent")
    assert free == pytest.approx(psutil.virtual_memory().available, rel=0.5)
    (tmp_path / "memory.max").write_text(f"{100 * 2**20}\n")
    (tmp_path / "memory.current").write_text(f"{60 * 2**20}\n")
    assert hardware.available_memory(tmp_path) == 40 * 2**20
    (tmp_path / "memory.max").write_text("max\n")
    assert hardware.available_memory(tmp_path) > 40 * 2**20
