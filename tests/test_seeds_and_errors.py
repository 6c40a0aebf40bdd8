"""Seeds derive from purposes; messages are one line that helps."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rbench.errors import UnknownName, UserError, printable, suggest
from rbench.seeds import derive, generator, global_seed


def test_derived_seeds_are_fixed_for_all_time() -> None:
    # A change would change every result that was ever published.
    assert derive(0, "weights") == 2472847203941222106
    assert derive(3, "attack", "fgsm") == 7349733135924155655


@given(st.lists(st.tuples(st.integers(0, 5), st.text(max_size=3)), unique=True, max_size=30))
def test_other_seeds_or_purposes_other_streams(keys: list[tuple[int, str]]) -> None:
    assert len({derive(seed, purpose) for seed, purpose in keys}) == len(keys)


def test_purposes_do_not_run_together() -> None:
    assert derive(1, "a", "b") != derive(1, "ab")
    assert derive(1, "2") == derive(1, 2)
    assert derive(12, "3") != derive(1, "23")


def test_generator_is_of_its_own() -> None:
    before = torch.get_rng_state()
    first, second = (torch.rand(3, generator=generator(0, "x")) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), before)


def draws() -> tuple[float, float, float]:
    return float(torch.rand(())), float(np.random.rand()), random.random()


def failing_draws() -> tuple[float, float, float]:
    """The draws of a block that ends in an exception."""
    try:
        with global_seed(3, "weights"):
            drawn = draws()
            raise ZeroDivisionError
    except ZeroDivisionError:
        return drawn


def test_global_seed_seeds_all_three_and_puts_them_back() -> None:
    with global_seed(7):
        outside = draws()
    with global_seed(1):
        torch.manual_seed(0)
        states = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
        with global_seed(3, "weights"):
            first = draws()
        second = failing_draws()
        assert first == second != outside
        assert torch.equal(torch.get_rng_state(), states[0])
        assert (np.random.get_state()[1] == states[1]).all()
        assert random.getstate() == states[2]


@pytest.mark.parametrize(
    ("name", "known", "expected"),
    [
        ("resnet81", ["resnet18", "vgg16"], "; did you mean resnet18?"),
        ("zzz", ["b", "a"], "; there are a, b"),
        ("zzz", ["a"], "; there is a"),
        ("zzz", [], "; there are none"),
        (
            "zzz",
            [f"n{i}" for i in range(10)],
            "; there are n0, n1, n2, n3, n4, n5, n6, n7 and 2 more",
        ),
    ],
)
def test_suggestions(name: str, known: list[str], expected: str) -> None:
    assert suggest(name, known) == expected


def test_unknown_name_is_a_user_error_of_one_line() -> None:
    error = UnknownName("model", "res\nnet\x1b[2J" + "x" * 1000, ["resnet18"], " (note)")
    assert isinstance(error, UserError)
    assert isinstance(error, ValueError)
    assert str(error).isprintable()
    assert len(str(error)) < 300
    assert str(error).endswith(" (note)")


@given(st.text(), st.integers(1, 50))
def test_printable(text: str, limit: int) -> None:
    line = printable(text, limit)
    assert line.isprintable()
    assert len(line) <= limit
