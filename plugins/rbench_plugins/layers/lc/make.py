"""Which execution an LC-block gets, and the block itself."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from timm.layers import Conv2dSame
from torch import nn

from rbench import BuildContext, UserError, is_spatial, replace_layers
from rbench_plugins.layers.lc.block import LCBlock
from rbench_plugins.layers.lc.compact import LCCompact, pays
from rbench_plugins.layers.lc.draw import Source
from rbench_plugins.layers.lc.gram import LCGram
from rbench_plugins.layers.lc.options import LCOptions
from rbench_plugins.layers.lc.shape import ConvShape

LINEAR = ("sgd", "momentum")
"""timm's names of optimizers whose step is linear in gradients and weights."""


@dataclass(frozen=True)
class LCMaker:
    """Makes the ``count`` LC-blocks of one network, in the order of its layers."""

    options: LCOptions
    context: BuildContext
    count: int = 1
    made: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        refusals = {"gram": self.gram_refused, "compact": self.compact_refused}
        refused = refusals.get(self.options.execution)
        if refused is not None and (reason := refused()):
            raise UserError(f"execution={self.options.execution}: {reason}")

    def gram_refused(self) -> str | None:
        """Why training through the Gram matrix would not be the LC-block's training, or None."""
        if "spatial" not in self.context.freeze:
            return "the filters learn; it needs --freeze spatial"
        extra = [rule for rule in self.context.freeze if rule not in ("spatial", "none")]
        if self.context.unfreeze:
            return f"--unfreeze {' '.join(self.context.unfreeze)} may let the filters learn"
        if extra:
            return f"--freeze {','.join(extra)} beside spatial may freeze what it has combined"
        training = self.context.training
        if training is not None and training.clip_grad is not None:
            return "--clip-grad measures another norm than that of the 1x1 weights' gradient"
        return self.compact_refused()

    def compact_refused(self) -> str | None:
        """Why training fewer rows would not be the LC-block's training, or None."""
        training = self.context.training
        if training is not None and training.opt.lower() not in LINEAR:
            return f"--opt {training.opt} is not linear in the gradient; {', '.join(LINEAR)} are"
        return None

    def execution(self, shape: ConvShape) -> str:
        """unfolded, folded, compact or gram: as the options say, or the fastest that is exact.

        A step costs folded two products (c_out/g x E c_out/g x d) a group, and gram one of
        (c_out/g x d x d), so gram is the faster one from E c_out/g = d/2 on. Compact is folded
        with c_out/g + d in place of E c_out/g, and where that saves nothing, folded itself.
        """
        if self.options.execution == "compact" and not pays(shape, self.options.expansion):
            return "folded"
        if self.options.execution != "auto":
            return self.options.execution
        if self.options.between != "none":
            return "unfolded"
        if shape.taps <= 2 * self.options.expansion * shape.per_group and not self.gram_refused():
            return "gram"
        if pays(shape, self.options.expansion) and not self.compact_refused():
            return "compact"
        return "folded"

    def make(self, shape: ConvShape, name: str) -> LCBlock | LCGram:
        """The block at ``name`` in the network; its draws depend on the run's seed and the name."""
        options, context = self.options, self.context
        place = {"index": len(self.made), "count": self.count}
        source = Source(seed=context.seed, name=name, draw=context.draw, **place)
        self.made.append(name)
        execution = self.execution(shape)
        if execution == "gram":
            context.note(
                "LC-blocks whose filters are frozen are trained as one convolution through the "
                "filters' Gram matrix (execution=gram); neither filters nor 1x1 weights are kept"
            )
            expected = options.gram == "expected"
            return LCGram(shape, options.expansion, source, expected=expected)
        if execution == "compact":
            context.note(
                "LC-blocks with more filters than outputs and taps are trained, exactly, with as "
                "many rows as those (execution=compact); the drawn filters themselves are not kept"
            )
            return LCCompact(shape, options.expansion, source)
        folded = execution == "folded"
        return LCBlock(shape, options.expansion, source, between=options.between, folded=folded)


def put_lc_blocks(network: nn.Module, maker: LCMaker) -> int:
    """Replace every spatial Conv2d of ``network`` by an LC-block in place; return how many.

    UserError for convolutions whose weights are computed (such as weight-standardized ones) or
    that are not two-dimensional: an LC-block would not compute the same.
    """
    maker = replace(maker, count=sum(map(is_spatial, network.modules())))
    replaced = replace_layers(network, lambda layer, name: _block(maker, layer, name))
    if not replaced:
        raise UserError("LC-blocks replace spatial convolutions, and the model has none")
    return len(replaced)


def _block(maker: LCMaker, layer: nn.Module, name: str) -> nn.Module | None:
    if not isinstance(layer, nn.modules.conv._ConvNd) or max(layer.kernel_size) == 1:
        return None
    if type(layer) not in (nn.Conv2d, Conv2dSame):
        raise UserError(
            f"an LC-block cannot replace the {type(layer).__name__} at {name}, only a Conv2d"
        )
    if isinstance(layer.padding, str) or layer.padding_mode != "zeros":
        padding = layer.padding if isinstance(layer.padding, str) else layer.padding_mode
        raise UserError(f"an LC-block cannot replace the layer at {name}: padding '{padding}'")
    shape = ConvShape.of(layer, same=type(layer) is Conv2dSame)  # type: ignore[arg-type]
    return maker.make(shape, name)
