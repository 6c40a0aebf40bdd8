"""FVT as P1 prints it, against its equations written as loops."""

from __future__ import annotations

import pytest
import torch
from rbench_plugins.stylization.literal import LiteralObjective, noise_like
from rbench_plugins.stylization.loss_network import LossNetwork
from rbench_plugins.stylization.options import StylizationOptions
from rbench_plugins.stylization.run import duration
from torch import Tensor
from torch.nn import functional as F

import rbench

WIDTHS, CONVS = (4, 4, 5, 5), (2, 3, 3, 3)


def network() -> LossNetwork:
    return LossNetwork(3, WIDTHS, CONVS, 3, "max", 0, zero_padding=True).double()


def features(*shape: int, seed: int = 0) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    return torch.rand(shape, generator=draw, dtype=torch.float64)


def by_hand(net: LossNetwork, x: Tensor) -> list[Tensor]:
    """Every activation of Conv2 to Conv5 of one feature vector (1, N, h, w)."""
    maps = []
    for block, count in zip((2, 3, 4, 5), CONVS, strict=True):
        x = F.max_pool2d(x, 2, ceil_mode=True)
        for index in range(1, count + 1):
            x = F.conv2d(x, net.get_buffer(f"conv{block}_{index}"), padding=1).relu()
            maps.append(x)
    return maps


@pytest.mark.parametrize("kind", ["gram", "moments"])
def test_losses_are_equations_3_and_4(kind: str) -> None:
    net = network()
    content, style, v = (features(2, 3, 32, 32, seed=s) for s in (1, 2, 3))
    objective = LiteralObjective(net, kind, ratio=7.0)
    found = objective.losses(v, objective.target(content, style))

    def statistics(m: Tensor) -> Tensor:
        flat = m[0].flatten(1)
        if kind == "moments":
            return torch.stack([flat.mean(1), flat.std(1, correction=0)])
        return torch.stack([torch.stack([(a * b).mean() for b in flat]) for a in flat])

    for pair in range(2):
        of_content, of_style, of_v = (by_hand(net, x[pair : pair + 1]) for x in (content, style, v))
        assert len(of_v) == 11
        l_c = sum(((a - b) ** 2).sum() for a, b in zip(of_content, of_v, strict=True))
        l_s = sum(
            ((statistics(a) - statistics(b)) ** 2).sum()
            for a, b in zip(of_style, of_v, strict=True)
        )
        alpha = 1 / sum((a**2).sum() for a in of_content)
        beta = 1 / sum((statistics(a) ** 2).sum() for a in of_style)
        torch.testing.assert_close(found[0][pair], alpha * l_c)
        torch.testing.assert_close(found[1][pair], beta * l_s)
        total = (alpha * l_c + 7 * beta * l_s) / 8
        torch.testing.assert_close(objective.total(*found)[pair], total)


def test_noise_has_the_moments_of_the_content_and_does_not_depend_on_the_batch() -> None:
    x = 5 + features(3, 4, 50, 50)
    noise = noise_like(x)
    torch.testing.assert_close(noise.mean((1, 2, 3)), x.mean((1, 2, 3)), atol=0.01, rtol=0)
    torch.testing.assert_close(noise.std((1, 2, 3)), x.std((1, 2, 3)), atol=0.01, rtol=0)
    torch.testing.assert_close(noise_like(x[1:2]), noise[1:2])
    assert (noise_like(x - 5) >= 0).all()


def test_what_the_text_says_is_fixed() -> None:
    options = StylizationOptions(method="fvt_literal")
    assert (options.widths, options.convs) == ((128, 256, 512, 512), (2, 3, 3, 3))
    assert (options.mapping, options.levels, options.components) == ("minmax", (0,), 0)
    assert not options.calibrate
    assert options.start == "content"
    assert StylizationOptions(method="fvt_literal", start="noise").start == "noise"
    assert StylizationOptions(method="fvt", kernel=7).kernel == 7
    again = StylizationOptions.model_validate_json(options.model_dump_json())
    assert again == options
    with pytest.raises(ValueError, match="fixes kernel to 3"):
        StylizationOptions(method="fvt_literal", kernel=7)
    with pytest.raises(ValueError, match="starts from content or noise, not wct"):
        StylizationOptions(method="fvt_literal", start="wct")


@pytest.mark.slow
@pytest.mark.parametrize("start", ["content", "noise"])
def test_it_lowers_its_losses_and_leaves_a_record(start: str) -> None:
    (record,) = rbench.run(
        model="rrvgg",
        model_kwargs={"width": 8},
        task="stylization",
        img_size=32,
        dataset_kwargs={"content": ["chelsea"], "style": ["gravel"]},
        task_kwargs={"method": "fvt_literal", "start": start, "steps": 8, "lr": 0.2},
        output=None,
        progress=False,
    )
    assert record.status == "done", record.error
    style, content = record.history["style_loss"], record.history["content_loss"]
    assert style[-1] is not None
    assert style[0] is not None
    assert content[0] is not None
    assert style[-1] < style[0]
    assert (content[0] < 1e-12) == (start == "content")
    assert record.metric("style_gram").value is not None


def test_durations() -> None:
    assert [duration(s) for s in (0.4, 42, 89, 90, 301)] == [
        "0 s",
        "42 s",
        "89 s",
        "2 min",
        "5 min",
    ]
