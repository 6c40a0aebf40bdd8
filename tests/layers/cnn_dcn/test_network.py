from __future__ import annotations

import pytest
import torch
from rbench_plugins.architectures.cnn_dcn import COMPONENTS
from rbench_plugins.layers.cnn_dcn.network import CnnDcn, activated
from rbench_plugins.layers.cnn_dcn.plan import Conv, Pool, convs, mirrored, vgg16
from torch import nn
from torch.nn import functional as F

from rbench import Architecture, BuildContext, UserError

RRVGG = COMPONENTS["rrvgg"]
RRVGG_MEAN = COMPONENTS["rrvgg_mean"]
RWALEXNET = COMPONENTS["rwalexnet"]
RWVGG = COMPONENTS["rwvgg"]
VGG_DCN = COMPONENTS["vgg_dcn"]

ALL = list(COMPONENTS.values())


def _make(component: Architecture, seed: int = 0, **options: object) -> CnnDcn:
    parsed = component.options(**{**component.defaults, **options})
    network = component.build(BuildContext(seed=seed), parsed)
    assert isinstance(network, CnnDcn)
    return network.eval()


def test_cd5_has_26_convolutions_and_4_pools() -> None:
    steps = vgg16(5, None, None, 3, 3)
    both = [*steps, *mirrored(steps)]
    assert len(convs(both)) == 26
    assert sum(isinstance(step, Pool) for step in steps) == 4
    names = [step.name for step in mirrored(steps) if isinstance(step, Conv)]
    assert names[:4] == ["deconv5_3", "deconv5_2", "deconv5_1", "deconv4_3"]
    assert [(s.inputs, s.outputs) for s in convs(mirrored(steps))][2:4] == [(512, 512), (512, 512)]


def test_cd2_is_what_one_would_write_by_hand() -> None:
    network = _make(RRVGG, depth=2, width=(4, 6))
    w = dict(network.named_parameters())
    x = torch.rand(2, 3, 8, 12)

    def conv(y: torch.Tensor, name: str) -> torch.Tensor:
        return F.conv2d(y, w[f"{name}.weight"], padding=1)

    y = x
    for name in ("conv1_1", "conv1_2"):
        y = conv(y, f"encoder.{name}").relu()
    y = F.max_pool2d(y, 2)
    for name in ("conv2_1", "conv2_2"):
        y = conv(y, f"encoder.{name}").relu()
    torch.testing.assert_close(network.encode(x), y)
    for name in ("deconv2_2", "deconv2_1"):
        y = conv(y, f"decoder.{name}").relu()
    up = torch.zeros(2, 4, 8, 12)
    up[..., ::2, ::2] = y
    y = conv(up, "decoder.deconv1_2").relu()
    y = conv(y, "decoder.deconv1_1")
    torch.testing.assert_close(network(x), y)
    torch.testing.assert_close(network.decode(network.encode(x)), y)


@pytest.mark.parametrize("component", ALL, ids=list(COMPONENTS))
@pytest.mark.parametrize("size", [(32, 32), (37, 50), (33, 71)])
@pytest.mark.parametrize("depth", [1, 5])
def test_any_size_comes_back(component: Architecture, size: tuple[int, int], depth: int) -> None:
    network = _make(component, depth=depth, width=3)
    channels = 1 if component.name == "rrvgg_mean" else 3
    with torch.no_grad():
        assert network(torch.rand(2, 3, *size)).shape == (2, channels, *size)


@pytest.mark.parametrize("upsampling", ["zero", "nearest", "unpool"])
@pytest.mark.parametrize("size", [(16, 16), (17, 23)])
def test_upsamplings(upsampling: str, size: tuple[int, int]) -> None:
    network = _make(RRVGG, depth=3, width=3, upsampling=upsampling)
    assert network(torch.rand(1, 3, *size)).shape == (1, 3, *size)


def test_unpooling_puts_values_where_the_maxima_were() -> None:
    network = _make(RRVGG, depth=2, conv="conv2_1", width=2, upsampling="unpool")
    x = torch.rand(1, 3, 8, 8)
    w = dict(network.named_parameters())
    y = F.conv2d(x, w["encoder.conv1_1.weight"], padding=1).relu()
    y = F.conv2d(y, w["encoder.conv1_2.weight"], padding=1).relu()
    y, at = F.max_pool2d(y, 2, return_indices=True)
    y = F.conv2d(y, w["encoder.conv2_1.weight"], padding=1).relu()
    y = F.conv2d(y, w["decoder.deconv2_1.weight"], padding=1).relu()
    y = F.max_unpool2d(y, at, 2)
    y = F.conv2d(y, w["decoder.deconv1_2.weight"], padding=1).relu()
    torch.testing.assert_close(network(x), F.conv2d(y, w["decoder.deconv1_1.weight"], padding=1))
    with pytest.raises(UserError, match="unpool"):
        network.decode(network.encode(x))
    with pytest.raises(UserError, match="do not overlap"):
        _make(RWALEXNET, depth=2, upsampling="unpool")


def test_alexnets_mirror_is_the_transposed_convolution() -> None:
    network = _make(RWALEXNET, depth=1, width=2)
    with torch.no_grad():
        features = network.encode(torch.rand(1, 3, 63, 63))
        weight = network.decoder.get_submodule("deconv1").weight
        expected = F.conv_transpose2d(
            features, weight.transpose(0, 1).flip(2, 3), stride=4, padding=2, output_padding=3
        )
        torch.testing.assert_close(network.decoder(features), expected, atol=1e-5, rtol=1e-5)


