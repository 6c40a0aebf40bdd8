"""Batches of images that worker processes read from files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from rbench.errors import UserError

SHARED_MEMORY = "/dev/shm"
PREFETCHED = 2
"""Batches that each worker holds ready (torch's default)."""


class Samples(Protocol):
    """Reads image (C, H, W) and label of a key; UserError where the file is broken."""

    def __getitem__(self, key: Any) -> tuple[Tensor, int]: ...


def read_batches(
    samples: Samples,
    keys: Sequence[list[Any]],
    workers: int,
    device: torch.device,
    generator: torch.Generator | None = None,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Images (B, C, H, W) and labels (B,) on ``device`` for each of ``keys``.

    Workers hand batches over in shared memory, or through a pipe where that is too small, as in
    many containers. UserError in one line for a file that cannot be read, whoever read it.
    """
    if not keys:
        return
    if workers:
        image, _ = samples[keys[0][0]]
        size = image.nbytes * len(keys[0]) * workers * PREFETCHED
        piped = size > _free_shared_memory()
    else:
        piped = False
    loader: Any = torch.utils.data.DataLoader(
        _Checked(samples),
        batch_sampler=keys,
        num_workers=workers,
        collate_fn=_piped if piped else _collated,
        pin_memory=device.type == "cuda",
        generator=generator,
    )
    for found in loader:
        if isinstance(found, UserError):
            raise found
        images, labels = map(torch.as_tensor, found)
        yield images.to(device, non_blocking=True), labels.to(device, non_blocking=True)


class _Checked(torch.utils.data.Dataset[Any]):
    """Samples, or the UserError in the place of one.

    An exception would come out of a worker with the worker's traceback as its message.
    """

    def __init__(self, samples: Samples) -> None:
        self.samples = samples

    def __getitem__(self, key: Any) -> Any:
        try:
            return self.samples[key]
        except UserError as error:
            return error


def _collated(found: list[Any]) -> Any:
    for one in found:
        if isinstance(one, UserError):
            return one
    images, labels = zip(*found, strict=True)
    return torch.stack(images), torch.tensor(labels)


def _piped(found: list[Any]) -> Any:
    """Arrays are pickled, tensors are put into shared memory."""
    batch = _collated(found)
    return batch if isinstance(batch, UserError) else tuple(part.numpy() for part in batch)


def _free_shared_memory() -> float:
    """Bytes; infinite where the system has no such folder."""
    try:
        status = os.statvfs(SHARED_MEMORY)
    except OSError:
        return float("inf")
    return status.f_bavail * status.f_frsize
