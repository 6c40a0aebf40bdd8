"""Records as runs leave them, with numbers from a law instead of a training."""

from __future__ import annotations

import hashlib
import json
import random
from typing import Any

from rbench.records.record import (
    Artifact,
    DataReport,
    FreezeReport,
    MetricValue,
    Phase,
    Record,
    Tensors,
)

ENVIRONMENT: dict[str, Any] = {
    "python": "3.11.7",
    "torch": "2.15.0",
    "cpu": "synthetic",
    "cores": 2,
    "device": "cpu",
    "precision": "float32",
}


def digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def record(
    model: str = "resnet18",
    freeze: str = "none",
    seed: int = 0,
    values: dict[str, float | None] | None = None,
    options: dict[str, Any] | None = None,
    dataset: str = "digits",
    recipe: str = "digits",
    init: str | None = None,
    **fields: Any,
) -> Record:
    """One record; ``values`` are metrics, all of them percentages that should be high."""
    options = options or {}
    values = {"top1": 95.0} if values is None else values
    protocol = {"task": "classification", "dataset": dataset, "recipe": recipe, "of": list(values)}
    identity: dict[str, Any] = {
        "digest_version": 1,
        "model": {"name": model, "revision": 1, "options": options},
        "pretrained": False,
        "init": {"name": init, "revision": 1, "options": {}} if init else None,
        "freeze": [freeze],
        "task": {"name": "classification", "revision": 1, "options": {}},
        "dataset": {"name": dataset, "revision": 1, "options": {}},
        "training": {"epochs": 6, "lr": 0.1},
        "metrics": [{"name": name, "revision": 1, "options": {}} for name in values],
        "seed": seed,
    }
    spec: dict[str, Any] = {"model": model, "freeze": [freeze], "dataset": dataset, "seed": seed}
    if options:
        spec["model_kwargs"] = options
    if init:
        spec["init"] = init
    filled: dict[str, Any] = {
        "digest": digest(identity),
        "spec": spec,
        "resolved": identity,
        "protocol": digest(protocol)[:12],
        "protocol_name": f"classification · {dataset} · recipe {recipe}",
        "seed": seed,
        "started": "2026-11-22T03:00:00Z",
        "seconds": 90.0 + seed,
        "timing": [Phase(name="train", seconds=80.0, images=8000, images_per_second=100.0)],
        "data": DataReport(name=dataset, revision="1", in_chans=1, img_size=(32, 32)),
        "freeze": freeze_report(freeze),
        "metrics": [
            MetricValue(name=name, value=value, unit="%", higher_is_better=True, n=360)
            for name, value in values.items()
        ],
        "history": {"train_loss": [2.0 / (1 + step) for step in range(20)]},
        "environment": ENVIRONMENT,
        "command": f"rbench run --model {model} --freeze {freeze} --seed {seed}",
    }
    return Record(**{**filled, **fields})


def freeze_report(policy: str) -> FreezeReport:
    """What a policy froze: some tensors of its own for each but ``none``."""
    learn, fixed = (272474, 0) if policy == "none" else (4778, 267696)
    names = [f"{policy}.conv{i}.weight" for i in range(20)] if fixed else []
    return FreezeReport(
        policy=[policy],
        learnable=Tensors(count=learn, names=[f"bn{i}.weight" for i in range(40)]),
        frozen=Tensors(count=fixed, names=names),
    )


def many(count: int, seeds: int = 4, protocols: int = 5) -> list[Record]:
    """``count`` records over ``protocols`` datasets: networks, each frozen and not, n seeds."""
    draw = random.Random(0)
    found: list[Record] = []
    network = 0
    while len(found) < count:
        network += 1
        dataset = f"set{network % protocols}"
        for freeze, gain in (("none", 0.0), ("spatial", draw.gauss(-1, 1))):
            centre = 70 + 20 * draw.random()
            for seed in range(seeds):
                top1 = centre + gain + draw.gauss(0, 0.4)
                found.append(
                    record(
                        f"resnet_lc_20_16x{network}",
                        freeze,
                        seed,
                        {"top1": top1, "top5": 99.0, "fgsm": top1 / 2},
                        {"depth": 20, "width": 16, "expansion": network},
                        dataset,
                        "low_resolution",
                        artifacts=[Artifact(file=f"{network}-{seed}.png", caption="filters")],
                    )
                )
    return found[:count]


def hostile() -> list[Record]:
    """Records whose every text tries to harm."""
    texts = [
        "<script>window.hacked=1</script>",
        "<img src=x onerror=window.hacked=1>",
        "</script><script>window.hacked=1</script>",
        "'><svg onload=window.hacked=1>",
        '=HYPERLINK("http://evil.example/","x")',
        "+1+cmd|' /C calc'!A0",
        "-2+3",
        "@SUM(1,2)",
        "a|b`c*d_e[f](javascript:alert(1))~#\\",
        "line\nbreak\ttab\x00null\x1b[31mred",
        "\u202egnp.exe\u2066\u200f mirrored",
        "x" * 5000,
        "\u05d0\u05d1\u05d2 hebrew",
        "\u2028\u2029 separators",
        "${7*7}{{7*7}}",
    ]
    return [
        record(
            text,
            text if place % 2 else "none",
            place,
            {text or "m": 50.0 + place, "top1": 90.0 - place},
            {text: text},
            dataset="digits",
            protocol="hostile",
            protocol_name=texts[place % 4] + " hostile",
            environment={text: text, "nested": {"a": [text]}},
            command=text,
            artifacts=[
                Artifact(file="javascript:alert(1)", caption=text),
                Artifact(file="../../../etc/passwd", caption=text),
                Artifact(file=text[:60] + ".png", caption=text),
            ],
        )
        for place, text in enumerate(texts)
    ]
