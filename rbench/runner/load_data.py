"""The data of a run: opened once for several runs of a process, limited, described."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from rbench.plugin.data import FileImages
from rbench.records.record import DataReport
from rbench.runner.validation import with_validation
from rbench.spec.registry import known_data
from rbench.spec.resolve import Resolved, data_context

if TYPE_CHECKING:
    from rbench.plugin.contexts import DataContext
    from rbench.plugin.data import ImageData


def open_data(resolved: Resolved) -> tuple[ImageData, list[str]]:
    """The run's data and notes on it; several seeds in one process share what was opened last."""
    data, notes = _open_data(_DataKey(resolved))
    workers = resolved.spec.workers
    train, val, test = (
        replace(images, workers=workers) if isinstance(images, FileImages) else images
        for images in (data.train, data.val, data.test)
    )
    return replace(data, train=train, val=val, test=test), notes


def data_key(resolved: Resolved) -> str:
    """The same for runs that read the same data in the same form."""
    return _DataKey(resolved).key


class _DataKey:
    """Equal for runs that read the same data in the same form."""

    def __init__(self, resolved: Resolved) -> None:
        self.resolved = resolved
        spec = resolved.spec
        self.context = data_context(spec, resolved.task.component, resolved.dataset.component)
        if spec.val not in (None, "own"):
            # The validation split is of all training images; those that remain are limited.
            self.context = replace(self.context, limit=None)
        form = replace(self.context, note=print)  # the same function for all
        splits = (spec.val, spec.measure_on, spec.limit)
        # A plugin file may bring the dataset; its component does not say which version of it.
        loose = resolved.identity.get("loose", {})
        files = {name: sha256 for name, sha256 in loose.items() if name.endswith(".py")}
        self.key = repr((resolved.identity["dataset"], form, splits, files))

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _DataKey) and other.key == self.key


@lru_cache(maxsize=2)
def _open_data(key: _DataKey) -> tuple[ImageData, list[str]]:
    notes: list[str] = []
    context = replace(key.context, note=notes.append)
    spec, dataset = key.resolved.spec, key.resolved.dataset
    data = limited(dataset.component.open(context, dataset.options), context)
    if spec.val is not None:
        data = with_validation(data, spec.val)
        data = limited(data, replace(context, limit=spec.limit, limit_test=None))
    if spec.measure_on == "val":
        data = replace(data, test=data.val)
    return data, notes


def limited(data: ImageData, context: DataContext) -> ImageData:
    """``data`` with the images that the context asks for, if the dataset returned all."""
    train, test = data.train, data.test
    counts = [None if images is None else len(images) for images in (train, test)]
    if train is not None and (choice := context.train_choice(len(train))):
        train = train.subset(choice.pick())
    if test is not None and context.limit_test is not None:
        labels = [0] * len(test) if test.labels is None else test.labels.tolist()
        if choice := context.test_choice(labels):
            test = test.subset(choice.pick())
    return replace(
        data,
        train=train,
        test=test,
        train_images=counts[0] if data.train_images is None else data.train_images,
        test_images=counts[1] if data.test_images is None else data.test_images,
    )


def sampled(data: ImageData, count: int) -> ImageData:
    """The same data with the first ``count`` test images only."""
    test = data.test
    return replace(data, test=None if test is None else test.subset(range(min(count, len(test)))))


def described(data: ImageData) -> DataReport:
    """What a record says of the data."""
    return DataReport(
        name=known_data().get(data.revision, data.name),
        revision=data.revision,
        train_images=data.train_images,
        test_images=data.test_images,
        val_images=None if data.val is None else len(data.val),
        num_classes=data.num_classes,
        class_names=data.class_names,
        in_chans=data.in_chans,
        img_size=data.img_size,
        skipped=data.skipped,
    )
