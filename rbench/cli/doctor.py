"""``rbench doctor``: what this machine can do."""

from __future__ import annotations

import json
from typing import Annotated

import typer


def command(as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False) -> None:
    """Say which devices, precisions, packages and plugins this machine has."""
    import torch

    from rbench import hardware
    from rbench.plugin.loading import load
    from rbench.runner import environment
    from rbench.spec.precision import cpu_bfloat16_speedup

    device = hardware.resolve_device("auto")
    facts = {
        "cpu": hardware.cpu_name(),
        "threads": torch.get_num_threads(),
        "device": device,
        "gpus": [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())],
        "bfloat16 over float32 training speed (cpu)": cpu_bfloat16_speedup(),
        "packages": {name: environment._version(name) for name in environment.PACKAGES},
        "plugins": {plugin.name: plugin.status for plugin in load().plugins},
    }
    if as_json:
        typer.echo(json.dumps(facts, indent=1))
        return
    for name, value in facts.items():
        if isinstance(value, dict):
            value = ", ".join(f"{k} {v or 'missing'}" for k, v in value.items())
        elif isinstance(value, list):
            value = ", ".join(value) or "none"
        elif value is None:
            value = "not measured, as this processor has no known instructions for bfloat16"
        typer.echo(f"{name}: {value}")
