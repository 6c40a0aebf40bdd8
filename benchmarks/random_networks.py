"""Speed of P1's protocol, n random networks x m images, as ratios measured in one run.

    python benchmarks/random_networks.py --widths 16 64 256 --networks 2 --images 10

For each width, images a second of CPU time of

- ``rbench``: redraw, convolutions, mapping and SSIM, as the task ``reconstruction`` and the
  metric ``ssim`` do it, in the precision that is faster on this machine;
- ``loop``: what one writes first in PyTorch: network by network, image by image, float32,
  torchmetrics' SSIM of the output and, where that is negative, of the inverted one;
- ``limit``: the same convolutions and nothing else, in the best of float32 and bfloat16,
  contiguous and channels last, and several batch sizes.

One thread and CPU time, so that other load on the machine hardly matters; the variants take
turns and the best of several rounds counts. ``shift`` is the change of the mean SSIM by bfloat16.
``--memory`` runs one network of width 2048 at 224 pixels and prints the peak memory;
``--data-dir`` takes other photographs than the embedded ones.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import time
from collections.abc import Callable
from pathlib import Path

import torch
from rbench_plugins.architectures.cnn_dcn import COMPONENTS
from rbench_plugins.images.mappings import GreyMatched, grey_matched
from rbench_plugins.images.ssim import Ssim, grey
from rbench_plugins.layers.cnn_dcn.plan import convs
from rbench_plugins.layers.cnn_dcn.reconstruct import reconstruct
from torch import Tensor, nn
from torch.nn import functional as F

from rbench import BuildContext

RRVGG = COMPONENTS["rrvgg"]

MOST_SHIFT = 0.001
"""bfloat16 that changes the mean SSIM by more does not count."""


def main() -> None:
    options = arguments()
    torch.set_num_threads(1)
    if options.memory:
        print(json.dumps(memory(options.size)))
        return
    images = photographs(options.images, options.size, options.data_dir)
    for width in options.widths:
        print(json.dumps(measure(width, images, options.networks, options.rounds)), flush=True)


def measure(width: int, images: Tensor, networks: int, rounds: int) -> dict[str, object]:
    """Images a second of each way, and what follows from it."""
    network = build(width)
    ways: dict[str, Callable[[], object]] = {
        "float32": lambda: ours(network, images, networks, torch.float32),
        "bfloat16": lambda: ours(network, images, networks, torch.bfloat16),
        "loop": lambda: plain(network, images[:2]),
    }
    counts = {"float32": networks * len(images), "bfloat16": networks * len(images), "loop": 2}
    for dtype, last, batch in itertools.product(
        (torch.float32, torch.bfloat16), (False, True), (1, 2, 4, 10)
    ):
        name = f"{str(dtype).removeprefix('torch.')}{' channels last' * last} batch {batch}"
        ways[name] = convolutions(network, images[:batch], dtype, last)
        counts[name] = min(batch, len(images))
    best: dict[str, float] = {}
    with torch.inference_mode():
        for _ in range(rounds):
            for name, way in ways.items():
                start = time.process_time()
                way()
                rate = counts[name] / (time.process_time() - start)
                best[name] = max(best.get(name, 0), rate)
    scores = [float(ours(network, images, networks, d)) for d in (torch.float32, torch.bfloat16)]
    exact = abs(scores[1] - scores[0]) < MOST_SHIFT
    fastest = max(("float32", "bfloat16")[: 1 + exact], key=lambda name: best[name])
    limit = max((n for n in best if "batch" in n), key=lambda name: best[name])
    return {
        "width": width,
        "size": images.shape[-1],
        "rbench": {"dtype": fastest, "images_per_second": round(best[fastest], 2)},
        "bfloat16_images_per_second": round(best["bfloat16"], 2),
        "float32_images_per_second": round(best["float32"], 2),
        "loop_images_per_second": round(best["loop"], 2),
        "limit": {"how": limit, "images_per_second": round(best[limit], 2)},
        "over_loop": round(best[fastest] / best["loop"], 2),
        "of_limit": round(best[fastest] / best[limit], 3),
        "ssim_float32": round(scores[0], 5),
        "shift_by_bfloat16": round(scores[1] - scores[0], 6),
    }


def ours(network: nn.Module, images: Tensor, networks: int, dtype: torch.dtype) -> Tensor:
    """Mean SSIM of all networks and images."""
    judge, matched = Ssim(grey(images)), GreyMatched(images)
    means = [
        judge.of_paper(matched(raw))[0].mean()
        for raw in reconstruct(network, images, networks=networks, dtype=dtype)
    ]
    return torch.stack(means).mean()


def plain(network: nn.Module, images: Tensor) -> Tensor:
    """The same, image by image."""
    from torchmetrics.functional.image import structural_similarity_index_measure

    def ssim(a: Tensor, b: Tensor) -> Tensor:
        _, full = structural_similarity_index_measure(
            a, b, data_range=1.0, return_full_image=True, reduction=None
        )
        return full[..., 5:-5, 5:-5].mean()

    values = []
    for image in images.split(1):
        output = grey_matched(network(image), image)
        value = ssim(output, grey(image))
        values.append(ssim(1 - output, grey(image)) if value < 0 else value)
    return torch.stack(values).mean()


def convolutions(
    network: nn.Module, images: Tensor, dtype: torch.dtype, last: bool
) -> Callable[[], None]:
    """Every convolution once on ready-made inputs."""
    form = torch.channels_last if last else torch.contiguous_format
    ready = []
    for step in [*convs(network.encoder.steps), *convs(network.decoder.steps)]:
        x = torch.rand(len(images), step.inputs, *images.shape[-2:])
        w = torch.randn(step.outputs, step.inputs, step.kernel, step.kernel)
        ready.append(
            (x.to(dtype).contiguous(memory_format=form), w.to(dtype).contiguous(memory_format=form))
        )

    def run() -> None:
        for x, w in ready:
            F.conv2d(x, w, padding=w.shape[-1] // 2)

    return run


def memory(size: int) -> dict[str, object]:
    """Peak memory of one network of width 2048 on one image."""
    network = build(2048)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    images = photographs(1, size)
    (raw,) = reconstruct(network, images, dtype=torch.bfloat16)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "width": 2048,
        "size": size,
        "images": len(raw),
        "seconds": round(time.perf_counter() - start, 1),
        "peak_gib": round(peak / 2**20, 2),
        "before_gib": round(before / 2**20, 2),
    }


def build(width: int) -> nn.Module:
    return RRVGG.build(BuildContext(), RRVGG.options(width=width)).eval()


def photographs(count: int, size: int, folder: Path | None = None) -> Tensor:
    from rbench_plugins.datasets.functions.photographs import open_photographs
    from rbench_plugins.datasets.functions.plain_folder import open_plain_folder
    from rbench_plugins.datasets.photographs import PhotographOptions
    from rbench_plugins.datasets.plain_folder import PlainFolderOptions

    from rbench import DataContext

    context = DataContext(img_size=(size, size), data_dir=folder)
    if folder is None:
        data = open_photographs(context, PhotographOptions(crops=1))
    else:
        data = open_plain_folder(context, PlainFolderOptions(images=count))
    pixels = data.test.pixels
    return pixels[torch.arange(count) % len(pixels)].float() / 255


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--widths", type=int, nargs="+", default=[16, 64, 256])
    parser.add_argument("--networks", type=int, default=30)
    parser.add_argument("--images", type=int, default=50)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--memory", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
