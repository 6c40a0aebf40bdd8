"""Whether bfloat16 is faster is measured once and kept by processor and torch version."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rbench import hardware
from rbench.spec import precision


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RBENCH_CACHE", str(tmp_path))
    precision.cpu_bfloat16_speedup.cache_clear()
    return tmp_path


def test_a_processor_without_bfloat16_is_not_measured(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "cpu_flags", lambda: frozenset({"avx2"}))
    assert precision.cpu_bfloat16_speedup() is None
    assert not precision.bfloat16_is_faster("cpu")
    assert list(empty_cache.iterdir()) == []


def test_a_measurement_is_kept_and_read_again(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "cpu_flags", lambda: frozenset({"avx512_bf16"}))
    first = precision.cpu_bfloat16_speedup()
    assert first is not None
    assert first > 0
    (kept,) = json.loads((empty_cache / "bfloat16.json").read_text()).items()
    assert hardware.cpu_name() in kept[0]
    assert "torch" in kept[0]
    assert kept[1] == first
    (empty_cache / "bfloat16.json").write_text(json.dumps({kept[0]: 0.5}))
    precision.cpu_bfloat16_speedup.cache_clear()
    assert precision.cpu_bfloat16_speedup() == 0.5
    assert not precision.bfloat16_is_faster("cpu")
    assert precision.bfloat16_is_faster("cuda:0")


@pytest.mark.slow
@pytest.mark.parametrize("content", ["", "[]", "not json", '{"x": "y"}'])
def test_a_broken_cache_is_measured_again(
    content: str, empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "cpu_flags", lambda: frozenset({"amx_bf16"}))
    (empty_cache / "bfloat16.json").write_text(content)
    assert (precision.cpu_bfloat16_speedup() or 0) > 0
