"""Time to the same style loss: rrVGG's FVT, Gatys on the same networks, and the closed forms.

    python benchmarks/stylization.py [--size 112] [--rounds 2] [--json FILE]

One process, methods in turns, CPU seconds of the process (wall seconds say more of what else the
machine does), the quicker of all rounds. The losses of two kinds: that which a method minimizes,
of its feature vector, and that of the *picture*, encoded again by the same network: the two are
one for Gatys, and differ for FVT, whose vector has to pass the random decoder.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from time import process_time
from typing import Any

import torch
from rbench_plugins.architectures.cnn_dcn import COMPONENTS
from rbench_plugins.datasets.content_style import ContentStyleOptions
from rbench_plugins.datasets.functions.content_style import open_pairs
from rbench_plugins.stylization.loss_network import LossNetwork
from rbench_plugins.stylization.methods import Method
from rbench_plugins.stylization.options import StylizationOptions
from torch import Tensor
from torch.nn import functional as F

import rbench

RRVGG = COMPONENTS["rrvgg"]

LOOKS = (0, 2, 5, 10, 20, 40, 60, 80, 120)
"""Steps at which FVT's vector is decoded and its picture judged, off the clock."""


class Watched:
    """One run of one method: CPU seconds, own loss and the picture's loss at each look."""

    def __init__(self, network: Any, losses: LossNetwork, **options: Any) -> None:
        self.options = StylizationOptions(**options)
        self.method = Method(network, losses, self.options)
        self.network = network
        self.curve: list[dict[str, float]] = []

    def __call__(self, content: Tensor, style: Tensor) -> list[dict[str, float]]:
        """The curve of one pair (1, 3, H, W) each."""
        edge = self.options.margin
        padded = [F.pad(x, (edge,) * 4, mode="reflect") for x in (content, style)]
        with torch.no_grad():
            v_c, v_s = (self.network.encode(x) for x in padded)
            self.target = self.method.objective.target(v_c, v_s, self.options.calibrate)
        self.size = (padded[0].shape[-2], padded[0].shape[-1])
        self.paused, self.start = 0.0, process_time()
        picture, trace = self.method(content, style, self.watch)
        if trace is None:
            seconds = process_time() - self.start
            with torch.no_grad():
                loss = self.judge(F.pad(picture, (edge,) * 4, mode="reflect"))
            self.curve.append({"step": 0, "seconds": seconds, "picture": loss})
        return self.curve

    def watch(self, step: int, content: Tensor, style: Tensor) -> None:
        """Note a step; the clock stands still meanwhile."""
        now = process_time()
        point = {"step": step, "seconds": now - self.start - self.paused, "own": float(style[0])}
        if step in LOOKS:
            with torch.no_grad():
                assert self.method.variable is not None
                value = self.method.variable()
                decode = self.method.decode
                point["picture"] = self.judge(value if decode is None else decode(value, self.size))
        self.curve.append(point)
        self.paused += process_time() - now

    def judge(self, image: Tensor) -> float:
        """Style loss of a padded image, encoded again."""
        return float(self.method.objective.losses(self.network.encode(image), self.target)[1][0])


def first(curve: list[dict[str, float]], key: str, level: float) -> float | None:
    """CPU seconds until ``key`` is at most ``level``; None if it never is."""
    return next((p["seconds"] for p in curve if p.get(key, float("inf")) <= level), None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=112)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--content", default="chelsea")
    parser.add_argument("--style", default="immunohistochemistry")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    data = open_pairs(
        rbench.DataContext(img_size=(given.size, given.size)),
        ContentStyleOptions(content=(given.content,), style=(given.style,)),
    )
    content, style = (x.pixels.float() / 255 for x in (data.test, data.train))
    options = RRVGG.options(**{**RRVGG.defaults, "width": given.width})
    network = RRVGG.build(rbench.BuildContext(in_chans=3, img_size=(64, 64)), options)
    base = StylizationOptions()
    losses = LossNetwork(given.width, base.widths, base.convs, base.kernel, base.pooling, 0)
    arms: dict[str, dict[str, Any]] = {
        "fvt": {"steps": 80},
        "fvt from content": {"steps": 80, "start": "content"},
        "gatys": {"method": "gatys", "steps": 120},
        "gatys, lr 0.03": {"method": "gatys", "steps": 120, "lr": 0.03},
        "adain": {"method": "adain"},
        "wct": {"method": "wct"},
    }
    curves: dict[str, list[list[dict[str, float]]]] = {name: [] for name in arms}
    for _ in range(given.rounds):
        for name, fields in arms.items():
            curves[name].append(Watched(network, losses, **fields)(content, style))
    best = {name: min(rounds, key=lambda c: c[-1]["seconds"]) for name, rounds in curves.items()}
    print(f"| {given.size} px, width {given.width} | CPU s a step | own loss | picture's loss |")
    print("|---|---|---|---|")
    for name, curve in best.items():
        steps = max(1, int(curve[-1]["step"]))
        own = f"{curve[-1]['own']:.3f}" if "own" in curve[-1] else ""
        seen = [p["picture"] for p in curve if "picture" in p]
        print(f"| {name} | {curve[-1]['seconds'] / steps:.3f} | {own} | {seen[-1]:.3f} |")
    print("\n| CPU s to a style loss of | " + " | ".join(best) + " |")
    print("|---|" + "---|" * len(best))
    for key in ("own", "picture"):
        for level in (0.5, 0.3, 0.2, 0.1, 0.05):
            times = [first(curve, key, level) for curve in best.values()]
            row = " | ".join("" if t is None else f"{t:.2f}" for t in times)
            print(f"| {level} ({key}) | {row} |")
    if given.json:
        given.json.write_text(json.dumps({"given": {**vars(given), "json": None}, "curves": best}))


if __name__ == "__main__":
    main()
