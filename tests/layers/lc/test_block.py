"""LC-blocks: three executions of one function, and their training, in float64."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from rbench_plugins.layers.lc import draw as draw_filters
from rbench_plugins.layers.lc.block import LCBlock
from rbench_plugins.layers.lc.draw import Source, keep, slices
from rbench_plugins.layers.lc.gram import LCGram, expected_gram
from rbench_plugins.layers.lc.shape import ConvShape
from torch import Tensor, nn
from torch.nn import functional as F

from rbench import Layer
from rbench.errors import UserError
from rbench.seeds import generator

SOURCE = Source(seed=7, name="layer1.0.conv1")
SHAPES = [
    pytest.param(ConvShape(c_in=3, c_out=4, kernel=(3, 3), padding=(1, 1)), id="plain"),
    pytest.param(
        ConvShape(c_in=4, c_out=6, kernel=(5, 5), stride=(2, 2), padding=(2, 2)), id="k5-stride"
    ),
    pytest.param(ConvShape(c_in=2, c_out=2, kernel=(7, 7), padding=(3, 3), bias=True), id="k7"),
    pytest.param(ConvShape(c_in=2, c_out=2, kernel=(9, 9), padding=(4, 4)), id="k9"),
    pytest.param(ConvShape(c_in=4, c_out=6, kernel=(3, 3), padding=(1, 1), groups=2), id="groups"),
    pytest.param(
        ConvShape(c_in=4, c_out=4, kernel=(3, 3), stride=(2, 2), groups=4, bias=True, same=True),
        id="depthwise-same",
    ),
    pytest.param(
        ConvShape(c_in=3, c_out=2, kernel=(1, 7), padding=(0, 6), dilation=(1, 2)), id="dilated"
    ),
]


def images(shape: ConvShape, n: int = 2) -> Tensor:
    return torch.randn(n, shape.c_in, 11, 10, dtype=torch.float64, generator=generator(1, "x"))


@pytest.mark.parametrize("shape", SHAPES)
def test_folded_equals_unfolded_forward_and_backward(shape: ConvShape) -> None:
    """Lemma 3.1, with both kinds of weight learning."""
    two = LCBlock(shape, 3, SOURCE).double()
    one = LCBlock(shape, 3, SOURCE, folded=True).double()
    x = images(shape)
    y = two(x)
    torch.testing.assert_close(one(x), y, atol=1e-10, rtol=0)
    assert y.shape == shape.conv().double()(x).shape
    toward = torch.randn(y.shape, dtype=y.dtype, generator=generator(2, "y"))
    for block in (one, two):
        block(x).mul(toward).sum().backward()
    gradients = dict(one.named_parameters())
    for name, parameter in two.named_parameters():
        torch.testing.assert_close(gradients[name].grad, parameter.grad, atol=1e-10, rtol=0)
    torch.testing.assert_close(two.folded()(x), y, atol=1e-10, rtol=0)


@pytest.mark.parametrize("shape", SHAPES)
def test_folded_in_channels_last_is_the_same(shape: ConvShape) -> None:
    block = LCBlock(shape, 3, SOURCE, folded=True).double()
    expected = block(images(shape))
    block = block.to(memory_format=torch.channels_last)
    torch.testing.assert_close(block(images(shape)), expected, atol=1e-10, rtol=0)


PLAIN = SHAPES[0].values[0]


@pytest.mark.parametrize(
    ("shape", "momentum", "nesterov", "decay"),
    [
        (PLAIN, 0.0, False, 0.0),
        (PLAIN, 0.9, False, 1e-2),
        *(pytest.param(*p.values, 0.9, True, 1e-2, id=p.id) for p in SHAPES),
    ],
)
def test_gram_follows_the_trajectory_of_the_two_convolutions(
    shape: ConvShape, momentum: float, nesterov: bool, decay: float
) -> None:
    """200 steps of SGD on a curved loss with a changing rate; W = P R throughout."""
    two = LCBlock(shape, 5, SOURCE).double()
    two.spatial.requires_grad_(False)
    gram = LCGram(shape, 5, SOURCE).double()
    # The buffers were rounded to float32 once; the statement is about the steps.
    rows = two.spatial.view(shape.groups, -1, shape.taps)
    gram.gram.copy_(rows.transpose(1, 2) @ rows)
    with torch.no_grad():
        gram.weight.copy_(two.combined_weight())
    start = gram.weight.detach().clone()
    optimizers = [
        torch.optim.SGD(
            [p for p in block.parameters() if p.requires_grad],
            lr=0.01,
            momentum=momentum,
            nesterov=nesterov,
            weight_decay=decay,
        )
        for block in (two, gram)
    ]
    draws = generator(3, "steps")
    for step in range(200):
        x = torch.randn(2, shape.c_in, 11, 10, dtype=torch.float64, generator=draws)
        target = x.mean(dim=(1, 2, 3), keepdim=True).expand_as(two(x)) + 0.3
        for block, optimizer in zip((two, gram), optimizers, strict=True):
            optimizer.param_groups[0]["lr"] = 0.1 * (1 + math.cos(math.pi * step / 200))
            F.smooth_l1_loss(block(x).sin(), target).backward()
            optimizer.step()
            optimizer.zero_grad()
    assert (gram.weight - start).abs().max() > 0.02
    torch.testing.assert_close(gram.weight, two.combined_weight(), atol=1e-10, rtol=0)


@pytest.mark.parametrize("shape", SHAPES)
def test_gram_sums_what_the_others_keep(shape: ConvShape) -> None:
    block, gram = LCBlock(shape, 40, SOURCE), LCGram(shape, 40, SOURCE)
    torch.testing.assert_close(gram.weight, block.combined_weight(), atol=1e-6, rtol=0)
    rows = block.spatial.double().view(shape.groups, -1, shape.taps)
    expected = (rows.transpose(1, 2) @ rows).float()
    torch.testing.assert_close(gram.gram, expected, atol=1e-6, rtol=1e-6)
    assert list(gram.spatial_parameters()) == []
    assert set(gram.state_dict()) <= {"weight", "bias"}


@pytest.mark.parametrize("shape", SHAPES)
def test_slices_do_not_depend_on_how_many_are_drawn_at_once(
    shape: ConvShape, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = keep(shape, 11, SOURCE)
    monkeypatch.setattr(draw_filters, "_NUMBERS_AT_ONCE", 3 * shape.c_out * shape.taps)
    assert max(len(part.filters) for part in slices(shape, 11, SOURCE)) < 11
    parts = keep(shape, 11, SOURCE)
    assert torch.equal(parts.spatial, whole.spatial)
    assert torch.equal(parts.pointwise, whole.pointwise)


def test_smaller_expansions_are_the_first_slices_of_larger_ones() -> None:
    shape = ConvShape(c_in=3, c_out=4, kernel=(3, 3))
    assert torch.equal(keep(shape, 2, SOURCE).spatial, keep(shape, 9, SOURCE).spatial[:8])


def test_laws_are_pytorchs_defaults() -> None:
    shape = ConvShape(c_in=16, c_out=32, kernel=(3, 3))
    drawn = keep(shape, 64, SOURCE)
    d, fan = 16 * 9, 64 * 32
    for weight, bound in ((drawn.spatial, 1 / math.sqrt(d)), (drawn.pointwise, fan**-0.5)):
        assert 0.999 * bound < weight.abs().max() <= bound
        assert weight.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.01)
        assert abs(weight.mean().item()) < 0.01 * bound
    two_convs = nn.Sequential(
        nn.Conv2d(16, 64 * 32, 3, bias=False), nn.Conv2d(64 * 32, 32, 1, bias=False)
    )
    stds = [conv.weight.std().item() for conv in two_convs if isinstance(conv, nn.Conv2d)]
    assert drawn.spatial.std().item() == pytest.approx(stds[0], rel=0.01)
    assert drawn.pointwise.std().item() == pytest.approx(stds[1], rel=0.01)


def test_gram_tends_to_its_expectation() -> None:
    shape = ConvShape(c_in=4, c_out=6, kernel=(3, 3), groups=2)
    errors = []
    for expansion in (64, 4096):
        drawn = LCGram(shape, expansion, SOURCE).gram
        expected = expected_gram(shape, expansion) * torch.eye(shape.taps)
        errors.append(((drawn - expected).norm() / expected.norm()).item())
    assert errors[1] < 0.06 < errors[0]
    assert all(later < earlier / 5 for earlier, later in pairwise(errors))
    control = LCGram(shape, 64, SOURCE, expected=True)
    assert control.gram.item() == pytest.approx(expected_gram(shape, 64))
    assert torch.equal(control.weight, LCGram(shape, 64, SOURCE).weight)


def test_names_and_seeds_give_other_numbers() -> None:
    shape = ConvShape(c_in=3, c_out=4, kernel=(3, 3))
    first = keep(shape, 2, SOURCE).spatial
    for source in (Source(seed=8, name=SOURCE.name), Source(seed=7, name="layer1.0.conv2")):
        assert not torch.equal(first, keep(shape, 2, source).spatial)


def test_an_initializer_draws_each_slice_as_a_convolution() -> None:
    shape = ConvShape(c_in=3, c_out=4, kernel=(3, 3))
    asked: list[tuple[str, tuple[int, ...]]] = []

    def draw(weight: Tensor, stream: str, layer: Layer) -> None:
        asked.append((stream, tuple(weight.shape)))
        weight.fill_(len(asked))

    source = Source(seed=7, name="conv1", draw=draw)
    block = LCBlock(shape, 3, source)
    assert asked == [(f"lc/conv1/{i}", (4, 3, 3, 3)) for i in range(3)]
    assert block.spatial[:, 0, 0, 0].tolist() == [1.0] * 4 + [2.0] * 4 + [3.0] * 4
    by_default = LCBlock(shape, 3, Source(seed=7, name="conv1"))
    assert torch.equal(block.pointwise, by_default.pointwise)


@pytest.mark.parametrize("between", ["relu", "bn", "bn_relu"])
def test_an_operation_between_is_computed_and_does_not_fold(between: str) -> None:
    shape = ConvShape(c_in=3, c_out=4, kernel=(3, 3), padding=(1, 1))
    block = LCBlock(shape, 3, SOURCE, between=between).double()
    x = images(shape)
    maps = F.conv2d(x, block.spatial, padding=1)
    if "bn" in between:
        maps = F.batch_norm(maps, None, None, training=True)
    if "relu" in between:
        maps = maps.clamp(min=0)
    torch.testing.assert_close(block(x), F.conv2d(maps, block.pointwise), atol=1e-10, rtol=0)
    with pytest.raises(UserError, match="does not fold"):
        block.folded()
