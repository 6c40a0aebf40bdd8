"""Networks answer the protocols by what they have, not by a flag that somebody forgot."""

from __future__ import annotations

import torch
from rbench_plugins.architectures.cnn_dcn import COMPONENTS
from rbench_plugins.architectures.functions.random_cnn import build
from rbench_plugins.architectures.random_cnn import RandomCNNOptions
from rbench_plugins.layers.cnn_dcn.reconstruct import is_redrawable
from torch import nn

from rbench import BuildContext, Redrawable, RegisteredWithTimm, TimmExportable


def test_redrawable_networks_draw_another_and_come_back() -> None:
    component = COMPONENTS["rrvgg"]
    for network in (
        component.build(BuildContext(), component.options(width=4)),
        build(BuildContext(), RandomCNNOptions(width=4)),
    ):
        assert isinstance(network, Redrawable)
        assert is_redrawable(network)
        first = [parameter.clone() for parameter in network.parameters()]
        network.redraw(1)
        assert not torch.equal(next(network.parameters()), first[0])
        network.redraw(0)
        assert all(map(torch.equal, network.parameters(), first))


def test_a_trained_cnn_is_not_drawn_anew_and_plain_networks_offer_nothing() -> None:
    component = COMPONENTS["vgg_dcn"]
    options = component.options(**component.defaults, width=4)
    assert not is_redrawable(component.build(BuildContext(), options))
    plain = nn.Conv2d(1, 1, 1)
    assert not is_redrawable(plain)
    for protocol in (Redrawable, TimmExportable, RegisteredWithTimm):
        assert not isinstance(plain, protocol)
