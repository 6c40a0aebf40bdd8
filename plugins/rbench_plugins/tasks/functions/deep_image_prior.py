"""Runs the task that ``tasks/deep_image_prior.py`` describes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from rbench import TaskContext, UserError, generator
from rbench_plugins.images.grid import Tile, grid
from rbench_plugins.images.subset import evenly
from rbench_plugins.restoration import degrade
from rbench_plugins.restoration.degrade import Observation
from rbench_plugins.restoration.outcome import RestorationOutcome
from rbench_plugins.restoration.prior import Fitted, Schedule, fit
from rbench_plugins.tasks.deep_image_prior import DeepImagePriorOptions
from rbench_plugins.tasks.functions.reconstruction import load


def run(context: TaskContext, options: DeepImagePriorOptions) -> RestorationOutcome:
    """Fit the network anew, from its initial weights, to each degraded image.

    Its input z ~ U[0, 0.1] has the channels that the network's ``input_channels`` says (those of
    the images without it) and the image's size. What is frozen stays frozen. The network comes
    back as it was fitted to the last image.
    """
    data, network = context.data, context.network.to(context.device)
    if data.test is None:
        raise UserError(f"the dataset {data.name} has no test images")
    truths, names = load(data.test, evenly(len(data.test), options.images))
    initial = {name: value.detach().clone() for name, value in network.state_dict().items()}
    if not any(parameter.requires_grad for parameter in network.parameters()):
        context.note("nothing learns: the output is that of the network as it was drawn")
    fields = ("steps", "lr", "noise", "average", "backtrack")
    schedule = Schedule(**{name: getattr(options, name) for name in fields})
    channels = int(getattr(network, "input_channels", data.in_chans))
    _check_output(network, channels, truths)
    found: list[Fitted] = []
    observed: list[Tensor] = []
    with context.clock.phase("fit", options.steps * len(truths)):
        for number, image in enumerate(truths):
            truth = image[None].to(context.device)
            stream = generator(context.seed, "deep_image_prior", number, "degradation")
            observation = degraded(truth, options, stream)
            network.load_state_dict(initial)
            network.train()
            z = generator(context.seed, "deep_image_prior", number, "z")
            start = torch.rand(1, channels, *truth.shape[-2:], generator=z) / 10

            def report(step: int, value: float, number: int = number) -> None:
                at = number * options.steps + step
                total = options.steps * len(truths)
                context.progress("fit", at, total, f"PSNR {value:.2f} dB")

            draws = generator(context.seed, "deep_image_prior", number, "noise")
            fitted = fit(
                network,
                start.to(context.device),
                observation,
                truth,
                schedule,
                draws,
                report,
                context.frozen,
            )
            observed.append(observation.shown[0].cpu())
            found.append(fitted)
    outputs = torch.cat([getattr(one, options.output) for one in found]).cpu().clamp(0, 1)
    _picture(context, truths, observed, found)
    return RestorationOutcome(
        network=network,
        inputs=truths,
        outputs=outputs,
        names=names,
        courses=[one.course for one in found],
        history=history(found),
    )


def degraded(truth: Tensor, options: DeepImagePriorOptions, draws: Any) -> Observation:
    """What is observed of ``truth`` (1, C, H, W)."""
    if options.degradation == "denoise":
        return degrade.noisy(truth, options.sigma, draws)
    if options.degradation == "inpaint":
        return degrade.masked(truth, options.missing, draws)
    return degrade.small(truth, options.factor)


def history(found: list[Fitted]) -> dict[str, list[float]]:
    """Loss and PSNR at the checks, averaged over the images."""

    def mean(rows: list[list[float]]) -> list[float]:
        return [sum(column) / len(rows) for column in zip(*rows, strict=True)]

    return {
        "step": [float(step) for step in found[0].course.steps],
        "loss": mean([one.losses for one in found]),
        "psnr_last": mean([one.course.current for one in found]),
        "psnr_average": mean([one.course.average for one in found]),
    }


def _picture(
    context: TaskContext, truths: Tensor, observed: list[Tensor], found: list[Fitted]
) -> None:
    rows = []
    for truth, shown, one in zip(truths[:4], observed, found, strict=False):
        course = one.course
        rows.append(
            [
                Tile(truth, "truth"),
                Tile(shown, f"observed {course.observed:.2f} dB"),
                Tile(one.last[0], f"last {course.current[-1]:.2f} dB"),
                Tile(one.average[0], f"average {course.average[-1]:.2f} dB"),
                Tile(one.oracle[0], f"oracle {max(course.current):.2f} dB"),
            ]
        )
    caption = "truth, observation, and the network's outputs; the oracle is chosen by the truth"
    context.artifacts.save("restoration.png", grid(rows), caption)


def _check_output(network: nn.Module, channels: int, truths: Tensor) -> None:
    """UserError unless the network makes images of the size of ``truths`` (N, C, H, W)."""
    training = network.training
    network.eval()
    with torch.no_grad():
        blank = truths.new_zeros(1, channels, *truths.shape[2:]).to(
            next(network.parameters()).device
        )
        shape = tuple(network(blank).shape)
    network.train(training)
    if shape != (1, *truths.shape[1:]):
        raise UserError(
            f"the task deep_image_prior needs a network that makes images {tuple(truths.shape[1:])}"
            f"; this one yields {shape[1:]}"
        )
