"""The embedded digits: the documented split, the real pixels, resizing and channels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from rbench_plugins.datasets.digits import COMPONENT
from rbench_plugins.datasets.functions.digits import read_digits
from sklearn.datasets import load_digits

from rbench import DataContext, ImageData, MemoryImages, NoOptions, UserError


def digits(**context: object) -> ImageData:
    return COMPONENT.open(DataContext(**context), NoOptions())  # type: ignore[arg-type]


def memory(images: object) -> MemoryImages:
    assert isinstance(images, MemoryImages)
    return images


def test_split_is_complete_disjoint_and_stratified() -> None:
    data = digits()
    train, test = memory(data.train), memory(data.test)
    assert (len(train), len(test)) == (1437, 360)
    assert (data.num_classes, data.in_chans, data.img_size) == (10, 1, (8, 8))
    values, labels = load_digits(return_X_y=True)
    both = torch.cat([train.pixels, test.pixels]).double() * 16 / 255
    ours = sorted(map(bytes, both.round().byte().numpy()))
    assert ours == sorted(map(bytes, values.astype(np.uint8)))
    assert train.labels is not None
    assert test.labels is not None
    everywhere = np.bincount(labels)
    held_out = test.labels.bincount().numpy()
    assert (np.abs(held_out - everywhere / 5) < 1).all()
    assert (train.labels.bincount().numpy() + held_out == everywhere).all()


def test_the_file_is_read_as_scikit_learn_reads_it(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = load_digits(return_X_y=True)
    for place in ("found", "elsewhere"):
        if place == "elsewhere":
            monkeypatch.setattr(
                "rbench_plugins.datasets.functions.digits.find_spec", lambda name: None
            )
        for ours, theirs in zip(read_digits(), expected, strict=True):
            assert ours.dtype == theirs.dtype
            assert (ours == theirs).all()


def test_labels_belong_to_their_pixels() -> None:
    data = digits()
    test = memory(data.test)
    assert test.labels is not None
    values, labels = load_digits(return_X_y=True)
    known = {bytes(v.astype(np.uint8)): label for v, label in zip(values, labels, strict=True)}
    for pixels, label in zip(test.pixels, test.labels, strict=True):
        levels = (pixels.double() * 16 / 255).round().byte().numpy()
        assert known[bytes(levels)] == label


def test_moments_are_those_of_the_training_images() -> None:
    data = digits()
    train = memory(data.train).pixels.double() / 255
    assert data.mean[0] == pytest.approx(train.mean().item(), rel=1e-12)
    assert data.std[0] == pytest.approx(train.std(correction=0).item(), rel=1e-12)


def test_two_openings_agree_and_global_random_state_stays() -> None:
    before = torch.get_rng_state()
    numpy = np.random.get_state()[1].copy()
    first, second = digits(), digits()
    assert first.revision == second.revision == digits(img_size=(32, 32)).revision
    assert torch.equal(memory(first.train).pixels, memory(second.train).pixels)
    assert torch.equal(torch.get_rng_state(), before)
    assert (np.random.get_state()[1] == numpy).all()


def test_resized_by_pillows_bicubic_filter() -> None:
    small, large = memory(digits().test), memory(digits(img_size=(32, 24)).test)
    assert large.pixels.shape == (360, 1, 32, 24)
    for index in (0, 359):
        image = Image.fromarray(small.pixels[index, 0].numpy())
        expected = np.asarray(image.resize((24, 32), Image.Resampling.BICUBIC))
        assert (large.pixels[index, 0].numpy() == expected).all()


def test_as_colour_images() -> None:
    data = digits(in_chans=3)
    pixels = memory(data.train).pixels
    assert pixels.shape == (1437, 3, 8, 8)
    assert torch.equal(pixels[:, 0], pixels[:, 2])
    assert len(data.mean) == len(data.std) == data.in_chans == 3


def test_impossible_channels_are_one_clear_line() -> None:
    from rbench_plugins.datasets.memory import channelled

    with pytest.raises(UserError, match=r"images of 3 channels cannot .* --in-chans 4"):
        channelled(torch.zeros(1, 3, 2, 2, dtype=torch.uint8), 4)


def test_augmentation_scales_with_the_size() -> None:
    assert digits().crop_pad == 1
    assert digits(img_size=(32, 32)).crop_pad == 4
    assert digits().hflip == 0  # a mirrored 2 is no 2
