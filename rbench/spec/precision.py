"""Whether training in bfloat16 is faster than in float32 on a device: measured, not guessed.

Processor flags do not tell: with AVX512-BF16 and without AMX some processors gain a factor of
nearly two and others lose. The measurement takes about a third of a second and is kept in the
cache folder by processor and torch version. No torch is loaded where it is there already.
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from functools import cache
from importlib.metadata import version

from rbench import hardware
from rbench.errors import UserError
from rbench.files import cache_folder, write_atomically

PAYS = 1.15
"""The least speedup for which ``amp`` is on by default."""
ABLE = frozenset({"amx_bf16", "avx512_bf16", "bf16"})
"""Flags of processors (x86, Arm) that have instructions for bfloat16 at all."""


def bfloat16_is_faster(device: str) -> bool:
    """Whether a run on ``device`` trains in bfloat16 unless its recipe or the user says not to."""
    if device.startswith("cuda"):
        return True
    return device == "cpu" and (cpu_bfloat16_speedup() or 0.0) >= PAYS


def cpu_lacks_bfloat16() -> bool:
    """Whether this processor is known to have no instructions for bfloat16.

    PyTorch computes in bfloat16 there, too, but training takes about ten times as long as in
    float32.
    """
    flags = hardware.cpu_flags()
    return bool(flags) and flags.isdisjoint(ABLE)


@cache
def cpu_bfloat16_speedup() -> float | None:
    """Training speed in bfloat16 over that in float32, both channels_last, on this processor.

    None, and not measured, where the processor is not known to have instructions for bfloat16.
    """
    if hardware.cpu_flags().isdisjoint(ABLE):
        return None
    key = f"{hardware.cpu_name()}, torch {version('torch')}"
    path = cache_folder() / "bfloat16.json"
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        assert isinstance(known, dict)
    except (OSError, ValueError, AssertionError):
        known = {}
    found = known.get(key)
    if not isinstance(found, int | float):
        known[key] = found = round(measure(), 2)
        with suppress(UserError):  # what cannot be kept is measured again
            write_atomically(path, json.dumps(known, indent=1) + "\n")
    return float(found)


def measure(rounds: int = 4) -> float:
    """Train a small CIFAR network in turns in both precisions; the ratio of the best steps."""
    import torch
    from torch import nn

    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers: list[nn.Module] = []
        channels = 3
        for width, stride in ((16, 1), (16, 1), (32, 2), (32, 1), (64, 2), (64, 1)):
            conv = nn.Conv2d(channels, width, 3, stride, 1, bias=False)
            layers += [conv, nn.BatchNorm2d(width), nn.ReLU()]
            channels = width
        form = torch.channels_last
        network = nn.Sequential(*layers).to(memory_format=form)
        images = torch.rand(128, 3, 32, 32).contiguous(memory_format=form)
    best = {False: float("inf"), True: float("inf")}
    for number in range(rounds + 1):
        for bfloat16 in best:
            start = time.perf_counter()
            with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
                loss = network(images).float().square().mean()
            loss.backward()
            if number:  # the first round builds the kernels
                best[bfloat16] = min(best[bfloat16], time.perf_counter() - start)
    return best[False] / best[True]
