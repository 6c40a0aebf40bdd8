"""Digests of functions, classes and networks of a Python session: what they see, and that the next
process finds the same."""

from __future__ import annotations

import enum
import functools
import importlib
import random
import re
import subprocess
import sys
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import MethodType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from rbench.plugin import object_digest as module
from rbench.plugin.object_digest import object_digest

SESSION = """
import functools, threading
import torch
from torch import nn

WIDTH = {width}
FILTERS = torch.zeros(5000)
FILTERS[2500] = {number}
LOCK = None

class Net(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(1, width, 3), nn.Linear(width, 10)

    def forward(self, images):
        return self.fc(self.conv(images).relu().mean((2, 3)) * {factor})

def helper(weight):
    return weight.fill_({constant})

def build():
    return Net(WIDTH)

def inner():
    return [one() for one in (lambda: WIDTH,)]

def draw(weight, generator):
    weight.copy_(FILTERS[: weight.numel()].view_as(weight))

def calls(weight, generator):
    helper(weight)

def factory(x):
    def made(weight, generator, *, scale=x):
        weight.fill_(scale)
    return made

class Scale:
    def __init__(self, number): self.number = number
    def __call__(self, weight, generator): weight.fill_(self.number)

torch.manual_seed(0)
NET = Net(4)
OTHER = Net(4)
OTHER.forward = lambda images: OTHER.fc(OTHER.conv(images).sigmoid().mean((2, 3)))
FOUND = dict(
    build=build, inner=inner, draw=draw, calls=calls, factory=factory({keyword}),
    partial=functools.partial(Net, {part}), scale=Scale({keyword}), net=NET, other=OTHER,
    method=Scale({keyword}).__call__, words=lambda: {words},
)
"""
FIELDS = {
    "width": 8,
    "number": 1,
    "factor": 2,
    "constant": 0.5,
    "keyword": 0.25,
    "part": 16,
    "words": "{'a', 'b', 'c'} if 'd' in {'d', 'e', 'f'} else {build: 1}",
}


