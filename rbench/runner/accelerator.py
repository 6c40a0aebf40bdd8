"""The device and the precision of a run."""

from __future__ import annotations

import os

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, PartialState

from rbench.errors import UserError
from rbench.spec.precision import cpu_lacks_bfloat16
from rbench.spec.resolve import Resolved


def make_accelerator(resolved: Resolved) -> Accelerator:
    """Accelerate for this run.

    Accelerate's state is a process-wide singleton that fixes the precision and the device, so the
    state of the run before is reset. UserError if Accelerate computes on another kind of device
    than ``resolved`` names.
    """
    AcceleratorState._reset_state(reset_partial_state=_other_device(resolved))
    mixed = {"float32": "no", "bfloat16": "bf16", "float16": "fp16"}[precision(resolved)]
    deterministic = resolved.spec.deterministic
    if deterministic:
        # cuBLAS reads this when it is first used.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    lax = torch.is_deterministic_algorithms_warn_only_enabled()
    if lax or deterministic != torch.are_deterministic_algorithms_enabled():
        # Not without need: the call imports torch's compiler, which takes a second or two.
        torch.use_deterministic_algorithms(deterministic)
    torch.backends.cudnn.benchmark = False
    if resolved.device.startswith("cuda:"):
        torch.cuda.set_device(resolved.device)
    accelerator = Accelerator(mixed_precision=mixed, cpu=resolved.device == "cpu")
    found, wanted = accelerator.device.type, _kind(resolved)
    if found != wanted:
        raise UserError(
            f"--device {resolved.device}: torch and Accelerate compute on {found} here; install a "
            f"torch for {wanted} and unset the variables ACCELERATE_..., or type --device {found}"
        )
    return accelerator


def _kind(resolved: Resolved) -> str:
    """The device without its number: cpu, cuda or mps."""
    return resolved.device.split(":")[0]


def _other_device(resolved: Resolved) -> bool:
    """Whether an earlier run of this process has fixed another kind of device.

    Not where several processes share a run: their process group cannot be made again.
    """
    if not PartialState._shared_state:
        return False
    state = PartialState()
    return state.num_processes == 1 and state.device.type != _kind(resolved)


def precision(resolved: Resolved) -> str:
    """The precision of training: float32, bfloat16 or float16."""
    training = resolved.training
    return training.amp_dtype if training is not None and training.amp else "float32"


def network_precision(resolved: Resolved) -> str:
    """What a record names as the precision: the task's own option ``dtype``, else training's."""
    own: str | None = getattr(resolved.task.options, "dtype", None)
    return own or precision(resolved)


def slow_precision(resolved: Resolved) -> str | None:
    """What to tell the user where training is in bfloat16 on a CPU without it; else None."""
    if resolved.device != "cpu" or precision(resolved) != "bfloat16" or not cpu_lacks_bfloat16():
        return None
    return (
        "this processor has no instructions for bfloat16, so that training takes about ten times "
        "as long as in float32: --no-amp (in a sweep --set training.amp=false) trains in float32, "
        "which is a run of its own"
    )
