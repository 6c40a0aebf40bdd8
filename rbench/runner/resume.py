"""Save the state of a training loop, and resume it after the process was killed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from rbench.runner import checkpoint, preemption

if TYPE_CHECKING:
    from rbench.plugin.contexts import TaskContext

DEFAULT_SECONDS = 60.0
"""Without ``checkpoint_every``: seconds between two checkpoints, which are saved between epochs."""
COMMON_STEPS = 20
"""Steps between two times that processes agree on whether one of them was asked to end."""


@dataclass
class State:
    """Progress of a training, apart from the weights and the optimizer."""

    total: Tensor
    """Sum of this process's losses in the current epoch, a scalar."""
    step: int = 0
    history: dict[str, list[float]] = field(default_factory=dict)
    seconds: float = 0.0
    """Time spent on the steps so far, by all processes that this run has had."""
    best: float | None = None
    best_epoch: int = 0
    best_metric: str = ""
    """The series by which the best epoch is known, such as ``top1@val``."""
    best_weights: dict[str, Tensor] = field(default_factory=dict)


class Checkpointer:
    """Saves the state of a training periodically and on preemption, and restores it.

    Every process calls it at the same steps and the main process writes. In data-parallel runs the
    weights and the optimizer are equal in all processes; only the sums of losses are gathered.
    """

    def __init__(self, context: TaskContext, module: nn.Module, optimizer: Any, steps: int) -> None:
        self.context, self.module, self.optimizer = context, module, optimizer
        self.steps = steps
        self.folder: Path | None = None
        if context.checkpoints is not None and context.checkpoint_every != 0:
            self.folder = context.checkpoints / str(context.trainings)
            # Without parents: a shared folder that has vanished must not be created anew.
            with suppress(OSError):
                context.checkpoints.parent.mkdir(exist_ok=True)
                context.checkpoints.mkdir(exist_ok=True)
        self.ended_folder: Path | None = None
        if context.trained_folder is not None:
            self.ended_folder = context.trained_folder / str(context.trainings)
        context.trainings += 1
        self.started = self.saved = perf_counter()
        self.seconds_before_resume = 0.0

    def restore(self, *, curves: bool = False) -> State | None:
        """Load the newest complete checkpoint into module and optimizer; None if there is none.

        With ``curves`` a training that has ended without them is not taken, either.
        """
        found = None
        for folder in filter(None, (self.folder, self.ended_folder)):
            found = found or checkpoint.load(folder, self.context.note)
        if found is None or (curves and self._lacks_curves(found)):
            return None
        accelerator, facts = self.context.accelerator, found.facts
        groups = {"weights": {}, "best": {}, "optimizer": {}}  # type: dict[str, dict[str, Tensor]]
        for name, tensor in found.tensors.items():
            group, _, rest = name.partition("/")
            groups.get(group, {})[rest] = tensor
        self.module.load_state_dict(groups["weights"])
        if facts["optimizer"] is not None:
            self.optimizer.load_state_dict(
                checkpoint.unflatten(facts["optimizer"], groups["optimizer"])
            )
        if accelerator.scaler is not None and facts["scaler"] is not None:
            accelerator.scaler.load_state_dict(facts["scaler"])
        totals = found.tensors["totals"].to(self.context.device)
        same = len(totals) == accelerator.num_processes
        total = totals[accelerator.process_index] if same else totals.mean()
        self.seconds_before_resume = facts["seconds"]
        self.context.clock.resumed(self.seconds_before_resume)
        self.context.note(f"resumed from a checkpoint after step {found.step} of {self.steps}")
        return State(
            total=total.clone(),
            step=found.step,
            history=facts["history"],
            seconds=facts.get("train_seconds", 0.0),
            best=facts["best"],
            best_epoch=facts.get("best_epoch", 0),
            best_metric=facts.get("best_metric", "score@test"),
            best_weights=groups["best"],
        )

    def _lacks_curves(self, found: checkpoint.Checkpoint) -> bool:
        """Whether a training has ended without curves; of one that goes on, a note says it."""
        history = found.facts["history"]
        if "seconds" in history or not history:
            return False
        if found.step < self.steps:
            self.context.note(
                f"the curves begin after epoch {len(history['train_loss'])}: until then the "
                "training was not asked for any"
            )
            return False
        self.context.note("the training that was kept has no curves: training again")
        self.context.accelerator.wait_for_everyone()
        if self.folder is not None and self.context.accelerator.is_main_process:
            # It would count as newer than the checkpoints of the new training.
            shutil.rmtree(self.folder, ignore_errors=True)
        return True

    def maybe_save(self, state: State, *, epoch_ended: bool = False) -> None:
        """Save ``state`` if a checkpoint is due or this process was asked to end.

        In the second case it then raises SystemExit. Several processes do so together, at the end
        of an epoch or every :data:`COMMON_STEPS` steps, if one of them was asked.
        """
        if self.folder is None:
            return
        due, ending = self._due(state.step, epoch_ended), preemption.requested()
        if self.context.accelerator.num_processes > 1:
            common = epoch_ended or state.step % COMMON_STEPS == 0
            ending = common and self._any(ending)
        if due or ending:
            self._save(self.folder, state)
        if ending:
            self.context.note(
                f"asked to end; saved after step {state.step} of {self.steps}: the same command "
                "continues from there"
            )
            preemption.exit_if_requested()
            # This process was not asked itself, but another process of the same run was.
            raise SystemExit(143)

    def _save(self, folder: Path, state: State) -> None:
        accelerator = self.context.accelerator
        totals = accelerator.gather(state.total.reshape(1))
        if not accelerator.is_main_process:
            return
        # Clones: tied weights share memory, which safetensors refuses.
        tensors = {f"best/{k}": v.clone() for k, v in state.best_weights.items()}
        inner: dict[str, Tensor] = {}
        optimizer = checkpoint.flatten(self.optimizer.state_dict(), "state", inner)
        tensors |= {f"optimizer/{k}": v for k, v in inner.items()}
        scaler = None if accelerator.scaler is None else accelerator.scaler.state_dict()
        seconds = self.seconds_before_resume + perf_counter() - self.started
        facts = {"optimizer": optimizer, "scaler": scaler, "seconds": seconds}
        self._write(folder, state, {"totals": totals, **tensors}, facts)

    def _write(
        self, folder: Path, state: State, tensors: dict[str, Tensor], facts: dict[str, Any]
    ) -> None:
        """Write a checkpoint of ``tensors`` and the module, of ``facts`` and the state's."""
        tensors |= {f"weights/{k}": v.clone() for k, v in self.module.state_dict().items()}
        facts |= {
            "history": state.history,
            "best": state.best,
            "best_epoch": state.best_epoch,
            "best_metric": state.best_metric,
            "train_seconds": state.seconds,
        }
        try:
            checkpoint.save(folder, state.step, tensors, facts)
        except OSError as error:
            # A lost checkpoint costs time, not the run.
            self.context.note(f"a checkpoint could not be written: {error.strerror}")
        self.saved = perf_counter()

    def ended(self, state: State) -> Callable[[], None]:
        """What saves this training, which has ended, should what follows it fail.

        A run that starts again finds all steps done and continues with what follows. The
        optimizer's state is freed and not saved.
        """
        self.optimizer = None
        # The module has the best epoch's weights by now.
        state.best_weights = {}
        seconds = self.seconds_before_resume + perf_counter() - self.started

        def save() -> None:
            accelerator = self.context.accelerator
            if self.ended_folder is None or not accelerator.is_main_process:
                return
            with suppress(OSError):
                self.ended_folder.parent.parent.mkdir(exist_ok=True)
                self.ended_folder.parent.mkdir(exist_ok=True)
            tensors = {"totals": torch.zeros(accelerator.num_processes)}
            if state.best is not None:
                own = self.module.state_dict()
                tensors |= {f"best/{k}": v.clone() for k, v in own.items()}
            facts = {"optimizer": None, "scaler": None, "seconds": seconds}
            self._write(self.ended_folder, state, tensors, facts)

        return save

    def _due(self, step: int, epoch_ended: bool) -> bool:
        every = self.context.checkpoint_every
        if every is not None:
            return step % every == 0 or step == self.steps
        if not epoch_ended:
            return False
        # Clocks differ between processes.
        return self._agree(perf_counter() - self.saved >= DEFAULT_SECONDS)

    def _agree(self, value: bool) -> bool:
        """The main process's decision, broadcast: saving needs all processes."""
        if self.context.accelerator.num_processes == 1:
            return value
        from accelerate.utils import broadcast

        return bool(broadcast(torch.tensor(value).to(self.context.device)))

    def _any(self, value: bool) -> bool:
        """Whether it is true in any process."""
        from accelerate.utils import reduce

        return bool(reduce(torch.tensor(float(value)).to(self.context.device), "sum") > 0)


__all__ = ["COMMON_STEPS", "DEFAULT_SECONDS", "Checkpointer", "State"]
