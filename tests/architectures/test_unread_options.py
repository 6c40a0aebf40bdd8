"""Options that the chosen kind of mask, kernel or form does not read are refused."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from rbench_plugins.architectures.functions import supermask
from rbench_plugins.architectures.supermask import SupermaskOptions
from rbench_plugins.architectures.timm_models import TimmOptions, member
from rbench_plugins.initializers.structured import StructuredOptions

from rbench import BuildContext, UserError
from tests.initializers.test_initializers import draw


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"mask": "bernoulli", "keep": 0.1}, "keep is for mask=edge_popup; leave it out with"),
        ({"mask": "bernoulli", "magnitude": False}, "magnitude is for mask=edge_popup"),
        ({"logit": 3.0}, "logit is for mask=bernoulli; leave it out with edge_popup"),
        ({"mask": "edge_popup", "evaluate": "expected"}, "evaluate is for mask=bernoulli"),
        ({"rescale": True}, "rescale is for mask=bernoulli"),
        ({"mask": "bernoulli", "logit": -1e3, "scale_fan": True}, "the mask keeps nothing"),
    ],
)
def test_supermask(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SupermaskOptions(**given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"taps": 3}, "taps is for kernel=box; leave it out with impulse"),
        ({"kernel": "box", "variance": 1.0}, "variance is for kernel=spot"),
        ({"kernel": "spot", "rank": 2}, "rank is for kernel=low_rank"),
    ],
)
def test_structured(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        StructuredOptions(**given)


def test_what_is_read_is_taken() -> None:
    assert SupermaskOptions(mask="bernoulli", logit=1.0, scale_fan=True, rescale=True).logit == 1
    assert SupermaskOptions(keep=0.3, magnitude=False, scale_fan=True).kept == 0.3
    assert StructuredOptions(kernel="low_rank", rank=2, heads=3).rank == 2


@pytest.mark.parametrize(
    "options", [SupermaskOptions(), SupermaskOptions(mask="bernoulli"), StructuredOptions()]
)
def test_defaults_that_are_not_read_may_be_named(options: Any) -> None:
    assert type(options).model_validate(options.model_dump()) == options


def test_weights_under_a_bernoulli_mask_keep_hes_variance_where_scale_fan_asks() -> None:
    """On average 2/fan_in over kept and masked weights, as without a mask."""
    options = SupermaskOptions(
        base="resnet_cifar_8_16", mask="bernoulli", logit=1.5, scale_fan=True
    )
    network: Any = supermask.build(BuildContext(), options).train()
    torch.manual_seed(0)
    effective = network.layer3[0].conv2.weight.detach()
    share = float((effective != 0).double().mean())
    assert share == pytest.approx(1 / (1 + math.exp(-1.5)), abs=0.02)
    fan = effective[0].numel()
    assert float(effective.square().mean()) == pytest.approx(2 / fan, rel=0.03)


def test_boxes_that_fill_the_kernel_are_refused() -> None:
    with pytest.raises(ValueError, match=r"boxes of 9 taps fill a kernel of 9 .* such as taps=4"):
        draw("structured", (8, 1, 3, 3), kernel="box")
    assert len(torch.unique(draw("structured", (64, 1, 3, 3), kernel="box", taps=8), dim=0)) == 9


@pytest.mark.parametrize(
    ("name", "pixels", "given", "message"),
    [
        ("test_resnet", 224, {"stem_pool": False}, "stem_pool changes the low-resolution form"),
        ("test_efficientnet", 224, {"second_stride": 1}, "own at 224 pixels; add low_res=true"),
        ("test_vit", 32, {"second_stride": 1}, "second_stride changes the low-resolution form"),
        ("test_efficientnet", 32, {"stem_pool": False}, "has no max pool behind its stem"),
        ("test_resnet", 32, {"second_stride": 1}, "no stages of inverted residual blocks"),
    ],
)
def test_the_low_resolution_form(
    name: str, pixels: int, given: dict[str, Any], message: str
) -> None:
    component = member(name)
    assert component is not None
    context = BuildContext(name=name, img_size=(pixels, pixels))
    with pytest.raises(UserError, match=message):
        component.build(context, TimmOptions(**given))
    assert component.build(context, TimmOptions()) is not None
