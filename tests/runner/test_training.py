from __future__ import annotations

import pytest
import torch
from accelerate import Accelerator
from torch import nn

from rbench.errors import UserError
from rbench.plugin.contexts import TaskContext
from rbench.plugin.data import Batch, ImageData, MemoryImages
from rbench.plugin.recipe import Training
from rbench.runner.batches import EpochOrder, training_batches
from rbench.runner.training import Diverged, train


def data(count: int = 12, side: int = 6, **augmentation: float) -> ImageData:
    pixels = torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8)
    labels = torch.arange(count) % 2
    return ImageData(
        name="tiny",
        revision="0",
        in_chans=3,
        img_size=(side, side),
        train=MemoryImages(pixels, labels),
        class_names=["a", "b"],
        **augmentation,  # type: ignore[arg-type]
    )


def recipe(**fields: object) -> Training:
    plain = {"epochs": 2, "batch_size": 4, "lr": 0.01, "amp": False, "channels_last": False}
    return Training.model_validate({**plain, **fields})


CPU = torch.device("cpu")


def test_every_image_once_an_epoch_in_another_order_each() -> None:
    order = EpochOrder(torch.arange(12), 4, seed=3, rank=0, processes=1)
    first, second = order.permutation(0), order.permutation(1)
    assert sorted(first.flatten().tolist()) == list(range(12))
    assert first.tolist() != second.tolist()
    assert first.tolist() == order.permutation(0).tolist()


def test_two_processes_see_the_same_global_batches_as_one() -> None:
    def epoch(rank: int, processes: int) -> list[Batch]:
        batches = training_batches(
            tiny, recipe(), seed=1, device=CPU, rank=rank, processes=processes
        )
        return list(batches.epoch(5))

    tiny = data(crop_pad=1, hflip=0.5)
    for whole, left, right in zip(epoch(0, 1), epoch(0, 2), epoch(1, 2), strict=True):
        assert torch.equal(whole.images, torch.cat([left.images, right.images]))


def test_crops_and_flips_are_those_of_the_padded_image() -> None:
    tiny = data(count=4, crop_pad=2, hflip=0.5)
    assert isinstance(tiny.train, MemoryImages)
    padded = nn.functional.pad(tiny.train.pixels, (2, 2, 2, 2)).float() / 255
    batches = training_batches(tiny, recipe(), seed=0, device=CPU)
    order = EpochOrder(torch.arange(4), 4, seed=0, rank=0, processes=1)
    seen = set()
    for epoch in range(40):
        (batch,) = batches.epoch(epoch)
        for index, image in zip(order.permutation(epoch)[0], batch.images, strict=True):
            crops = {
                (dy, dx, flip): padded[index, :, dy : dy + 6, dx : dx + 6].flip(-1)
                if flip
                else padded[index, :, dy : dy + 6, dx : dx + 6]
                for dy in range(5)
                for dx in range(5)
                for flip in (False, True)
            }
            matches = [key for key, crop in crops.items() if torch.equal(crop, image)]
            assert len(matches) == 1
            seen.add(matches[0])
    assert len(seen) > 40, "nearly all of the 50 crops should have come up"


def test_without_augmentation_images_are_as_they_are() -> None:
    tiny = data(count=4)
    assert isinstance(tiny.train, MemoryImages)
    (batch,) = training_batches(tiny, recipe(), seed=0, device=CPU).epoch(0)
    assert sorted(batch.images.sum((1, 2, 3)).tolist()) == pytest.approx(
        sorted((tiny.train.pixels.float() / 255).sum((1, 2, 3)).tolist())
    )


def test_limit_takes_the_same_images_for_every_seed() -> None:
    def chosen(seed: int) -> set[float]:
        batches = training_batches(tiny, recipe(batch_size=2), seed=seed, device=CPU, limit=6)
        return {float(i.sum()) for batch in batches.epoch(0) for i in batch.images}

    tiny = data()
    assert len(chosen(0)) == 6
    assert chosen(0) == chosen(9)


def test_a_batch_larger_than_the_set_is_refused() -> None:
    with pytest.raises(UserError, match=r"--batch-size 13 is larger than the training set \(12"):
        training_batches(data(), recipe(batch_size=13), seed=0, device=CPU)


def context(training: Training) -> TaskContext:
    tiny = data()
    return TaskContext(
        network=nn.Identity(),
        data=tiny,
        training=training,
        seed=0,
        accelerator=Accelerator(cpu=True),
    )


def mean_square(module: nn.Module, batch: Batch) -> torch.Tensor:
    return module(batch.images.flatten(1)).square().mean()


def linear() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(108, 1)


def test_the_loop_is_sgd_with_nesterov_momentum_and_a_cosine() -> None:
    training = recipe(weight_decay=0.01, momentum=0.9)
    network, reference = linear(), linear()
    batches = training_batches(data_ := data(), training, seed=0, device=CPU)
    assert data_.train is not None
    train(network, batches, mean_square, context(training))
    optimizer = torch.optim.SGD(
        reference.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=0.01
    )
    step = 0
    for epoch in range(2):
        for batch in batches.epoch(epoch):
            rate = 0.5 * 0.01 * (1 + torch.cos(torch.tensor(torch.pi * step / 6)).item())
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.zero_grad()
            mean_square(reference, batch).backward()
            optimizer.step()
            step += 1
    assert torch.allclose(network.weight, reference.weight, atol=1e-6)


def test_frozen_tensors_feel_neither_step_nor_weight_decay() -> None:
    training = recipe(weight_decay=0.5)
    network = nn.Sequential(linear(), nn.Linear(1, 1))
    network[0].requires_grad_(False)
    before = network[0].weight.clone()
    moved = network[1].weight.clone()
    train(
        network,
        training_batches(data(), training, seed=0, device=CPU),
        mean_square,
        context(training),
    )
    assert torch.equal(network[0].weight, before)
    assert not torch.equal(network[1].weight, moved)


def test_micro_batches_add_up_to_the_batch() -> None:
    whole, parts = linear(), linear()
    tiny = data()
    for network, pieces in ((whole, 1), (parts, 2)):
        training = recipe(grad_accum_steps=pieces)
        train(
            network,
            training_batches(tiny, training, seed=0, device=CPU),
            mean_square,
            context(training),
        )
    assert torch.allclose(whole.weight, parts.weight, atol=1e-6)


def test_a_loss_that_is_not_finite_stops_the_run() -> None:
    training = recipe(lr=1e30, sched="none")
    with pytest.raises(Diverged, match="training loss of epoch"):
        train(
            linear(),
            training_batches(data(), training, seed=0, device=CPU),
            mean_square,
            context(training),
        )


def test_training_leaves_the_global_random_state_alone() -> None:
    training = recipe()
    batches = training_batches(data(), training, seed=0, device=CPU)
    network, ready = linear(), context(training)
    before = torch.random.get_rng_state()
    train(network, batches, mean_square, ready)
    assert torch.equal(before, torch.random.get_rng_state())
