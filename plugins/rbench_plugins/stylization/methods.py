"""One network's pictures of all pairs, by any of the methods, in batches of pairs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rbench_plugins.stylization.closed_forms import match_moments, principal, whiten_color
from rbench_plugins.stylization.decoding import Decode, EncoderDecoder, encoder_decoder
from rbench_plugins.stylization.literal import LiteralObjective, noise_like
from rbench_plugins.stylization.loss_network import LossNetwork
from rbench_plugins.stylization.optimize import Objective, Trace, Watch, optimize
from rbench_plugins.stylization.parametrization import Corrections

if TYPE_CHECKING:
    from rbench_plugins.stylization.options import StylizationOptions

LEVELS = {"fvt": (1, 2, 3), "gatys": (0, 1, 2, 3)}
LR = {"fvt": 0.05, "fvt_literal": 0.05, "gatys": 0.01}
"""Adam's: FVT's in standard deviations of the features, Gatys' in the range of a pixel."""


@dataclass
class Pictures:
    """``images`` (P, 3, H, W) in [0, 1] on the CPU, and their cost."""

    images: Tensor
    traces: list[Trace] = field(default_factory=list)
    """One per batch of pairs; none for the closed forms."""
    seconds: float = 0.0
    passes: float = 0.0
    """Network passes per picture: encoder, loss network (forward and backward), decoder."""


def stylize(
    network: nn.Module,
    losses: LossNetwork,
    contents: Tensor,
    styles: Tensor,
    pairs: Sequence[tuple[int, int]],
    options: StylizationOptions,
    *,
    batch: int,
    report: Callable[[int, int, float], None] = lambda batch, step, loss: None,
) -> Pictures:
    """Every pair (content, style) of ``contents`` (C, 3, H, W) and ``styles`` (S, 3, h, w).

    All on one device. ``report(pairs done, step, loss)`` is called at every step.
    """
    method = Method(network, losses, options)
    out, done, start = Pictures(contents.new_empty(0)), 0, perf_counter()
    images: list[Tensor] = []
    for first in range(0, len(pairs), batch):
        chosen = pairs[first : first + batch]
        content = contents[[c for c, _ in chosen]]
        style = styles[[s for _, s in chosen]]

        def watch(step: int, c: Tensor, s: Tensor, done: int = done) -> None:
            report(done, step, float((c + options.ratio * s).mean() / (1 + options.ratio)))

        picture, trace = method(content, style, watch)
        images.append(picture.cpu())
        if trace is not None:
            out.traces.append(trace)
        out.passes += method.passes(trace) * len(chosen) / len(pairs)
        done += len(chosen)
    out.images, out.seconds = torch.cat(images), perf_counter() - start
    return out


class Method:
    """``(content, style) -> (pictures, trace)`` for batches of pairs (P, 3, ., .)."""

    def __init__(
        self, network: nn.Module, losses: LossNetwork, options: StylizationOptions
    ) -> None:
        self.network: EncoderDecoder = encoder_decoder(network)
        self.options, self.losses = options, losses
        self.decode = None if options.method == "gatys" else Decode(network, options.mapping)
        self.variable: Corrections | None = None
        """The variable of the current optimization, for callers that watch it."""
        self.objective: Objective | LiteralObjective
        if options.method == "fvt_literal":
            self.objective = LiteralObjective(losses, options.style_loss, options.ratio)
        else:
            self.objective = Objective(
                losses,
                options.style_loss,
                options.centred,
                options.style_layers,
                options.content_layer,
                options.ratio,
            )

    def __call__(
        self, content: Tensor, style: Tensor, watch: Watch | None = None
    ) -> tuple[Tensor, Trace | None]:
        """Pictures of the contents' size; the trace is None for a closed form."""
        options = self.options
        edge = min(options.margin, min(*content.shape[-2:], *style.shape[-2:]) - 1)
        content, style = (F.pad(x, (edge,) * 4, mode="reflect") for x in (content, style))
        size = (content.shape[-2], content.shape[-1])
        with torch.no_grad():
            v_c, v_s = self.network.encode(content), self.network.encode(style)
        trace: Trace | None = None
        if self.decode is None:
            image, trace = self._gatys(content, v_c, v_s, watch)
        else:
            self.decode.fit((v_c, content), (v_s, style))
            if options.method in ("fvt", "fvt_literal"):
                v_new, trace = self._fvt(v_c, v_s, watch)
            else:
                with torch.no_grad():
                    v_new = closed_form(options.method, v_c, v_s)
            image = self.decode(v_new, size)
        return image[..., edge : size[0] - edge, edge : size[1] - edge], trace

    def passes(self, trace: Trace | None) -> int:
        """Network passes of one picture, including two encodings, the two reconstructions that the
        mapping is fitted to, and the decoding; a step is one forward and one backward pass."""
        fitted = self.decode is not None and self.options.mapping != "minmax"
        closed = 2 + (2 if fitted else 0) + (1 if self.decode is not None else 0)
        return closed + (0 if trace is None else 2 * trace.passes + 2)

    def _fvt(self, v_c: Tensor, v_s: Tensor, watch: Watch | None) -> tuple[Tensor, Trace]:
        """FVT: V_new = argmin alpha L_c(V_c, V) + beta L_s(V_s, V), V >= 0 as after ReLU.

        With P1's objective for ``fvt_literal``, with rbench's for ``fvt``.
        """
        options = self.options
        with torch.no_grad():
            noise = options.start == "noise"
            start = noise_like(v_c) if noise else closed_form(options.start, v_c, v_s)
            count = min(options.components, v_c.shape[1])
            axes = principal(v_s, count) if count else None
            spread = v_c.flatten(1).std(1, correction=0).view(-1, 1, 1, 1)
        variable = Corrections(
            start,
            LEVELS["fvt"] if options.levels is None else options.levels,
            axes,
            scale=None if count else spread,
            low=0.0,
        )
        return self._optimize(variable, lambda v: v, v_c, v_s, watch)

    def _gatys(
        self, content: Tensor, v_c: Tensor, v_s: Tensor, watch: Watch | None
    ) -> tuple[Tensor, Trace]:
        """Gatys: the same loss of encode(x), minimized over the image x, from the content on."""
        levels = self.options.levels
        variable = Corrections(
            content, LEVELS["gatys"] if levels is None else levels, low=0.0, high=1.0
        )
        return self._optimize(variable, self.network.encode, v_c, v_s, watch)

    def _optimize(
        self,
        variable: Corrections,
        features: Callable[[Tensor], Tensor],
        v_c: Tensor,
        v_s: Tensor,
        watch: Watch | None,
    ) -> tuple[Tensor, Trace]:
        options = self.options
        self.variable = variable
        lr = options.lr
        if lr is None:
            lr = 1.0 if options.opt == "lbfgs" else LR[options.method]
        return optimize(
            variable,
            features,
            self.objective,
            self.objective.target(v_c, v_s, options.calibrate),
            steps=options.steps,
            optimizer=options.opt,
            lr=lr,
            watch=watch,
        )


def closed_form(name: str, v_c: Tensor, v_s: Tensor) -> Tensor:
    """``content`` returns V_c unchanged; ``adain`` and ``wct`` match it to V_s, and V >= 0."""
    if name == "content":
        return v_c
    matched = match_moments(v_c, v_s) if name == "adain" else whiten_color(v_c, v_s)
    return matched.clamp_min(0)
