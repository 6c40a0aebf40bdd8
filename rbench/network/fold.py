"""A network with every layer that amounts to a plainer one replaced by it, for deployment."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

if TYPE_CHECKING:
    from torch import nn


@runtime_checkable
class Foldable(Protocol):
    """What a layer implements that a plainer layer can stand for, such as an LC-block."""

    training: bool

    def folded(self) -> nn.Module:
        """The plainer layer, with copies of the values; UserError where there is none."""


def folded(network: nn.Module) -> nn.Module:
    """A copy of ``network`` in which every :class:`Foldable` layer is its plainer form.

    A weight that is computed (``torch.nn.utils.parametrize``) becomes the plain parameter that
    it amounts to. The copy computes the same up to rounding. A network without such layers comes
    back as a copy. Where the folded network is not one of timm's models, it can still be exported
    if it is :class:`rbench.TimmExportable`.
    """
    from torch.nn.utils import parametrize

    copied = copy.deepcopy(network)
    for name, module in list(copied.named_modules()):
        if name and isinstance(module, Foldable):
            parent, _, leaf = name.rpartition(".")
            setattr(copied.get_submodule(parent), leaf, module.folded().train(module.training))
        elif parametrize.is_parametrized(module):
            _plain(module)
    return copied


def _plain(module: nn.Module) -> None:
    """Keep the computed tensors of ``module`` as plain parameters.

    Not ``remove_parametrizations``: it takes the property from the class, which a copy shares
    with the network that it was copied from.
    """
    from torch import nn
    from torch.nn.utils import parametrize

    names = list(cast("nn.ModuleDict", module.parametrizations))
    computed = {name: getattr(module, name).detach().clone() for name in names}
    module.__class__ = parametrize.type_before_parametrizations(module)
    del module.parametrizations
    for name, tensor in computed.items():
        module.register_parameter(name, nn.Parameter(tensor))
