"""What a built network consists of, tensor by tensor: what was drawn, is frozen, and learns."""

from __future__ import annotations

from dataclasses import dataclass

from rbench.network.build import Built
from rbench.network.frozen import count_fixed


@dataclass(frozen=True)
class TensorState:
    """One parameter or buffer of a network, as its training would find it."""

    name: str
    shape: tuple[int, ...]
    numbers: int
    drawn: bool
    """Whether the run's initializers drew it; else it is as the architecture made it."""
    learns: int
    """How many of its numbers learn at any time of the training."""
    frozen: int
    """How many of its numbers stay fixed to the end."""
    buffer: bool = False
    from_epoch: int = 0
    """The epoch, counted from 0, from which on numbers of it learn that are frozen at first."""

    @property
    def state(self) -> str:
        """``learns``, ``frozen``, ``learns 40, frozen 24``, or for buffers ``moves``."""
        if self.buffer:
            return "buffer, frozen" if self.frozen else "buffer, not frozen"
        if self.learns and self.frozen:
            word = f"learns {self.learns:,}, frozen {self.frozen:,}"
        else:
            word = "learns" if self.learns else "frozen"
        return f"{word} from epoch {self.from_epoch} on" if self.from_epoch else word


def tensor_states(built: Built) -> list[TensorState]:
    """All parameters of ``built`` in the network's order, then its buffers."""
    frozen, end = built.frozen, built.frozen.at_the_end()
    drawn = set() if built.draw is None else set(built.draw.names)
    found = []
    for name, parameter in built.network.named_parameters():
        size, still = parameter.numel(), count_fixed(name, parameter, end)
        later = [epoch for epoch, freed in frozen.stages.items() if name in freed]
        found.append(
            TensorState(
                name=name,
                shape=tuple(parameter.shape),
                numbers=size,
                drawn=_drawn(name, drawn),
                learns=size - still,
                frozen=still,
                from_epoch=min(later) if later and still < size else 0,
            )
        )
    fixed = set(built.freeze.buffers)
    for name, buffer in built.network.named_buffers():
        size = buffer.numel()
        still = size if name in fixed or name in end else 0
        found.append(TensorState(name, tuple(buffer.shape), size, False, 0, still, buffer=True))
    return found


def draw_themselves(built: Built) -> list[str]:
    """Layers that drew their filters themselves, which they may keep in another form or not."""
    names = [name for name, _ in built.network.named_parameters()]
    drawn = [] if built.draw is None else built.draw.names
    own = [one for one in drawn if not any(_drawn(name, {one}) for name in names)]
    return list(dict.fromkeys(one.rpartition("/")[0] or one for one in own))


def _drawn(parameter: str, layers: set[str]) -> bool:
    """Whether ``parameter`` is of one of the drawn ``layers``, as a record names them."""
    owner, _, own = parameter.split(".parametrizations.")[0].rpartition(".")
    if ".parametrizations." in parameter:
        owner, own = parameter.split(".parametrizations.")[0], "weight"
    tensors = {layer.split("[")[0] for layer in layers}
    return parameter in tensors or (not own.endswith("bias") and owner in layers)
