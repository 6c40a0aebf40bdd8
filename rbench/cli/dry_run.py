"""``rbench run --dry-run``: what a run would build, draw, freeze and learn."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from rbench.cli.text import table
from rbench.errors import UserError

if TYPE_CHECKING:
    from rbench.network.build import Built
    from rbench.plugin.contexts import Note
    from rbench.spec.resolve import Resolved


def dry_run(resolved: Resolved, note: Note, *, as_json: bool = False) -> None:
    """Build, draw and freeze the network as the run would, and print it tensor by tensor.

    Nothing is trained and no record is written. UserError where the run itself would have one.
    """
    from rbench.network.check import build_checked
    from rbench.plugin.blame import blamed_on, failure_of
    from rbench.runner.load_data import open_data

    said: list[str] = []

    def once(text: str) -> None:
        if text not in said:
            said.append(text)
            note(text)

    data, notes = open_data(resolved)
    for text in notes:
        once(text)
    try:
        with blamed_on(resolved.model.component):
            built = build_checked(resolved, data, once)
    except UserError:
        raise
    except Exception as error:
        typer.echo(f"the run would fail: {failure_of(error).describe()}", err=True)
        raise typer.Exit(1) from error
    typer.echo(json.dumps(_as_json(resolved, built), indent=1) if as_json else _text(built))


def _as_json(resolved: Resolved, built: Built) -> dict[str, Any]:
    from rbench.network.tensors import draw_themselves, tensor_states

    return {
        "digest": resolved.digest,
        "resolved": resolved.identity,
        "network_sha256": built.sha256,
        "tensors": [asdict(tensor) for tensor in tensor_states(built)],
        "draw_themselves": draw_themselves(built),
        "freeze": built.freeze.model_dump(mode="json"),
        "draw": None if built.draw is None else built.draw.model_dump(mode="json"),
    }


def _text(built: Built) -> str:
    from rbench.network.tensors import draw_themselves, tensor_states

    rows = [
        (
            tensor.name,
            " x ".join(map(str, tensor.shape)) or "scalar",
            f"{tensor.numbers:,}",
            "drawn" if tensor.drawn else "",
            tensor.state,
        )
        for tensor in tensor_states(built)
    ]
    lines = table(("tensor", "shape", "numbers", "initializer", "training"), rows, right=(2,))
    learn, frozen = built.freeze.learnable, built.freeze.frozen
    total = learn.count + frozen.count
    what = built.freeze.learns if built.freeze.trained else "nothing, untrained; not frozen"
    lines += [
        "",
        f"learns: {what}: {learn.count:,} of {total:,} parameters in {len(learn.names)} tensors",
        f"frozen: {frozen.count:,} parameters in {len(frozen.names)} tensors, "
        f"{len(built.freeze.buffers)} buffers",
    ]
    if built.draw is not None:
        drawn = built.draw
        lines.append(f"drawn: {drawn.numbers:,} numbers, {drawn.tensors} of {drawn.of} tensors")
    if own := draw_themselves(built):
        more = f" and {len(own) - 6} more" if len(own) > 6 else ""
        lines.append(f"layers that draw their filters themselves: {', '.join(own[:6])}{more}")
    lines.append("nothing was trained or written; without --dry-run this run is carried out")
    return "\n".join(lines)
