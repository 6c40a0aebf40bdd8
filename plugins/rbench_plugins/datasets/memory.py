"""From arrays of pixels to an opened dataset: size, channels, moments, revision."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from rbench import DataContext, ImageData, MemoryImages, UserError

Labeled = tuple[Any, Any]
"""Pixels (N, C, H, W) uint8 and labels (N,), numpy arrays."""
Moments = tuple[tuple[float, ...], tuple[float, ...]]
"""Mean and standard deviation by channel, of values in [0, 1]."""
MOST_BYTES = 4 * 1024**3
"""Decoded pixels of a set that is kept in memory."""


def check_bytes(total: int, name: str, size: tuple[int, int], advice: str) -> None:
    """UserError where ``total`` bytes of pixels, of images of ``size``, are too many."""
    if total > MOST_BYTES:
        raise UserError(
            f"{name} needs over {MOST_BYTES // 1024**3} GiB at {size[1]}x{size[0]} pixels; {advice}"
        )


def in_memory(
    context: DataContext,
    name: str,
    train: Labeled,
    test: Labeled,
    class_names: Iterable[str],
    *,
    revision: str,
    size: tuple[int, int] | None = None,
    filter: Literal["bilinear", "bicubic"] = "bicubic",
    moments: Moments | None = None,
    hflip: float = 0.0,
    crop_pad: int = 0,
) -> ImageData:
    """The dataset in the size and with the channels that ``context`` asks for.

    ``size`` (height, width) applies where the context names none; None is the images' own.
    ``filter`` resizes. ``moments``
    (mean and std per channel, of values in [0, 1]) are computed from the training images where
    None is given, or where the channels are not those that they were given for.
    """
    names = list(class_names)
    parts = []
    for split, (array, labels) in (("train", train), ("test", test)):
        pixels = torch.from_numpy(array)
        targets = torch.as_tensor(labels, dtype=torch.int64)
        if not len(pixels):
            raise UserError(f"{name} has no {split} images")
        if len(pixels) != len(targets):
            raise UserError(
                f"{name} is broken: {len(pixels)} {split} images, {len(targets)} labels"
            )
        if not 0 <= int(targets.min()) <= int(targets.max()) < len(names):
            raise UserError(f"{name} is broken: a {split} label is not in 0..{len(names) - 1}")
        fitted = resized(channelled(pixels, context.in_chans), context.img_size or size, filter)
        parts.append(MemoryImages(fitted.contiguous(), targets))
    pixels = parts[0].pixels
    channels = pixels.shape[1]
    if moments is None or channels != train[0].shape[1]:
        moments = moments_of(pixels)
    return ImageData(
        name=name,
        revision=revision,
        in_chans=channels,
        img_size=(pixels.shape[2], pixels.shape[3]),
        train=parts[0],
        test=parts[1],
        class_names=names,
        mean=moments[0],
        std=moments[1],
        hflip=hflip,
        crop_pad=crop_pad,
    )


def channelled(pixels: Tensor, in_chans: int | None) -> Tensor:
    """``pixels`` (N, C, H, W) uint8 with ``in_chans`` channels: grey repeated, RGB weighted.

    Grey is Pillow's ``L``, the luma of ITU-R 601-2.
    """
    channels = pixels.shape[1]
    if in_chans is None or in_chans == channels:
        return pixels
    if channels == 1:
        return pixels.expand(-1, in_chans, -1, -1)
    if (channels, in_chans) == (3, 1):
        weights = torch.tensor([19595, 38470, 7471], dtype=torch.int32).view(1, 3, 1, 1)
        return torch.cat(
            [
                ((part.int() * weights).sum(1, keepdim=True) + 0x8000)
                .bitwise_right_shift(16)
                .byte()
                for part in pixels.split(4096)
            ]
        )
    raise UserError(f"images of {channels} channels cannot be made to have --in-chans {in_chans}")


def resized(
    pixels: Tensor,
    size: tuple[int, int] | None,
    filter: Literal["bilinear", "bicubic"] = "bicubic",
) -> Tensor:
    """``pixels`` (N, C, H, W) uint8 at ``size`` (height, width), by a filter of Pillow's."""
    if size is None or size == tuple(pixels.shape[2:]):
        return pixels
    resample = Image.Resampling[filter.upper()]
    answer = torch.empty(*pixels.shape[:2], *size, dtype=torch.uint8)
    grey = pixels.shape[1] != 3
    for image, out in zip(pixels.numpy(), answer.numpy(), strict=True):
        planes = image if grey else image.transpose(1, 2, 0)[None]
        for index, plane in enumerate(planes):
            small = Image.fromarray(np.ascontiguousarray(plane))
            large = np.asarray(small.resize((size[1], size[0]), resample))
            if grey:
                out[index] = large
            else:
                out[:] = large.transpose(2, 0, 1)
    return answer


def moments_of(pixels: Tensor) -> Moments:
    """Mean and standard deviation of each channel of uint8 ``pixels``, as values in [0, 1].

    Exact: from counts of the 256 levels. A channel without variation gets the deviation 1.
    """
    levels = torch.arange(256, dtype=torch.float64) / 255
    means, stds = [], []
    for channel in range(pixels.shape[1]):
        counts = sum(
            torch.bincount(part[:, channel].flatten(), minlength=256).double()
            for part in pixels.split(4096)
        )
        assert isinstance(counts, torch.Tensor)
        chances = counts / counts.sum()
        mean = float(chances @ levels)
        std = float((chances @ (levels - mean).square()).sqrt())
        means.append(mean)
        stds.append(std if std > 0 else 1.0)
    return tuple(means), tuple(stds)
