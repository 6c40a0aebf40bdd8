"""What this machine can do, read without loading torch."""

from __future__ import annotations

import math
import os
import platform
from functools import cache
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_WSL_DRIVER = Path("/usr/lib/wsl/lib/libcuda.so.1")


@cache
def has_cuda() -> bool:
    """Whether an NVIDIA GPU is visible to this process."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "unset") in ("", "-1", "NoDevFiles"):
        return False
    # Under WSL 2 there is no device file; the host's driver is mounted instead.
    places = (Path("/dev/nvidia0"), Path("/proc/driver/nvidia/version"), _WSL_DRIVER)
    return any(place.exists() for place in places)


def gpus() -> list[str]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [part for part in visible.split(",") if part.strip()]
    if not has_cuda():
        return []
    return sorted(p.name.removeprefix("nvidia") for p in Path("/dev").glob("nvidia[0-9]*")) or ["0"]


@cache
def gpu_names() -> frozenset[str]:
    """The names of the NVIDIA GPUs here, as their driver reports them."""
    found = set()
    for path in Path("/proc/driver/nvidia/gpus").glob("*/information"):
        for line in path.read_text(errors="replace").splitlines():
            if line.startswith("Model:"):
                found.add(line.split(":", 1)[1].strip())
    return frozenset(found)


@cache
def cpu_flags() -> frozenset[str]:
    """The processor's feature flags (psutil has none); empty where the system has no list."""
    for line in _cpuinfo():
        if line.startswith(("flags", "Features")):
            return frozenset(line.split(":", 1)[1].split())
    return frozenset()


@cache
def cpu_name() -> str:
    """The processor's name."""
    for line in _cpuinfo():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def cores(cgroup: Path = _CGROUP) -> int:
    """CPU cores that this process may use: its affinity, and a container's CPU quota."""
    import psutil

    process = psutil.Process()
    # macOS has no affinity.
    count = len(process.cpu_affinity()) if hasattr(process, "cpu_affinity") else psutil.cpu_count()
    quota = _cpu_quota(cgroup)
    return max(1, count or 1) if quota is None else max(1, min(count or 1, math.ceil(quota)))


def available_memory(cgroup: Path = _CGROUP) -> int:
    """Bytes that new processes can have without swapping, within a container's limit."""
    import psutil

    free = int(psutil.virtual_memory().available)
    limit = _number(cgroup / "memory.max") or _number(cgroup / "memory/memory.limit_in_bytes")
    used = _number(cgroup / "memory.current") or _number(cgroup / "memory/memory.usage_in_bytes")
    return free if limit is None or used is None else max(0, min(free, limit - used))


def resolve_device(asked: str) -> str:
    """``auto`` as ``cuda`` or ``cpu``; anything else unchanged."""
    if asked != "auto":
        return asked
    return "cuda" if has_cuda() else "cpu"


def _cpu_quota(cgroup: Path) -> float | None:
    """Cores that the control group (version 2, else 1) may keep busy; None for no limit.

    psutil does not read control groups.
    """
    try:
        quota, period = (cgroup / "cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):
        pass
    quota_us = _number(cgroup / "cpu/cpu.cfs_quota_us")
    period_us = _number(cgroup / "cpu/cpu.cfs_period_us")
    return quota_us / period_us if quota_us and quota_us > 0 and period_us else None


def _number(path: Path) -> int | None:
    """The number in a file; None if there is no such file or it says ``max``."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _cpuinfo() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
