"""What runs only where nothing is learned gives what the plain layers give."""

from __future__ import annotations

import pytest
import torch
from rbench_plugins.architectures.cnn_dcn import COMPONENTS
from rbench_plugins.layers.cnn_dcn import bfloat16_stack
from rbench_plugins.layers.cnn_dcn.bfloat16_stack import fits
from rbench_plugins.layers.cnn_dcn.network import CnnDcn
from rbench_plugins.layers.cnn_dcn.reconstruct import reconstruct

from rbench import Architecture, BuildContext

RRVGG = COMPONENTS["rrvgg"]
RRVGG_MEAN = COMPONENTS["rrvgg_mean"]
RWALEXNET = COMPONENTS["rwalexnet"]


def _network(component: Architecture, **options: object) -> CnnDcn:
    network = component.build(BuildContext(), component.options(**options))
    assert isinstance(network, CnnDcn)
    return network.eval()


def _images(size: tuple[int, int], count: int = 3) -> torch.Tensor:
    """8-bit photographs, as they are read from files."""
    from skimage.data import chelsea

    cat = torch.from_numpy(chelsea().copy()).permute(2, 0, 1).float() / 255
    return torch.stack([cat[:, 60 : 60 + size[0], k * 40 : k * 40 + size[1]] for k in range(count)])


@pytest.mark.parametrize("size", [(32, 32), (37, 50)])
@pytest.mark.parametrize("upsampling", ["zero", "nearest", "unpool"])
@pytest.mark.parametrize("depth", [2, 3])
def test_zeros_that_nobody_multiplies(size: tuple[int, int], upsampling: str, depth: int) -> None:
    network = _network(RRVGG, depth=depth, width=6, upsampling=upsampling)
    _agree(network.double(), _images(size).double())


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_strides_and_pools_that_overlap(depth: int) -> None:
    network = _network(RWALEXNET, depth=depth, width=6)
    _agree(network.double(), _images((67, 80)).double())


def test_a_mean_behind_an_upsampling() -> None:
    _agree(
        _network(RRVGG_MEAN, depth=2, width=6).double(),
        _images((32, 32)).double(),
    )


def _agree(network: CnnDcn, images: torch.Tensor) -> None:
    """With gradients the zeros are written out."""
    plain = network(images).detach()
    with torch.inference_mode():
        fast = network(images)
    torch.testing.assert_close(fast, plain, rtol=1e-10, atol=1e-10 * float(plain.abs().max()))


@pytest.mark.parametrize(
    ("component", "options"),
    [
        (RRVGG, {"width": 16}),
        (RRVGG, {"width": 16, "last_relu": True}),
        (RRVGG, {"conv": "conv1_1", "width": 16, "kernel_size": 7}),
        (RRVGG_MEAN, {"width": 16}),
    ],
)
@pytest.mark.parametrize("instructions", [True, False])
def test_bfloat16_with_little_noise(
    component: Architecture,
    options: dict[str, object],
    instructions: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Against float64 with the same rounded weights only the maps' rounding is left.

    So it is on a processor without instructions for bfloat16, too.
    """
    if not instructions:
        monkeypatch.setattr(bfloat16_stack, "onednn_fuses", lambda dtype: dtype != torch.bfloat16)
    network, images = _network(component, **options), _images((48, 56))
    assert fits(network)
    for parameter in network.parameters():  # weights that bfloat16 holds: powers of two
        parameter.data = parameter.data.sign() * 0.125
    exact = next(reconstruct(network, images)).double()
    ours = next(reconstruct(network, images, dtype=torch.bfloat16)).double()
    plain = network.bfloat16()(images.bfloat16()).double().detach()

    def noise(output: torch.Tensor) -> float:
        error = output - exact
        return float((error[..., 1:] - error[..., :-1]).std() / exact.std())

    border = (ours - exact).abs()
    assert border[..., 0].mean() < 5 * border.mean() + 1e-9
    assert noise(ours) < 0.75 * noise(plain)
    assert noise(ours) < 0.01


def test_bfloat16_draws_the_networks_of_float32() -> None:
    network, images = _network(RRVGG, width=8), _images((32, 32))
    pairs = zip(
        reconstruct(network, images, networks=3),
        reconstruct(network, images, networks=3, dtype=torch.bfloat16),
        strict=True,
    )
    for exact, ours in pairs:
        assert (exact - ours).std() < 0.03 * exact.std()