def session(**changes: Any) -> dict[str, Any]:
    """What a session defines whose source differs by ``changes``; always the same line numbers."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    text = SESSION
    for name, value in {**FIELDS, **changes}.items():
        text = text.replace(f"{{{name}}}", str(value))
    exec(text, namespace)
    found: dict[str, Any] = namespace["FOUND"]
    return found


def digests(found: dict[str, Any]) -> dict[str, str]:
    read = {name: object_digest(value, name) for name, value in found.items()}
    assert not any(one.unread for one in read.values()), read
    return {name: one.sha256 for name, one in read.items()}


@pytest.mark.parametrize(
    ("changes", "changed"),
    [
        ({}, set()),
        ({"width": 32}, {"build", "inner", "words"}),
        ({"number": 3}, {"draw"}),
        ({"factor": 3}, {"build", "partial", "net", "other", "words"}),
        ({"constant": 0.75}, {"calls"}),
        ({"keyword": 0.75}, {"factory", "scale", "method"}),
        ({"part": 32}, {"partial"}),
        ({"words": "{'a', 'b', 'd'}"}, {"words"}),
    ],
)
def test_a_change_of_what_code_reads_is_seen_and_no_other(
    changes: dict[str, Any], changed: set[str]
) -> None:
    before, after = digests(session()), digests(session(**changes))
    assert {name for name, sha256 in before.items() if after[name] != sha256} == changed
    assert len(set(before.values())) == len(before)


def test_another_process_finds_the_same() -> None:
    script = "import sys; from tests.plugin.test_object_digest import *; print(digests(session()))"
    printed = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert printed == {str(digests(session()))}


def same(one: object, other: object) -> bool:
    read = [object_digest(value, "value") for value in (one, other)]
    assert not read[0].unread, read[0]
    assert not read[1].unread, read[1]
    return read[0].sha256 == read[1].sha256


def small() -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))


def set_forward(network: nn.Module) -> None:
    network.forward = MethodType(lambda self, images: images, network)


def tie(network: nn.Module) -> None:
    network[1].weight = network[0].weight  # type: ignore[index,union-attr]


def copied(network: nn.Module) -> None:
    network[1].weight.data = network[0].weight.data.clone()  # type: ignore[index,union-attr]


@pytest.mark.parametrize(
    "change",
    [
        lambda net: net[0].weight.data.add_(1),
        lambda net: net[0].weight.requires_grad_(False),
        lambda net: setattr(net, "extra", 3),
        lambda net: net.register_forward_hook(lambda *given: None),
        lambda net: net.to(torch.bfloat16),
        set_forward,
        tie,
        copied,
    ],
)
def test_networks(change: Callable[[nn.Module], object]) -> None:
    network, other = small(), small()
    assert same(network, other)
    network(torch.zeros(1, 2))
    assert same(network, other), "a forward pass leaves no trace"
    change(network)
    assert not same(network, other)
    change(other)
    assert same(network, other)


def test_tied_weights_are_not_equal_ones() -> None:
    tied, equal = small(), small()
    tie(tied)
    copied(equal)
    assert not same(tied, equal)


@dataclass
class Settings:
    width: int = 3
    names: list[str] = field(default_factory=list)

    @functools.cached_property
    def twice(self) -> int:
        return 2 * self.width


class Color(enum.Enum):
    RED = 1
    BLUE = 2


@functools.lru_cache
def remembered() -> int:
    return 1


@torch.no_grad()
def undone(weight: Tensor, generator: torch.Generator) -> None:
    weight.zero_()


class Slotted:
    __slots__ = ("x",)

    def __init__(self, x: int) -> None:
        self.x = x


@pytest.mark.parametrize(
    ("make", "other"),
    [
        (lambda: np.zeros(5000), lambda: np.eye(1, 5000, 2500)[0]),
        (lambda: torch.zeros(5000), lambda: torch.eye(1, 5000)[0]),
        (lambda: [1, (2, {"a": b"b"})], lambda: [1, (2, {"a": b"c"})]),
        (lambda: Settings(names=["a"]), lambda: Settings(names=["b"])),
        (lambda: Color.RED, lambda: Color.BLUE),
        (lambda: Slotted(1), lambda: Slotted(2)),
        (lambda: remembered, lambda: undone),
        (lambda: OrderedDict(a=deque([1])), lambda: OrderedDict(a=deque([2]))),
        (lambda: random.Random(0), lambda: random.Random(1)),
        (lambda: np.random.default_rng(0), lambda: np.random.default_rng(1)),
        (lambda: torch.Generator().manual_seed(0), lambda: torch.Generator().manual_seed(1)),
        (lambda: re.compile("a"), lambda: re.compile("b")),
        (lambda: {"a", 1, Color.RED}, lambda: {"a", 1, Color.BLUE}),
        (lambda: functools.partial(int, base=2), lambda: functools.partial(int, base=3)),
        (lambda: (torch.relu, nn.Conv2d, np.add), lambda: (torch.tanh, nn.Conv2d, np.add)),
        (lambda: float("nan"), lambda: 10**5000),
    ],
)
def test_values(make: Callable[[], object], other: Callable[[], object]) -> None:
    assert same(make(), make())
    assert not same(make(), other())


def test_two_lambdas_of_a_line_differ() -> None:
    one, other = lambda outcome: 1.0, lambda outcome: 2.0
    assert not same(one, other)


def test_modules_of_the_user_are_read_where_code_uses_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "my_parts.py").write_text("WIDTH = 3\nUNUSED = 1\ndef width(): return WIDTH\n")
    parts: Any = importlib.import_module("my_parts")

    def by_global() -> int:
        return int(parts.width())

    def by_import() -> int:
        from my_parts import width  # type: ignore[import-not-found]

        return int(width())

    for function in (by_global, by_import):
        before = object_digest(function, "f")
        parts.UNUSED += 1
        assert object_digest(function, "f") == before
        parts.WIDTH += 1
        assert object_digest(function, "f") != before
        assert not before.unread
    assert object_digest(parts, "parts").unread == ("parts (module)",)


def test_what_cannot_be_read_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    lock = threading.Lock()

    def locked() -> None:
        with lock:
            pass

    assert object_digest(locked, "locked").unread == ("locked.lock (lock)",)
    deep: list[Any] = []
    for _ in range(10_000):
        deep = [deep]
    assert object_digest(deep, "deep").unread == ("deep (it leads to too many objects)",)
    monkeypatch.setattr(module, "MOST_OBJECTS", 10)
    assert object_digest([[] for _ in range(9)], "nine").unread == ()
    assert object_digest([[] for _ in range(10)], "ten").unread != ()
    around: list[Any] = []
    around.append(around)
    assert not object_digest(around, "around").unread
