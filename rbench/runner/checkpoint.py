"""Checkpoints of a training loop: safetensors and JSON, atomic, the last two kept.

A checkpoint is a pair ``step-00000012.safetensors`` and ``step-00000012.facts``. The facts are
JSON, are written last and hold the SHA-256 of the tensors' file, so an incomplete pair (a full
disk, a lost machine) is detected and the one before is used. Nothing is pickled: opening a
checkpoint runs no code.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rbench.errors import printable
from rbench.files import replace_file

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 1
KEPT = 2
Facts = dict[str, Any]


@dataclass(frozen=True)
class Checkpoint:
    """The saved tensors by name, on the CPU, and the JSON facts."""

    step: int
    tensors: dict[str, Tensor]
    facts: Facts


def save(folder: Path, step: int, tensors: dict[str, Tensor], facts: Facts) -> None:
    """Write the checkpoint of ``step`` and remove all but the last two. OSError if it cannot."""
    from safetensors.torch import save as serialize

    content = serialize({name: t.detach().cpu().contiguous() for name, t in tensors.items()})
    # Without parents: a shared folder that has vanished must not be created anew.
    folder.mkdir(exist_ok=True)
    for leftover in folder.glob(".step-*"):
        leftover.unlink(missing_ok=True)
    stem = f"step-{step:08d}"
    replace_file(folder / f"{stem}.safetensors", content)
    described = {
        "format": FORMAT,
        "step": step,
        "sha256": hashlib.sha256(content).hexdigest(),
        "facts": facts,
    }
    replace_file(folder / f"{stem}.facts", json.dumps(described).encode())
    for old in _stems(folder)[KEPT:]:
        (folder / f"{old}.facts").unlink(missing_ok=True)
        (folder / f"{old}.safetensors").unlink(missing_ok=True)


def load(folder: Path, note: Callable[[str], None] = lambda text: None) -> Checkpoint | None:
    """The newest complete checkpoint in ``folder``, or None; ``note`` hears of incomplete ones."""
    from safetensors import SafetensorError
    from safetensors.torch import load as deserialize

    for stem in _stems(folder):
        try:
            described = json.loads((folder / f"{stem}.facts").read_bytes())
            content = (folder / f"{stem}.safetensors").read_bytes()
            if described["format"] != FORMAT:
                raise ValueError(f"format {described['format']}, not {FORMAT}")
            if hashlib.sha256(content).hexdigest() != described["sha256"]:
                raise ValueError("its checksum does not match")
            return Checkpoint(described["step"], deserialize(content), described["facts"])
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            note(f"the checkpoint {stem} is incomplete and was skipped ({printable(error, 120)})")
    return None


def _stems(folder: Path) -> list[str]:
    """The checkpoints in ``folder``, newest first, complete or not."""
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    stems = {name.rsplit(".", 1)[0] for name in names if name.startswith("step-")}
    return sorted(stems, reverse=True)


def flatten(tree: Any, prefix: str, tensors: dict[str, Tensor]) -> Any:
    """``tree`` (an optimizer's state) as JSON; its tensors go into ``tensors`` by their path."""
    import torch

    if isinstance(tree, torch.Tensor):
        # A copy: tensors that share memory cannot be written side by side.
        tensors[prefix] = tree.detach().clone()
        return {"tensor": prefix}
    if isinstance(tree, dict):
        items = [[_key(k), flatten(v, f"{prefix}.{k}", tensors)] for k, v in tree.items()]
        return {"dict": items}
    if isinstance(tree, list | tuple):
        kind = "tuple" if isinstance(tree, tuple) else "list"
        return {kind: [flatten(v, f"{prefix}.{i}", tensors) for i, v in enumerate(tree)]}
    if tree is None or isinstance(tree, bool | int | float | str):
        return {"value": tree}
    raise TypeError(f"{prefix} is a {type(tree).__name__}, which a checkpoint cannot hold")


def unflatten(tree: Any, tensors: dict[str, Tensor]) -> Any:
    """The inverse of :func:`flatten`."""
    ((kind, content),) = tree.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "dict":
        return {k: unflatten(v, tensors) for k, v in content}
    if kind == "value":
        return content
    values: Iterator[Any] = (unflatten(v, tensors) for v in content)
    return tuple(values) if kind == "tuple" else list(values)


def _key(key: object) -> str | int:
    assert isinstance(key, str | int), key
    return key
