"""A plugin that makes every kind of trouble, and how to put it in front of a new process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import rbench
from rbench.plugin.catalog import Catalog
from rbench.spec.resolve import resolve
from rbench.sweep.job import RunJob
from tests.helpers import fake_entry_points

PLUGIN = """
import os
import time
from pathlib import Path
from typing import Literal
from rbench import Architecture, ClassificationOutcome, Metric, MetricValue, Options, hookimpl

class How(Options):
    how: str = "well"
    flag: str = ""

def build(context, options):
    import timm, torch
    how = options.how
    if how == "raise":
        raise RuntimeError("the architecture is upset")
    if how == "raise on one" and os.environ.get("RANK") == "1":
        raise RuntimeError("the second process is upset")
    if how == "hang":
        print("now it hangs", flush=True)
        time.sleep(600)
    if how == "ignore":
        import signal
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        print("now it ignores signals", flush=True)
        time.sleep(600)
    if how == "die":
        os._exit(7)
    if how == "hang once" and not Path(options.flag).exists():
        Path(options.flag).touch()
        time.sleep(600)
    if how == "die once" and not Path(options.flag).exists():
        Path(options.flag).touch()
        os.kill(os.getpid(), 9)
    if how == "eat":
        eaten = []
        while True:
            eaten.append(torch.ones(2**24))
            time.sleep(0.01)
    network = torch.nn.Sequential(
        torch.nn.Conv2d(context.in_chans, 4, 3, padding=1), torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(4, context.num_classes))
    if how == "nan":
        with torch.no_grad():
            network[0].weight.fill_(float("nan"))
    return network

def tally(outcome, context, options):
    with open(options.file, "a") as file:
        file.write(f"{options.name}\\n")
    if "UPSET" in os.environ and os.environ["RANK"] == "1":
        time.sleep(float(os.environ["UPSET"]))
        raise RuntimeError("the metric is upset")
    time.sleep(options.seconds)
    yield MetricValue(name="tally", value=1.0)

class Tally(Options):
    file: str
    name: str = ""
    seconds: float = 0.0

@hookimpl
def rbench_register_architectures():
    return [Architecture(name="trouble", summary="Trouble.", build=build, options=How)]

@hookimpl
def rbench_register_metrics():
    return [Metric(name="tally", summary="Counts.", measure=tally, options=Tally,
                   reads=ClassificationOutcome)]
"""


def install(folder: Path) -> Path:
    """Lay the plugin out in ``folder``; put that on PYTHONPATH."""
    fake_entry_points.install(
        folder, "trouble", {"trouble": "rbench_trouble"}, rbench_trouble=PLUGIN
    )
    return folder


def environment(*folders: Path, **more: str) -> dict[str, str]:
    """The environment of a process with ``folders`` on its path, computing on one thread."""
    # An empty entry would be the working directory.
    path = os.pathsep.join([*map(str, folders), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", **more}


BASE: dict[str, Any] = {
    "model": "trouble",
    "dataset": "digits",
    "task_kwargs": {"train": False},
    "metrics": ("top1",),
    "device": "cpu",
}


def job(**fields: Any) -> RunJob:
    """A cell of this plugin, which must be installed."""
    spec = rbench.RunSpec(**{**BASE, **fields})
    return RunJob.of(resolve(spec, Catalog.from_environment()))
