"""CIFAR-10-C and CIFAR-100-C as published: one ``.npy`` file per corruption, and labels.npy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rbench import UserError
from rbench_plugins.corruptions.tables import NAMES, SEVERITIES


class PublishedCorruptions:
    """Files (5 N, H, W, 3) uint8, severities one after another, of the same N images.

    ``shape`` (C, H, W) is that of the run's images, and the network tells ``classes`` apart.
    Opened as memory maps. UserError in one line where a file is missing or has another form, or
    images or labels are not those that the network takes.
    """

    def __init__(self, folder: Path, shape: tuple[int, ...], classes: int) -> None:
        self.folder = folder.expanduser()
        if shape[0] != 3:
            raise UserError(
                f"corruptions: {folder} holds RGB images, the network takes {shape[0]} channels"
            )
        self.labels = self._open("labels", 1)
        self.count = len(self.labels) // len(SEVERITIES)
        self.files = {name: self._open(name, 4) for name in NAMES}
        for name, images in self.files.items():
            if len(images) != len(SEVERITIES) * self.count:
                raise UserError(
                    f"corruptions: {self.folder / name}.npy has {len(images)} images, labels.npy "
                    f"{len(self.labels)} labels"
                )
            if images.shape[1:3] != shape[1:]:
                raise UserError(
                    f"corruptions: {self.folder / name}.npy has images of {images.shape[2]}x"
                    f"{images.shape[1]} pixels, this run of {shape[2]}x{shape[1]}; without "
                    "folder, corruptions are made of its own test images"
                )
        if len(self.labels) and not 0 <= self.labels.min() <= self.labels.max() < classes:
            raise UserError(
                f"corruptions: {self.folder / 'labels.npy'} has labels from {self.labels.min()} to "
                f"{self.labels.max()}, the network tells {classes} classes apart (CIFAR-100-C "
                "is for networks of 100 classes)"
            )

    def are_of(self, labels: Tensor) -> bool:
        """Whether the N images have these labels, in this order."""
        own = self.labels_of(torch.arange(self.count))
        return torch.equal(own, labels.cpu().to(own.dtype))

    def images(self, name: str, severity: int, indices: Tensor) -> Tensor:
        """(B, 3, H, W) float32 in [0, 1]."""
        at = indices.numpy() + (severity - 1) * self.count
        return torch.from_numpy(self.files[name][at]).movedim(-1, 1).float() / 255

    def labels_of(self, indices: Tensor) -> Tensor:
        """(B,) int64."""
        return torch.from_numpy(self.labels[indices.numpy()].astype(np.int64))

    def _open(self, name: str, dimensions: int) -> NDArray[np.uint8]:
        path = self.folder / f"{name}.npy"
        try:
            array = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise UserError(
                f"corruptions: cannot read {path}: {error}; the folder of CIFAR-10-C or "
                "CIFAR-100-C has labels.npy and one .npy file per corruption"
            ) from error
        if array.ndim != dimensions or (dimensions == 4 and array.shape[-1] != 3):
            raise UserError(f"corruptions: {path} has the shape {array.shape}")
        return array
