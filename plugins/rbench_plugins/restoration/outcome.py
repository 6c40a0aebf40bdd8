"""What restoring tasks hand to metrics."""

from __future__ import annotations

from dataclasses import dataclass, field

from rbench import ImagesOutcome


@dataclass(frozen=True)
class Course:
    """PSNR against the truth along the optimization of one image, in dB.

    ``steps``: after how many; ``current``: of the network's output; ``average``: of the running
    average of its outputs; ``observed``: of the degraded image, or of its plain upsampling.
    """

    steps: list[int]
    current: list[float]
    average: list[float]
    observed: float


@dataclass(kw_only=True)
class RestorationOutcome(ImagesOutcome):
    """``inputs`` are the true images and ``outputs`` what was made of the degraded ones."""

    courses: list[Course] = field(default_factory=list)
