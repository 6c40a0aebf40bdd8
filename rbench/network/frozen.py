"""What is fixed in a network, and how it stays so while the rest learns.

Whole tensors need no gradient and are not given to the optimizer. Of a tensor of which some
entries are fixed, gradients are zeroed before and entries put back after each step, so that they
are the same bits under any optimizer: weight decay, momentum and LAMB's trust ratios included.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from rbench.network.modules import is_norm
from rbench.network.represented import refuse_parts

Fixed = dict[str, "Tensor | None"]
"""Name of a tensor -> boolean mask of its fixed entries; None: all of it."""


_WORD = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
"""Bytes of an entry -> the integer that holds its bits."""


class FixedEntries:
    """A parameter of which the entries under ``mask`` keep the bits that ``values`` have there.

    ``mask`` is boolean; it and ``values`` have the parameter's shape. Call :meth:`zero_gradient`
    before and :meth:`restore` after each step of the optimizer.

    Gradients and entries are masked as integers: AND and OR run at the speed of the memory, where
    ``masked_fill_`` and ``where`` take an entry at a time, some twenty times as long on a CPU.
    """

    def __init__(self, parameter: nn.Parameter, mask: Tensor, values: Tensor) -> None:
        word = _WORD[parameter.element_size()]
        fixed = torch.where(mask.to(values.device), -1, 0).to(word)
        self.parameter = parameter
        self.learns = ~fixed
        """All bits of an entry that learns, none of one that is fixed."""
        self.bits = values.view(word) & fixed
        """The bits of a fixed entry; zero where an entry learns."""

    @property
    def mask(self) -> Tensor:
        """Boolean, True where an entry is fixed."""
        return self.learns == 0

    @property
    def values(self) -> Tensor:
        """The fixed entries, zero elsewhere (of the parameter's shape)."""
        return self.bits.view(self.parameter.dtype)

    def follow(self) -> None:
        """Move to the parameter's device and memory format."""
        to = self.parameter.detach()
        if self.bits.device != to.device or self.bits.stride() != to.stride():
            self.learns, self.bits = (
                torch.empty_like(to, dtype=old.dtype).copy_(old) for old in (self.learns, self.bits)
            )

    def zero_gradient(self) -> None:
        """Zero the gradient of fixed entries, whatever it is (NaN included)."""
        if self.parameter.grad is not None:
            self.follow()
            self.parameter.grad.view(self.bits.dtype).bitwise_and_(self.learns)

    def restore(self) -> None:
        """Put the fixed entries back."""
        self.follow()
        entries = self.parameter.detach().view(self.bits.dtype)
        entries.bitwise_and_(self.learns).bitwise_or_(self.bits)


class FrozenWeightsMoved(RuntimeError):
    """A tensor, entry or statistic that was frozen is not what it was."""


class Frozen:
    """The fixed part of one network, now and in later epochs.

    ``fixed`` is what stays from the start on, ``stages`` what learns from an epoch on.
    """

    def __init__(
        self,
        network: nn.Module,
        fixed: Fixed,
        *,
        statistics: bool = True,
        stages: Mapping[int, Fixed] | None = None,
    ) -> None:
        self.network, self.statistics = network, statistics
        self.stages = dict(stages or {})
        self.by_itself = {n for n, p in network.named_parameters() if not p.requires_grad}
        """Parameters that the architecture keeps from learning, whatever is asked."""
        self.fixed = dict(fixed)
        self.chosen: Fixed = {}
        """What the task fixed beside it."""
        self.partly: list[FixedEntries] = []
        self.held: list[str] = []
        self._apply()
        self.sha256 = fingerprint(self.tensors())
        """Of what is fixed to the end, as it was when it was fixed."""

    def _apply(self) -> None:
        """Let parameters learn or not and norms move or not, as ``fixed`` says now."""
        parameters = dict(self.network.named_parameters())
        kept = {id(part.parameter): part.values for part in self.partly}
        self.partly = []
        for name, parameter in parameters.items():
            mask = self.fixed.get(name)
            whole = is_whole(name, self.fixed)
            parameter.requires_grad_(not whole and name not in self.by_itself)
            if mask is not None and name not in self.by_itself:
                values = kept.get(id(parameter))
                values = parameter.detach() if values is None else values
                self.partly.append(FixedEntries(parameter, mask, values))
        for module in self.network.modules():
            release(module)
        self.held = statistics_of(self.network, self.whole) if self.statistics else []
        for name in self.held:
            hold(self.network.get_submodule(name))

    @property
    def whole(self) -> set[str]:
        """The names of tensors that are fixed as a whole."""
        return {name for name in self.fixed if is_whole(name, self.fixed)} | self.by_itself

    @property
    def buffers(self) -> list[str]:
        """The names of buffers that are fixed."""
        return self._buffers_of(self.held)

    def _buffers_of(self, modules: Iterable[str]) -> list[str]:
        return [
            f"{prefix}.{name}" if prefix else name
            for prefix in modules
            for name, _ in self.network.get_submodule(prefix).named_buffers(recurse=False)
        ]

    def at_the_end(self) -> Fixed:
        """What is fixed after the last stage, parameters that never learn included."""
        fixed = self.fixed
        for epoch in sorted(self.stages):
            fixed = without(fixed, self.stages[epoch])
        return {**together(fixed, self.chosen), **dict.fromkeys(self.by_itself)}

    def begin_epoch(self, epoch: int) -> bool:
        """Let learn what is to learn in ``epoch`` (from 0 on); whether anything changed.

        Called for a later epoch at once, where a run is resumed, it does all that came before.
        """
        due = [when for when in sorted(self.stages) if when <= epoch]
        for when in due:
            self.fixed = together(without(self.fixed, self.stages.pop(when)), self.chosen)
        if due:
            self._apply()
        return bool(due)

    def fix(self, masks: Mapping[str, Tensor]) -> None:
        """Fix the entries under ``masks`` as they are now, to the end, beside what is fixed.

        UserError where a parameter stands for other numbers than those that a mask would choose.
        """
        refuse_parts(self.network, masks, "choosing single weights")
        self.check()
        self.chosen = together(self.chosen, {n: m.cpu() for n, m in masks.items() if m.any()})
        self.fixed = together(self.fixed, self.chosen)
        self.partly = []
        self._apply()
        self.sha256 = fingerprint(self.tensors())

    def fixed_entries(self) -> dict[str, Tensor]:
        """Masks of what is fixed now in tensors that learn in part."""
        learns = {name for name, p in self.network.named_parameters() if p.requires_grad}
        return {n: mask for n, mask in self.fixed.items() if mask is not None and n in learns}

    def entries(self) -> dict[str, Tensor]:
        """Masks of what is fixed to the end in tensors that learn in part."""
        return {n: mask for n, mask in self.at_the_end().items() if mask is not None}

    def ever_learning(self) -> list[nn.Parameter]:
        """Parameters that do not learn now and will: an optimizer has to know them."""
        end = self.at_the_end()
        return [
            parameter
            for name, parameter in self.network.named_parameters()
            if not parameter.requires_grad and not is_whole(name, end)
        ]

    def before_step(self) -> None:
        """Zero the gradients of fixed entries."""
        for part in self.partly:
            part.zero_gradient()

    def after_step(self) -> None:
        """Put fixed entries back."""
        for part in self.partly:
            part.restore()

    def tensors(self) -> dict[str, Tensor]:
        """All that is fixed to the end, by name: tensors, buffers, masks and entries under them."""
        end = self.at_the_end()
        found: dict[str, Tensor] = {}
        for name, parameter in self.network.named_parameters():
            if is_whole(name, end):
                found[name] = parameter
            elif (mask := end.get(name)) is not None:
                at = mask.to(parameter.device)
                found[f"{name}[mask]"], found[f"{name}[fixed]"] = mask, parameter.detach()[at]
        whole = {name for name in end if is_whole(name, end)}
        held = statistics_of(self.network, whole) if self.statistics else []
        buffers = dict(self.network.named_buffers())
        return found | {name: buffers[name] for name in self._buffers_of(held)}

    def check(self) -> None:
        """FrozenWeightsMoved unless :meth:`tensors` are what they were when they were fixed."""
        if fingerprint(self.tensors()) != self.sha256:
            raise FrozenWeightsMoved(
                "frozen tensors changed during the task; a training loop of its own has to call "
                "before_step and after_step of context.frozen"
            )


def is_whole(name: str, fixed: Fixed) -> bool:
    """Whether the tensor ``name`` is fixed as a whole."""
    return name in fixed and fixed[name] is None


def count_fixed(name: str, tensor: Tensor, fixed: Fixed) -> int:
    """How many of the tensor's entries are fixed."""
    if is_whole(name, fixed):
        return tensor.numel()
    mask = fixed.get(name)
    return 0 if mask is None else int(mask.sum())


def without(fixed: Fixed, learns: Fixed) -> Fixed:
    """``fixed`` less what ``learns`` selects."""
    rest: Fixed = {}
    for name, mask in fixed.items():
        if name not in learns:
            rest[name] = mask
            continue
        away = learns[name]
        if away is not None:
            left = ~away if mask is None else mask & ~away
            if left.any():
                rest[name] = left
    return rest


def together(fixed: Fixed, more: Fixed) -> Fixed:
    """What either selects."""
    both = dict(fixed)
    for name, mask in more.items():
        other = both.get(name)
        if name in both and (other is None or mask is None):
            both[name] = None
        else:
            both[name] = mask if other is None or mask is None else other | mask
        union = both[name]
        if union is not None and union.all():
            both[name] = None
    return both


def statistics_of(network: nn.Module, whole: set[str]) -> list[str]:
    """Names of modules whose statistics stay, given the names of tensors that are fixed.

    Those of a norm are fixed where all of its parameters are; of one without parameters, where its
    buffers are. The vectors of spectral normalization stay where its weight does.
    """
    return [prefix for prefix, module in network.named_modules() if _stays(prefix, module, whole)]


def _stays(prefix: str, module: nn.Module, whole: set[str]) -> bool:
    dot = f"{prefix}." if prefix else ""
    buffers = [dot + name for name, _ in module.named_buffers(recurse=False)]
    if not buffers:
        return False
    if is_power_iteration(module):
        owner = prefix.rpartition(".")[0]
        return f"{owner}.original" in whole
    if hasattr(module, "weight_u"):
        return f"{dot}weight_orig" in whole
    if not is_norm(module):
        return False
    own = [dot + name for name, _ in module.named_parameters(recurse=False)]
    return all(name in whole for name in own or buffers)


def is_power_iteration(module: nn.Module) -> bool:
    """Whether ``module`` is torch's spectral normalization, which moves vectors as it is used."""
    return isinstance(module, parametrizations._SpectralNorm)


def hold(module: nn.Module) -> None:
    """Keep ``module`` in eval mode, whoever puts its network into training mode."""
    # An attribute of the instance: nn.Module.train calls its children's.
    vars(module)["train"] = partial(_train_the_rest, module)
    module.train(module.training)


def release(module: nn.Module) -> None:
    """Undo :func:`hold`; the module's next ``train`` decides its mode."""
    vars(module).pop("train", None)


def is_held(module: nn.Module) -> bool:
    """Whether :func:`hold` keeps ``module`` in eval mode."""
    return "train" in vars(module)


def _train_the_rest(module: nn.Module, mode: bool = True) -> nn.Module:
    for child in module.children():
        child.train(mode)
    module.training = False
    return module


def fingerprint(tensors: Mapping[str, Tensor]) -> str | None:
    """SHA-256 of names, dtypes, shapes and bytes; None for no tensor."""
    if not tensors:
        return None
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)};".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
