"""An initializer: random signs, scaled by the square root of the fan in."""

import rbench


class Options(rbench.Options):
    """What ``--init-kwargs`` accepts: ``gain=2.0``."""

    gain: float = 1.0


def draw(weight, generator, options):
    signs = weight.new_empty(weight.shape).bernoulli_(0.5, generator=generator) * 2 - 1
    weight.copy_(options.gain * signs / weight[0].numel() ** 0.5)


@rbench.hookimpl
def rbench_register_initializers():
    return [
        rbench.Initializer(name="docs_signs", summary="Random signs.", draw=draw, options=Options)
    ]
