from __future__ import annotations

from typing import Any, cast

import pytest
import torch
from rbench_plugins.architectures.functions.random_cnn import build
from rbench_plugins.architectures.random_cnn import RandomCNNOptions
from rbench_plugins.tasks.forward import COMPONENT
from torch import nn

from rbench import BuildContext, ImageData, ImagesOutcome, MemoryImages, NoOptions, UserError
from rbench.plugin.contexts import TaskContext


def forward(network: nn.Module, test: MemoryImages | None) -> ImagesOutcome:
    class Cpu:
        device = torch.device("cpu")

    context = TaskContext(
        network=network,
        data=ImageData(name="some", revision="1", in_chans=3, img_size=(12, 12), test=test),
        training=None,
        seed=0,
        accelerator=cast("Any", Cpu()),
    )
    return cast("ImagesOutcome", COMPONENT.run(context, NoOptions()))


def test_passes_every_image_through_in_order() -> None:
    pixels = torch.randint(0, 256, (19, 3, 12, 12), dtype=torch.uint8)
    network = build(BuildContext(), RandomCNNOptions(width=4))
    outcome = forward(network, MemoryImages(pixels, names=[f"n{i}" for i in range(19)]))
    assert torch.equal(outcome.inputs, pixels.float() / 255)
    f = network(outcome.inputs).detach()
    low, high = f.amin((-2, -1), True), f.amax((-2, -1), True)
    assert torch.allclose(outcome.outputs, (f - low) / (high - low), atol=1e-6)
    assert outcome.names[18] == "n18"
    assert forward(network, MemoryImages(pixels)).names[:2] == ["0", "1"]


def test_bad_input() -> None:
    pixels = MemoryImages(torch.zeros(1, 3, 12, 12, dtype=torch.uint8))
    with pytest.raises(UserError, match="no test images"):
        forward(build(BuildContext(), RandomCNNOptions()), None)
    with pytest.raises(UserError, match="images to images"):
        forward(nn.Flatten(), pixels)