def test_the_mean_variant_ends_with_the_channels_mean() -> None:
    network = _make(RRVGG_MEAN, width=5)
    assert [name for name, _ in network.named_parameters()] == [
        "encoder.conv1_1.weight",
        "encoder.conv1_2.weight",
        "decoder.deconv1_2.weight",
    ]
    x = torch.rand(1, 3, 9, 9)
    maps = F.conv2d(network.encode(x), network.decoder.get_submodule("deconv1_2").weight, padding=1)
    torch.testing.assert_close(network(x), maps.relu().mean(1, keepdim=True))
    assert network(x).min() >= 0


def test_a_single_convolution_and_its_mirror() -> None:
    network = _make(RRVGG, conv="conv1_1", width=7, kernel_size=5)
    assert [tuple(p.shape) for p in network.parameters()] == [(7, 3, 5, 5), (3, 7, 5, 5)]


@pytest.mark.parametrize(
    ("law", "scale", "std"),
    [
        ("normal", 0.1, 0.1),
        ("uniform", None, 0.0231),
        ("logistic", None, 0.0272),
        ("laplace", None, 0.0212),
    ],
)
def test_laws_have_the_papers_spread(law: str, scale: float | None, std: float) -> None:
    network = _make(RRVGG, width=64, cnn_law=law, cnn_scale=scale)
    w = {name: p.detach() for name, p in network.named_parameters()}
    assert w["encoder.conv1_2.weight"].std().item() == pytest.approx(std, rel=0.02)
    assert w["decoder.deconv1_2.weight"].std().item() == pytest.approx(0.1, rel=0.02)


def test_networks_are_drawn_by_seed_and_number() -> None:
    def weights(network: nn.Module) -> torch.Tensor:
        return torch.cat([p.detach().flatten() for p in network.parameters()])

    network = _make(RRVGG, width=4)
    first = weights(network)
    torch.testing.assert_close(first, weights(_make(RRVGG, width=4)), atol=0, rtol=0)
    network.redraw(1)
    second = weights(network)
    assert (first != second).all()
    assert (weights(_make(RRVGG, seed=1, width=4)) != first).all()
    network.redraw(0)
    torch.testing.assert_close(weights(network), first, atol=0, rtol=0)


def test_the_dcn_learns_and_the_random_cnn_does_not() -> None:
    network = _make(RWVGG, depth=2, width=4)
    learns = {name for name, p in network.named_parameters() if p.requires_grad}
    assert learns
    assert all(name.startswith("decoder.") for name in learns)
    assert network.decoder.get_submodule("deconv1_1").bias.eq(0).all()  # type: ignore[union-attr]
    assert all(p.requires_grad for p in _make(RRVGG, width=4).parameters())


def test_a_classifiers_convolutions_are_taken_over() -> None:
    layers: list[nn.Module] = []
    before = 3
    for item in (4, 4, "M", 6, 6, "M", 8, 8, 8):
        if item == "M":
            layers.append(nn.MaxPool2d(2))
        else:
            assert isinstance(item, int)
            layers += [nn.Conv2d(before, item, 3, padding=1), nn.ReLU()]
            before = item
    features = nn.Sequential(*layers)
    state = {f"features.{name}": value for name, value in features.state_dict().items()}
    state["head.weight"] = torch.zeros(10, 8)
    network = _make(VGG_DCN, depth=3, width=(4, 6, 8), normalize="none")
    assert network.awaits_weights
    network.load_state_dict(network.adapt_checkpoint(state))  # type: ignore[operator]
    assert not network.awaits_weights
    x = torch.rand(2, 3, 16, 16)
    torch.testing.assert_close(network.encode(x), features(x))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": (4, 5)}, r"conv2_1, which is \(5, 4, 3, 3\) here"),
        ({"width": 4, "depth": 3}, "4 convolutions features.N; this CNN needs 7"),
    ],
)
def test_a_checkpoint_of_the_wrong_architecture(options: dict[str, object], message: str) -> None:
    network = _make(VGG_DCN, **{"depth": 2, **options})  # type: ignore[arg-type]
    state = {f"features.{i}.weight": torch.zeros(4, 4 if i else 3, 3, 3) for i in range(4)}
    state |= {f"features.{i}.bias": torch.zeros(4) for i in range(4)}
    with pytest.raises(UserError, match=message):
        network.adapt_checkpoint(state)  # type: ignore[operator]
    with pytest.raises(UserError, match="batch norms"):
        network.adapt_checkpoint({"features.1.running_mean": torch.zeros(4)})  # type: ignore[operator]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 0}, "width must be from 1"),
        ({"width": 10**6}, "width must be from 1"),
        ({"width": (1, 2, 3, 4, 5, 6)}, "up to 5"),
        ({"conv": "conv1_3"}, "unknown convolution"),
        ({"cnn_law": "kaiming", "cnn_scale": 0.1}, "kaiming has no scale"),
        ({"depth": 6}, "less than or equal to 5"),
        ({"depth": 0}, "greater than or equal to 1"),
        ({"kernel_size": 4}, "odd"),
    ],
)
def test_options_out_of_range(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _make(RRVGG, **options)


def test_normalised_inputs() -> None:
    plain = _make(RRVGG, width=4)
    normalized = _make(RRVGG, width=4, normalize="imagenet")
    x = torch.rand(1, 3, 12, 12)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    torch.testing.assert_close(
        normalized.encode(x), plain.encode((x - mean.view(-1, 1, 1)) / std.view(-1, 1, 1))
    )


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_fused_relu_is_the_plain_one(bias: bool, dtype: torch.dtype) -> None:
    layer = nn.Conv2d(3, 5, 3, padding=1, bias=bias).to(dtype)
    x = torch.randn(2, 3, 9, 7, dtype=dtype)
    expected = F.relu(layer(x)).detach()
    with torch.inference_mode():
        torch.testing.assert_close(activated(layer, nn.ReLU(), x), expected)
    assert activated(layer, nn.ReLU(), x).requires_grad
