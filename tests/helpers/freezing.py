"""Freeze a network by rules and patterns, as a run does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn

from rbench.network import freeze as engine
from rbench.network.frozen import Frozen
from rbench.plugin.catalog import Catalog
from rbench.records.record import FreezeReport
from rbench.spec.freezing import Freezing, freezing
from rbench.spec.run_spec import RunSpec

CATALOG = Catalog.from_environment()


class Net(nn.Module):
    """A stem, a depthwise-separable block with a norm without parameters, a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.bn = nn.BatchNorm2d(8)
        self.depthwise = nn.Conv2d(8, 8, 3, groups=8, padding=1, bias=False)
        self.pointwise = nn.Conv2d(8, 6, 1)
        self.plain = nn.BatchNorm2d(6, affine=False)
        self.hidden = nn.Linear(6, 5)
        self.last = nn.LayerNorm(5)
        self.head = nn.Linear(5, 4)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.plain(self.pointwise(self.depthwise(self.bn(self.stem(images)))))
        return self.head(self.last(self.hidden(maps.mean((2, 3)))))


def parsed(terms: Iterable[str], **fields: Any) -> Freezing:
    return freezing(RunSpec(model="m", freeze=tuple(terms), **fields), CATALOG)


def frozen_by(network: nn.Module, *terms: str, seed: int = 0, **fields: Any) -> Frozen:
    return engine.freeze(network, parsed(terms, **fields), seed)


def freeze(network: nn.Module, terms: Iterable[str], seed: int = 0, **fields: Any) -> FreezeReport:
    read = parsed(terms, **fields)
    return engine.report(engine.freeze(network, read, seed), read, True)
