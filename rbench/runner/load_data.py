"""The data of a run: opened once for several runs of a process, cut for a pilot, described."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from rbench.plugin.data import MemoryImages
from rbench.records.record import DataReport
from rbench.spec.registry import known_data
from rbench.spec.resolve import Resolved, data_context

if TYPE_CHECKING:
    from rbench.plugin.data import ImageData


def open_data(resolved: Resolved) -> tuple[ImageData, list[str]]:
    """Open the run's data; several seeds in one process share what was opened last."""
    return _open_data(_DataKey(resolved))


class _DataKey:
    """Equal for runs that read the same data in the same form."""

    def __init__(self, resolved: Resolved) -> None:
        self.resolved = resolved
        spec = resolved.spec
        self.key = repr(
            (
                resolved.identity["dataset"],
                spec.data_dir,
                spec.skip_bad,
                resolved.task.component.labels,
            )
        )

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _DataKey) and other.key == self.key


@lru_cache(maxsize=2)
def _open_data(key: _DataKey) -> tuple[ImageData, list[str]]:
    notes: list[str] = []
    resolved = key.resolved
    context = replace(data_context(resolved.spec, resolved.task.component), note=notes.append)
    return resolved.dataset.component.open(context, resolved.dataset.options), notes


def sampled(data: ImageData, count: int) -> ImageData:
    """The same data with the first ``count`` test images only."""
    test = data.test
    if isinstance(test, MemoryImages):
        labels = None if test.labels is None else test.labels[:count]
        return replace(data, test=MemoryImages(test.pixels[:count], labels, test.names[:count]))
    if test is not None:
        test = replace(test, targets=test.targets[:count], names=test.names[:count])
    return replace(data, test=test)


def described(data: ImageData) -> DataReport:
    """What a record says of the data."""
    return DataReport(
        name=known_data().get(data.revision, data.name),
        revision=data.revision,
        train_images=None if data.train is None else len(data.train),
        test_images=None if data.test is None else len(data.test),
        num_classes=data.num_classes,
        in_chans=data.in_chans,
        img_size=data.img_size,
        skipped=data.skipped,
    )
