"""Training batches: the same global batches in the same order on any number of processes.

Order and augmentation of an epoch derive from (seed, epoch), so a resumed run sees what an
undisturbed one would have seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from PIL.Image import Image, Transpose
from torch import Tensor

from rbench.errors import UserError
from rbench.plugin.crops import fit_image
from rbench.plugin.data import Batch, FileImages, ImageData, MemoryImages, TrainingBatches
from rbench.plugin.file_loader import read_batches
from rbench.plugin.recipe import Training
from rbench.plugin.subset import train_choice
from rbench.seeds import derive, generator, global_seed

if TYPE_CHECKING:
    from rbench.plugin.contexts import TaskContext


def training_batches(  # noqa: PLR0913  each is a fact of a run, by keyword; tasks pass a context
    data: ImageData,
    training: Training,
    *,
    seed: int,
    device: torch.device,
    rank: int = 0,
    processes: int = 1,
    workers: int = 2,
    limit: int | None = None,
) -> TrainingBatches:
    """Batches of ``data.train`` augmented as the recipe says; the last partial batch is dropped.

    Crops and flips are the same for images in memory and for streamed ones.

    Inside a task, ``context.training_batches()`` is the same with the run's own arguments. The
    arguments are keyword-only, so that a benchmark or a test can make batches without a run.
    """
    images = data.train
    if images is None:
        raise UserError(f"the dataset {data.name} has no training images")
    count = len(images) if limit is None else min(limit, len(images))
    if training.batch_size > count:
        raise UserError(
            f"--batch-size {training.batch_size} is larger than the training set ({count} images)"
        )
    if training.batch_size % processes:
        raise UserError(
            f"--batch-size {training.batch_size} cannot be shared by {processes} processes"
        )
    choice = train_choice(len(images), limit)
    chosen = torch.arange(count) if choice is None else torch.tensor(choice.pick())
    order = EpochOrder(chosen, training.batch_size, seed, rank, processes)
    if isinstance(images, MemoryImages):
        for name in ("scale", "aa", "aug_repeats", "reprob"):
            if getattr(training, name):
                raise UserError(
                    f"--{name.replace('_', '-')} works on streamed images; {data.name} is in memory"
                )
        return MemoryBatches(images, data, training, order, device)
    return StreamedBatches(images, data, training, order, device, workers)


def make_batches(context: TaskContext) -> TrainingBatches:
    """The training batches of a run: what ``context.training_batches()`` returns."""
    assert context.training is not None, "only a task that trains asks for training batches"
    return training_batches(
        context.data,
        context.training,
        seed=context.seed,
        device=context.device,
        rank=context.accelerator.process_index,
        processes=context.accelerator.num_processes,
        workers=context.workers,
        limit=context.limit,
    )


def crop_and_flip(data: ImageData, training: Training) -> tuple[int, float]:
    """Zero padding of the random crop in pixels and flip probability: the recipe's or the set's.

    With random resized crops there is no padding.
    """
    hflip = data.hflip if training.hflip is None else training.hflip
    if training.scale is not None:
        return 0, hflip
    return (data.crop_pad if training.crop_pad is None else training.crop_pad), hflip


class EpochOrder:
    """Which process sees which image when."""

    def __init__(self, chosen: Tensor, batch_size: int, seed: int, rank: int, processes: int):
        self.chosen, self.seed = chosen, seed
        self.batch_size, self.share = batch_size, batch_size // processes
        self.start = rank * self.share
        self.steps = len(chosen) // batch_size

    def permutation(self, epoch: int) -> Tensor:
        """The epoch's global order, (steps, batch_size) indices."""
        shuffle = torch.randperm(len(self.chosen), generator=generator(self.seed, "order", epoch))
        used = self.steps * self.batch_size
        return self.chosen[shuffle][:used].view(self.steps, self.batch_size)

    def shifts_and_flips(self, epoch: int, pad: int, hflip: float) -> tuple[Tensor, Tensor]:
        """Where each crop begins in the padded image, (steps, batch_size, 2) rows and columns,
        and which images are flipped, (steps, batch_size)."""
        draw = generator(self.seed, "augmentation", epoch)
        shape = self.steps, self.batch_size
        shifts = torch.randint(0, 2 * pad + 1, (*shape, 2), generator=draw)
        return shifts, torch.rand(shape, generator=draw) < hflip

    def shard(self, per_global_batch: Tensor) -> Tensor:
        """This process's columns of something (steps, batch_size, ...)."""
        return per_global_batch[:, self.start : self.start + self.share]


