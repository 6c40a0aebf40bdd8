"""P1's six CNN-DCNs: a CNN and a deconvolutional network (DCN) that mirrors it.

rr: CNN and DCN both random, N(0, 0.1), ReLU, nothing learns (section 4). rw: a random, frozen CNN
and a DCN that learns to invert it (section 3.2). The others compare with a trained CNN.
"""

from __future__ import annotations

from rbench import Architecture
from rbench_plugins.layers.cnn_dcn.options import CnnDcnOptions

LEARNED_DCN = {"dcn_law": "kaiming", "dcn_activation": "leaky_relu", "dcn": "trained"}
RANDOM_CNN = {"cnn_activation": "leaky_relu", **LEARNED_DCN}
TRAINED_CNN = {"cnn": "trained", "normalize": "imagenet", **LEARNED_DCN}


COMPONENTS = {
    name: Architecture(
        name=name,
        summary=summary,
        build=f"rbench_plugins.architectures.functions.cnn_dcn:{backbone}",
        options=CnnDcnOptions,
        defaults=defaults,
        title="AlexNet CNN-DCNs" if backbone == "alexnet" else "VGG16 CNN-DCNs",
        pretrained=lambda options: options.cnn == "trained",
    )
    for name, backbone, defaults, summary in (
        (
            "alexnet_dcn",
            "alexnet",
            TRAINED_CNN,
            "A trained AlexNet's CNN, frozen, with a DCN to be trained (P1 section 3.2).",
        ),
        (
            "rrvgg",
            "vgg16",
            {},
            "VGG16's CNN-DCN, random-random: both halves random, nothing learns (P1 section 4).",
        ),
        (
            "rrvgg_mean",
            "vgg16",
            {"last": "mean"},
            "rrvgg with the mean of the channels as its last layer (P1 section 4.2).",
        ),
        (
            "rwalexnet",
            "alexnet",
            RANDOM_CNN,
            "AlexNet's CNN with random weights, frozen, and a DCN to be trained (P1 section 3.2).",
        ),
        (
            "rwvgg",
            "vgg16",
            RANDOM_CNN,
            "VGG16's CNN with random weights, frozen, and a DCN to be trained (P1 section 3.2).",
        ),
        (
            "vgg_dcn",
            "vgg16",
            TRAINED_CNN,
            "A trained VGG16's CNN, frozen, with a DCN to be trained (P1 section 3.2).",
        ),
    )
}
