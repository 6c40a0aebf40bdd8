"""The validation split: training images that are set aside, the same ones for every run seed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from rbench.errors import UserError
from rbench.seeds import generator

if TYPE_CHECKING:
    from rbench.plugin.data import ImageData


def with_validation(data: ImageData, wanted: float | Literal["own"]) -> ImageData:
    """``data`` with a validation split that shares no image with the train split.

    ``wanted`` below 1 is a fraction of the training images, from 1 on a number of them; ``own``
    takes the validation split that the dataset comes with. Images are drawn from each class in
    proportion to its size, by a fixed seed. UserError where the dataset cannot give them.
    """
    if wanted == "own":
        if data.val is None:
            raise UserError(
                f"--val own: the dataset {data.name} has no validation split; give a fraction of "
                "the training images, such as --val 0.1"
            )
        return data
    if data.train is None:
        raise UserError(f"--val {wanted:g}: the dataset {data.name} has no training images")
    total = len(data.train)
    count = round(wanted * total) if wanted < 1 else round(wanted)
    if not 1 <= count < total:
        raise UserError(
            f"--val {wanted:g} is {count} of {total} training images; both splits need at least one"
        )
    validation = stratified(data.train.labels, count, total)
    rest = torch.ones(total, dtype=torch.bool)
    rest[validation] = False
    return replace(
        data,
        train=data.train.subset(rest.nonzero().flatten().tolist()),
        val=data.train.subset(validation.tolist()),
    )


def stratified(labels: Tensor | None, count: int, total: int) -> Tensor:
    """``count`` of ``total`` indices, sorted: of each class its share, rounded to the nearest.

    Shares that do not divide evenly are rounded by largest remainder. Without ``labels`` (N,)
    the images are drawn from all.
    """
    order = torch.randperm(total, generator=generator(0, "validation"))
    if labels is None:
        return order[:count].sort().values
    shuffled = labels.cpu()[order]
    classes, sizes = shuffled.unique(return_counts=True)
    exact = sizes.double() * count / total
    quota = exact.floor().long()
    largest = (exact - quota).argsort(descending=True, stable=True)
    quota[largest[: count - int(quota.sum())]] += 1
    chosen = [
        order[shuffled == label][:number]
        for label, number in zip(classes.tolist(), quota.tolist(), strict=True)
    ]
    return torch.cat(chosen).sort().values


__all__ = ["stratified", "with_validation"]