class MemoryBatches:
    """Whole batches are cropped and flipped on the device, out of one padded uint8 tensor."""

    def __init__(
        self,
        images: MemoryImages,
        data: ImageData,
        training: Training,
        order: EpochOrder,
        device: torch.device,
    ) -> None:
        assert images.labels is not None or data.num_classes == 0
        self.order, self.device = order, device
        self.chosen = order.chosen
        self.pad, self.hflip = crop_and_flip(data, training)
        self.height, self.width = images.pixels.shape[-2:]
        # Channels last: a crop is then one gather of whole pixels.
        pixels = images.pixels.to(device).permute(0, 2, 3, 1)
        self.pixels = torch.nn.functional.pad(pixels, (0, 0, *2 * (self.pad,), *2 * (self.pad,)))
        self.labels = None if images.labels is None else images.labels.to(device)

    def __len__(self) -> int:
        return self.order.steps

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """See :class:`TrainingBatches`."""
        order = self.order.permutation(epoch)
        parts = (order, *self.order.shifts_and_flips(epoch, self.pad, self.hflip))
        indices, shifts, flips = (self.order.shard(part)[start:].to(self.device) for part in parts)
        rows = torch.arange(self.height, device=self.device)
        columns = torch.arange(self.width, device=self.device)
        augments = bool(self.pad or self.hflip)
        for index, shifted, flipped in zip(indices, shifts, flips, strict=True):
            if augments:
                across = torch.where(flipped[:, None], columns.flip(0), columns)
                chosen = self.pixels[
                    index[:, None, None],
                    (rows + shifted[:, :1])[:, :, None],
                    (across + shifted[:, 1:])[:, None, :],
                ]
            else:
                chosen = self.pixels[index]
            labels = None if self.labels is None else self.labels[index]
            yield Batch(chosen.permute(0, 3, 1, 2).float().div_(255), labels)


@dataclass(frozen=True)
class _Sample:
    """An image's part in an epoch: where its crop begins and whether it is flipped."""

    index: int
    epoch: int
    position: int
    """In the global epoch: the random state of the sample is derived from it."""
    top: int
    left: int
    flipped: bool


@dataclass(frozen=True)
class _Augmented:
    """Images as the recipe wants them, with a random state of their own for each sample.

    With ``primary`` (random resized crops) that is timm's; without it images are cropped and
    flipped as in :class:`MemoryBatches`. ``secondary`` and ``final`` are timm's in either case.
    """

    images: FileImages
    size: tuple[int, int]
    primary: Callable[[Image], Image] | None
    secondary: Callable[[Image], Image]
    final: Callable[[Image], Tensor]
    seed: int

    def __getitem__(self, key: _Sample) -> tuple[Tensor, int]:
        with global_seed(self.seed, "sample", key.epoch, key.position):
            image = self.images.load(key.index)
            if self.primary is not None:
                image = self.primary(image)
            else:
                height, width = self.size
                image = fit_image(image, self.size)
                # Outside of the image Pillow's crop is black.
                box = (key.left, key.top, key.left + width, key.top + height)
                image = image.crop(box)
                if key.flipped:
                    image = image.transpose(Transpose.FLIP_LEFT_RIGHT)
            return self.final(self.secondary(image)), self.images.targets[key.index]


class StreamedBatches:
    """Images that worker processes read and augment."""

    def __init__(
        self,
        images: FileImages,
        data: ImageData,
        training: Training,
        order: EpochOrder,
        device: torch.device,
        workers: int,
    ) -> None:
        from timm.data import create_transform

        self.order, self.device, self.workers = order, device, workers
        self.chosen = order.chosen
        self.repeats = max(1, training.aug_repeats)
        self.pad, self.hflip = crop_and_flip(data, training)
        primary, secondary, final = create_transform(
            (data.in_chans, *data.img_size),
            is_training=True,
            use_prefetcher=False,
            scale=training.scale,
            hflip=self.hflip,
            color_jitter=None,
            auto_augment=training.aa,
            re_prob=training.reprob,
            mean=(0.0,) * data.in_chans,
            std=(1.0,) * data.in_chans,
            separate=True,
        )
        self.samples = _Augmented(
            images,
            data.img_size,
            None if training.scale is None else primary,
            secondary,
            final,
            order.seed,
        )

    def __len__(self) -> int:
        return self.order.steps

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """See :class:`TrainingBatches`."""
        order = self.order.permutation(epoch)
        shifts, flips = self.order.shifts_and_flips(epoch, self.pad, self.hflip)
        if self.repeats > 1:
            # Repeated augmentation (Hoffer 2020): an epoch is as long, with fewer images.
            flat = order.flatten()
            order = flat.repeat_interleave(self.repeats)[: flat.numel()].view_as(order)
        position = torch.arange(order.numel()).view_as(order)
        parts = (order, position, shifts - self.pad, flips)
        batches = zip(*(self.order.shard(part)[start:].tolist() for part in parts), strict=True)
        keys = [
            [
                _Sample(index, epoch, place, top, left, flipped)
                for index, place, (top, left), flipped in zip(*batch, strict=True)
            ]
            for batch in batches
        ]
        workers = generator(derive(self.order.seed, "workers"), epoch)
        for images, labels in read_batches(self.samples, keys, self.workers, self.device, workers):
            yield Batch(images, labels)
