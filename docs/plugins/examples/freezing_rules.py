"""A freezing rule: every second filter of each convolution stays as it was drawn."""

import rbench


def select(network, generator, options):
    from torch import nn, zeros_like

    masks = {}
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            mask = zeros_like(module.weight, dtype=bool)
            mask[::2] = True  # True: the entry is fixed
            masks[f"{name}.weight" if name else "weight"] = mask
    return masks


@rbench.hookimpl
def rbench_register_freezing_rules():
    return [
        rbench.FreezingRule(
            name="docs_every_second", summary="Every second filter is fixed.", select=select
        )
    ]
