"""How images travel inside rbench: uint8 in memory where they fit, streamed where they do not.

Everything a network is measured on is float32 in [0, 1]; normalization is the task's, inside
the network it evaluates, so that attacks and metrics see pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import torch
from PIL.Image import Image
from torch import Tensor

from rbench.plugin.file_loader import read_batches


@dataclass(frozen=True)
class Batch:
    """``images`` (B, C, H, W) float32 in [0, 1]; ``labels`` (B,) int64 or None."""

    images: Tensor
    labels: Tensor | None


class Images(Protocol):
    """A fixed, ordered set of images of one size."""

    @property
    def labels(self) -> Tensor | None:
        """(N,) int64, or None."""

    def __len__(self) -> int: ...

    def batches(
        self, batch_size: int, device: torch.device, indices: Tensor | None = None
    ) -> Iterator[Batch]:
        """The images in order, each once (or those of ``indices``, in that order)."""


class TrainingBatches(Protocol):
    """This process's share of every global batch."""

    chosen: Tensor
    """Indices (N,) of the training images that take part, sorted: all, or those of a limit."""

    def __len__(self) -> int:
        """Steps in an epoch."""

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, images (B/processes, C, H, W) in [0, 1] on the device.

        The first ``start`` are skipped: a resumed run has seen them.
        """


@dataclass
class MemoryImages:
    """Images in memory: ``pixels`` (N, C, H, W) uint8."""

    pixels: Tensor
    labels: Tensor | None = None
    names: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.pixels)

    def to(self, device: torch.device) -> MemoryImages:
        """The same images on ``device``."""
        labels = None if self.labels is None else self.labels.to(device)
        return MemoryImages(self.pixels.to(device), labels, self.names)

    def subset(self, indices: Sequence[int]) -> MemoryImages:
        """The images of ``indices``, in that order."""
        at = torch.tensor(indices, dtype=torch.int64, device=self.pixels.device)
        labels = None if self.labels is None else self.labels[at]
        names = [self.names[index] for index in indices] if self.names else ()
        return MemoryImages(self.pixels[at], labels, names)

    def batches(
        self, batch_size: int, device: torch.device, indices: Tensor | None = None
    ) -> Iterator[Batch]:
        """See :class:`Images`."""
        order = torch.arange(len(self)) if indices is None else indices.cpu()
        for chosen in order.split(batch_size):
            at = chosen.to(self.pixels.device)
            labels = None if self.labels is None else self.labels[at].to(device)
            yield Batch(self.pixels[at].to(device).float().div_(255), labels)


@dataclass(frozen=True)
class _Picked:
    load: Callable[[int], Image]
    indices: Sequence[int]

    def __call__(self, index: int) -> Image:
        return self.load(self.indices[index])


@dataclass
class FileImages:
    """Images that are read when they are needed.

    ``load(i)`` opens image i as an RGB, RGBA or grey PIL image; ``prepare`` turns it into a
    (C, H, W) float32 tensor in [0, 1] of the evaluation size. Training takes from ``load`` what
    the recipe says: random resized crops, or images resized by :func:`rbench.fit_image` and then
    cropped and flipped exactly as images in memory are.
    """

    load: Callable[[int], Image]
    prepare: Callable[[Image], Tensor]
    targets: Sequence[int]
    names: Sequence[str] = ()
    workers: int = 2

    @property
    def labels(self) -> Tensor | None:
        """(N,) int64."""
        return torch.tensor(self.targets, dtype=torch.int64)

    def __len__(self) -> int:
        return len(self.targets)

    def subset(self, indices: Sequence[int]) -> FileImages:
        """The images of ``indices``, in that order."""
        return replace(
            self,
            load=_Picked(self.load, indices),
            targets=[self.targets[index] for index in indices],
            names=[self.names[index] for index in indices] if self.names else (),
        )

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.prepare(self.load(index)), self.targets[index]

    def batches(
        self, batch_size: int, device: torch.device, indices: Tensor | None = None
    ) -> Iterator[Batch]:
        """See :class:`Images`."""
        order: list[int] = list(range(len(self))) if indices is None else indices.tolist()
        keys = [order[at : at + batch_size] for at in range(0, len(order), batch_size)]
        for images, labels in read_batches(self, keys, self.workers, device):
            yield Batch(images, labels)


@dataclass(kw_only=True)
class ImageData:
    """An opened dataset.

    ``revision`` names the exact bytes (a checksum, or the publisher's version): two runs whose
    revisions differ are never compared. ``hflip`` and ``crop_pad`` are the augmentation that
    suits the set, which a recipe may ask for: probability of a flip, pixels of zero padding.
    """

    name: str
    revision: str
    in_chans: int
    img_size: tuple[int, int]
    train: MemoryImages | FileImages | None = None
    test: MemoryImages | FileImages | None = None
    val: MemoryImages | FileImages | None = None
    """The dataset's own validation split, or the one that the run has set aside (``--val``)."""
    class_names: list[str] = field(default_factory=list)
    mean: tuple[float, ...] = (0.5,)
    std: tuple[float, ...] = (0.5,)
    hflip: float = 0.0
    crop_pad: int = 0
    skipped: list[str] = field(default_factory=list)
    train_images: int | None = None
    """Of the whole set, where ``train`` has only the part that a run uses."""
    test_images: int | None = None

    @property
    def num_classes(self) -> int:
        """0 where there are no labels."""
        return len(self.class_names)
