"""What a CNN-DCN is made of, as plain numbers: P1's VGG16 and AlexNet and their mirrors.

P1 section 3.1 and appendix A.1.1: Conv[1..k] up to a convolution, the representation taken
behind its activation and before the pool; then the same convolutions mirrored, with an
upsampling for each pool. DeConv_i_j is Conv_i_j with its channels swapped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rbench import UnknownName, UserError


@dataclass(frozen=True)
class Conv:
    """A convolution: ``name`` is its place in the CNN, such as ``conv1_2``."""

    name: str
    inputs: int
    outputs: int
    kernel: int
    stride: int = 1
    padding: int = 1


@dataclass(frozen=True)
class Pool:
    """A pool of ``kernel`` pixels every ``stride``."""

    kernel: int
    stride: int


Step = Conv | Pool

VGG16 = (64, 128, 256, 512, 512)
VGG16_CONVS = (2, 2, 3, 3, 3)
ALEXNET = (64, 192, 384, 256, 256)
"""Torchvision's AlexNet, whose published weights fit."""
WIDEST = 8192


def vgg16(
    depth: int, conv: str | None, width: int | Sequence[int] | None, kernel: int, channels: int
) -> list[Step]:
    """The steps of VGG16's CNN up to the last convolution of block ``depth``, or up to ``conv``.

    ``width`` is one for all convolutions (P1 section 4.2), or one for each block.
    """
    widths = _widths(VGG16, width)
    steps: list[Step] = []
    before = channels
    for block, (count, after) in enumerate(zip(VGG16_CONVS, widths, strict=True), 1):
        for index in range(1, count + 1):
            steps.append(Conv(f"conv{block}_{index}", before, after, kernel, 1, kernel // 2))
            before = after
        steps.append(Pool(2, 2))
    last = conv or f"conv{depth}_{VGG16_CONVS[depth - 1]}"
    return _until(steps, last)


def alexnet(
    depth: int,
    conv: str | None,
    width: int | Sequence[int] | None,
    kernel: int | None,
    channels: int,
) -> list[Step]:
    """The steps of AlexNet's CNN up to convolution ``depth``, with its own kernels by default."""
    widths = [channels, *_widths(ALEXNET, width)]
    steps: list[Step] = []
    shapes = ((11, 4, 2), (5, 1, 2), (3, 1, 1), (3, 1, 1), (3, 1, 1))
    for index, (size, stride, padding) in enumerate(shapes, 1):
        if kernel is not None:
            size, padding = kernel, kernel // 2
        steps.append(Conv(f"conv{index}", widths[index - 1], widths[index], size, stride, padding))
        if index in (1, 2):
            steps.append(Pool(3, 2))
    return _until(steps, conv or f"conv{depth}")


def mirrored(steps: Sequence[Step]) -> list[Step]:
    """The DCN's steps: the CNN's in reverse, channels swapped; a Pool means its upsampling."""
    return [
        replace(step, name=f"de{step.name}", inputs=step.outputs, outputs=step.inputs)
        if isinstance(step, Conv)
        else step
        for step in reversed(steps)
    ]


def upsampled(length: int, step: Step) -> int:
    """The length of an axis behind the upsampling that undoes ``step``.

    At least what the CNN had there, since its pools round up: hence P1's final crop. For
    a strided convolution it is the length that its mirror, a convolution of stride 1 whose
    padding is kernel - 1 - padding, needs.
    """
    if isinstance(step, Pool):
        return (length - 1) * step.stride + step.kernel
    return length * step.stride


def convs(steps: Sequence[Step]) -> list[Conv]:
    """The convolutions among ``steps``."""
    return [step for step in steps if isinstance(step, Conv)]


def _widths(own: Sequence[int], width: int | Sequence[int] | None) -> list[int]:
    if width is None:
        return list(own)
    given = [width] * len(own) if isinstance(width, int) else list(width)
    if not given or len(given) > len(own):
        raise UserError(f"width needs one number or up to {len(own)}, not {len(given)}")
    if not all(1 <= value <= WIDEST for value in given):
        raise UserError(f"width must be from 1 to {WIDEST}, not {', '.join(map(str, given))}")
    return given + list(own[len(given) :])


def _until(steps: list[Step], last: str) -> list[Step]:
    names = [step.name if isinstance(step, Conv) else "" for step in steps]
    if last not in names:
        raise UnknownName("convolution", last, filter(None, names))
    return steps[: names.index(last) + 1]
