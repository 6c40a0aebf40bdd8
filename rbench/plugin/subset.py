"""Which images take part when a run is limited to some of them: the same ones for every seed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence, Set
from dataclasses import dataclass

from rbench.seeds import generator


@dataclass(frozen=True)
class Choice:
    """``count`` images, in the order of preference ``order`` (a permutation of all indices)."""

    order: Sequence[int]
    count: int

    def pick(self) -> list[int]:
        """The chosen indices, sorted."""
        return sorted(self.order[: self.count])

    def pick_around(self, unusable: Set[int]) -> list[int]:
        """The chosen indices and the ``unusable`` ones in whose place others came, sorted."""
        taken, usable = 0, 0
        while usable < self.count and taken < len(self.order):
            usable += self.order[taken] not in unusable
            taken += 1
        return sorted(self.order[:taken])


def train_choice(images: int, limit: int | None) -> Choice | None:
    """A random subset of ``images`` training images; None where all of them are used."""
    if limit is None or limit >= images:
        return None
    import torch

    return Choice(torch.randperm(images, generator=generator(0, "limit")).tolist(), limit)


def test_choice(labels: Sequence[int], limit: int | None) -> Choice | None:
    """A random subset of the test images with equally many of each class, to within one.

    Images without labels are given as one class. None where all images are used.
    """
    if limit is None or limit >= len(labels):
        return None
    import torch

    order = torch.randperm(len(labels), generator=generator(0, "limit-test")).tolist()
    rank: defaultdict[int, int] = defaultdict(int)
    ranked = []
    for index in order:
        label = labels[index]
        ranked.append((rank[label], label, index))
        rank[label] += 1
    return Choice([index for _, _, index in sorted(ranked)], limit)
