"""What this machine can do, read without loading torch."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path


@cache
def has_cuda() -> bool:
    """Whether an NVIDIA GPU is visible to this process."""
    if os.environ.get("CUDA_VISIBLE_DEVICES", "unset") in ("", "-1", "NoDevFiles"):
        return False
    return Path("/dev/nvidia0").exists() or Path("/proc/driver/nvidia/version").exists()


@cache
def cpu_flags() -> frozenset[str]:
    """The processor's feature flags; empty where the system does not tell."""
    for line in _cpuinfo():
        if line.startswith(("flags", "Features")):
            return frozenset(line.split(":", 1)[1].split())
    return frozenset()


@cache
def cpu_name() -> str:
    """The processor's name."""
    import platform

    for line in _cpuinfo():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def cores() -> int:
    """CPU cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@cache
def gpu_names() -> frozenset[str]:
    """The names of the NVIDIA GPUs here, as their driver tells them."""
    found = set()
    for path in Path("/proc/driver/nvidia/gpus").glob("*/information"):
        for line in path.read_text(errors="replace").splitlines():
            if line.startswith("Model:"):
                found.add(line.split(":", 1)[1].strip())
    return frozenset(found)


def memory() -> int | None:
    """Bytes of memory that new processes can have; None where the system does not tell."""
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return None


def fast_bfloat16(device: str) -> bool:
    """Whether training in bfloat16 beats float32: on GPUs, and on processors with AMX.

    A processor without AMX or AVX512-BF16 emulates bfloat16 and is slower with it.
    """
    return device.startswith("cuda") or not cpu_flags().isdisjoint({"amx_bf16"})


def resolve_device(asked: str) -> str:
    """``auto`` as ``cuda`` or ``cpu``; anything else as it is."""
    if asked != "auto":
        return asked
    return "cuda" if has_cuda() else "cpu"


def _cpuinfo() -> list[str]:
    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
