"""Measures what ``metrics/cost.py`` describes."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from rbench import ClassificationOutcome, MetricContext, MetricValue, NoOptions, peak_memory
from rbench_plugins.layers.lc.compact import LCCompact
from rbench_plugins.layers.lc.gram import LCGram


def measure(
    outcome: ClassificationOutcome, context: MetricContext, options: NoOptions
) -> list[MetricValue]:
    """Counts for one image of the test set's size, independent of the machine, and a peak.

    ``learnable_parameters`` is what learns in the paper's sense: an LC-block that is trained as
    one convolution, or with fewer filters, counts all its filters and 1x1 weights all the same;
    of a tensor that learns in part, the entries that learn.
    ``stored_parameters`` is what this execution keeps as parameters.
    ``peak_memory`` is not a count but a measurement of this machine up to this metric: of training
    and evaluation, unless a metric before it needed more. See :func:`rbench.peak_memory`.
    """
    network = outcome.network
    peak = peak_memory(context.device)
    image = next(iter(outcome.test.batches(1, context.device))).images
    # A batch of two: norms in training mode need more than one value a channel.
    images = image.expand(2, -1, -1, -1)
    return [
        _value("learnable_parameters", learnable(network, outcome.fixed_entries)),
        _value("stored_parameters", sum(p.numel() for p in network.parameters())),
        # The second image's: what a step costs whatever its batch (folding filters) cancels.
        _value("forward_flops", flops(network, images) - flops(network, image), "FLOP/image"),
        _value("saved_for_backward", saved_bytes(network, images) / 2, "bytes/image"),
        *([] if peak is None else [_value("peak_memory", peak, "bytes")]),
    ]


def learnable(network: nn.Module, fixed_entries: Mapping[str, Tensor]) -> int:
    """Entries that learn, those of LC-blocks counted as the paper has them.

    ``fixed_entries`` are masks of what is fixed in parameters that learn in part.
    """
    count = sum(p.numel() for p in network.parameters() if p.requires_grad)
    for module in network.modules():
        if isinstance(module, LCGram | LCCompact):
            own = dict(module.named_parameters(recurse=False))
            for name, numbers in module.represented().items():
                parameter = own.get(name)
                if parameter is None:
                    continue  # filters that were drawn and not kept
                count += (numbers - parameter.numel()) * parameter.requires_grad
    parameters = dict(network.named_parameters())
    for name, mask in fixed_entries.items():
        if name in parameters:  # the network of the outcome may be another than the run's
            count -= int(mask.sum()) * parameters[name].requires_grad
    return count


def flops(network: nn.Module, images: Tensor) -> int:
    """Floating-point operations of a forward pass, a multiply-add counted as two."""
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        network(images)
    return int(counter.get_total_flops())


def saved_bytes(network: nn.Module, images: Tensor) -> int:
    """Bytes of maps that autograd keeps for the backward pass; weights and buffers not counted."""
    own = {t.untyped_storage().data_ptr() for t in [*network.parameters(), *network.buffers()]}
    seen: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            seen[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
        result = network(images)
        total = sum(seen.values())
        del result
    return total


def _value(name: str, value: float, unit: str = "") -> MetricValue:
    return MetricValue(name=name, value=float(value), unit=unit, higher_is_better=False)
