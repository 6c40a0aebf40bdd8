"""Training batches: the same global batches in the same order on any number of processes.

Order and augmentation of an epoch derive from (seed, epoch), so a resumed run sees what an
undisturbed one would have seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from rbench.errors import UserError
from rbench.plugin.data import Batch, FileImages, ImageData, MemoryImages, TrainingBatches
from rbench.plugin.recipe import Training
from rbench.plugin.subset import train_choice
from rbench.seeds import derive, generator

if TYPE_CHECKING:
    from rbench.plugin.contexts import TaskContext


def training_batches(
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

    Inside a task, ``context.training_batches()`` is the same with the run's own arguments. The
    arguments are keyword-only, so that a benchmark or a test can make batches without a run.
    """
    images = data.train
    if images is None:
        raise UserError(f"the data set {data.name} has no training images")
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
        for name in ("aa", "aug_repeats", "reprob"):
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


class EpochOrder:
    """Who sees which image when."""

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

    def mine(self, per_global_batch: Tensor) -> Tensor:
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
        self.pad = data.crop_pad if training.crop_pad is None else training.crop_pad
        self.hflip = data.hflip if training.hflip is None else training.hflip
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
        draw = generator(self.order.seed, "augmentation", epoch)
        shift = torch.randint(0, 2 * self.pad + 1, (*order.shape, 2), generator=draw)
        flip = torch.rand(order.shape, generator=draw) < self.hflip
        indices, shifts, flips = (
            self.order.mine(part)[start:].to(self.device) for part in (order, shift, flip)
        )
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


class _Augmented(torch.utils.data.Dataset[tuple[Tensor, int]]):
    """Image (i, position in the epoch) through timm's transform, seeded for that very sample."""

    def __init__(self, images: FileImages, transform: Any, seed: int) -> None:
        self.images, self.transform, self.seed = images, transform, seed

    def __getitem__(self, key: tuple[int, int, int]) -> tuple[Tensor, int]:
        from rbench.seeds import global_seed

        index, epoch, position = key
        with global_seed(self.seed, "sample", epoch, position):
            return self.transform(self.images.load(index)), self.images.targets[index]


class StreamedBatches:
    """Images read by worker processes and augmented by timm, one random state per sample."""

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
        self.repeats = max(1, training.aug_repeats)
        transform = create_transform(
            (data.in_chans, *data.img_size),
            is_training=True,
            use_prefetcher=False,
            hflip=0.5 if training.hflip is None else training.hflip,
            color_jitter=None,
            auto_augment=training.aa,
            re_prob=training.reprob,
            mean=(0.0,) * data.in_chans,
            std=(1.0,) * data.in_chans,
        )
        self.dataset = _Augmented(images, transform, order.seed)

    def __len__(self) -> int:
        return self.order.steps

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """See :class:`TrainingBatches`."""
        order = self.order.permutation(epoch)
        if self.repeats > 1:
            # Repeated augmentation (Hoffer 2020): an epoch is as long, with fewer images.
            flat = order.flatten()
            order = flat.repeat_interleave(self.repeats)[: flat.numel()].view_as(order)
        position = torch.arange(order.numel()).view_as(order)
        keys = [
            [(int(i), epoch, int(p)) for i, p in zip(batch, places, strict=True)]
            for batch, places in zip(self.order.mine(order), self.order.mine(position), strict=True)
        ]
        loader = torch.utils.data.DataLoader(
            self.dataset,
            batch_sampler=keys[start:],
            num_workers=self.workers,
            pin_memory=self.device.type == "cuda",
            generator=generator(derive(self.order.seed, "workers"), epoch),
        )
        for images, labels in loader:
            yield Batch(
                images.to(self.device, non_blocking=True), labels.to(self.device, non_blocking=True)
            )
