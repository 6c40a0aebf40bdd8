"""The parts of a record that a table reads."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from rbench.report.leaderboard.rows import Picture, Value
from rbench.spec.columns import policy

NOTHING = msgspec.Raw(b"{}")


class _Count(msgspec.Struct):
    count: int


class _Tensors(msgspec.Struct):
    count: int
    names: msgspec.Raw = NOTHING


class _Frozen(msgspec.Struct):
    learnable: _Count
    frozen: _Tensors
    learns: str = ""
    trained: bool | None = None


class _Error(msgspec.Struct):
    kind: str
    message: str


class _Phase(msgspec.Struct):
    name: str
    seconds: float = 0.0
    images_per_second: float | None = None
    images: int | None = None


class _Data(msgspec.Struct):
    revision: str = ""
    img_size: tuple[int, int] = (0, 0)


class _Selection(msgspec.Struct):
    split: str = ""


class Given(msgspec.Struct):
    """The options that the user gave."""

    model_kwargs: msgspec.Raw = NOTHING
    init_kwargs: msgspec.Raw = NOTHING


class _Tuning(msgspec.Struct):
    axes: dict[str, Any] = {}


class Head(msgspec.Struct):
    """A record as the leaderboard reads it: the rest of the file is skipped.

    What many records have in common stays text until it is seen for the first time.
    """

    schema_version: int
    digest: str
    spec: msgspec.Raw
    seed: int
    started: str
    status: Literal["done", "failed", "interrupted"] = "done"
    resolved: msgspec.Raw = NOTHING
    protocol: str = ""
    protocol_name: str = ""
    comparable: bool = True
    seconds: float = 0.0
    peak_memory_bytes: int | None = None
    timing: list[_Phase] = []
    data: _Data | None = None
    freeze: _Frozen | None = None
    metrics: tuple[Value, ...] = ()
    artifacts: tuple[Picture, ...] = ()
    environment: msgspec.Raw = NOTHING
    error: _Error | None = None
    command: str = ""
    tuning: _Tuning | None = None
    selection: _Selection | None = None
    sources: dict[str, str] = {}
    releases: dict[str, str] = {}


def selected_on_test(head: Head, identity: dict[str, Any]) -> bool:
    """As ``Record.selected_on_test``: old records say it by their recipe."""
    if head.selection is not None:
        return head.selection.split == "test"
    training = identity.get("training")
    keeps = isinstance(training, dict) and training.get("keep") == "best"
    return keeps and "val" not in identity


def trained(head: Head, identity: dict[str, Any]) -> bool:
    """As ``Record.trained``: old records say it by their recipe."""
    if head.freeze is not None and head.freeze.trained is not None:
        return head.freeze.trained
    return identity.get("training") is not None


def parameters(head: Head, identity: dict[str, Any]) -> tuple[int | None, int | None]:
    """Learnable and frozen parameters; None where unknown.

    Old records of LC-blocks count the weights of the convolution that was trained in their place,
    and no frozen filters: their metric ``learnable_parameters`` has the number of the LC-blocks.
    """
    if head.freeze is None:
        return None, None
    learnable, frozen = head.freeze.learnable.count, head.freeze.frozen.count
    measured = next((m.value for m in head.metrics if m.name == "learnable_parameters"), None)
    if measured is None or measured == learnable:
        return learnable, frozen
    unknown = policy(identity.get("freeze")) != "none"
    return int(measured), frozen or (None if unknown else 0)
