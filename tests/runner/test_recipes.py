from __future__ import annotations

import pytest
import torch
from torch import nn

from rbench.plugin.recipe import Training
from rbench.runner.optimizer import make_scheduler
from rbench.spec import registry
from tests.runner.test_training import recipe


@pytest.mark.parametrize("milestones", [(2,), (1, 3)])
def test_multistep_drops_with_the_first_step_of_a_milestones_epoch(
    milestones: tuple[int, ...],
) -> None:
    training = recipe(sched="multistep", decay_milestones=milestones, epochs=4, decay_rate=0.5)
    ours = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=training.lr)
    theirs = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=training.lr)
    steps = 5
    scheduler = make_scheduler(ours, training, steps)
    reference = torch.optim.lr_scheduler.MultiStepLR(theirs, [m * steps for m in milestones], 0.5)
    for step in range(4 * steps):
        scheduler.step_update(step)
        assert ours.param_groups[0]["lr"] == pytest.approx(theirs.param_groups[0]["lr"]), step
        theirs.step()
        reference.step()


def test_a2_has_the_fields_of_timms_published_command() -> None:
    """ResNet strikes back, table 2, and the command lines of repositories that repeat it."""
    training = Training.model_validate(registry.read("recipes", "a2")["training"])
    published = {
        "epochs": 300,
        "batch_size": 2048,
        "opt": "lamb",
        "lr": 5e-3,
        "weight_decay": 0.02,
        "sched": "cosine",
        "warmup_epochs": 5,
        "warmup_lr": 1e-4,
        "bce_loss": True,
        "bce_target_thresh": 0.2,
        "smoothing": 0.0,
        "mixup": 0.1,
        "cutmix": 1.0,
        "aa": "rand-m7-mstd0.5-inc1",
        "aug_repeats": 3,
        "reprob": 0.0,
        "drop_path": 0.05,
        "hflip": 0.5,
        "channels_last": True,
    }
    assert {name: getattr(training, name) for name in published} == published


def test_lowres_is_the_recipe_of_p2s_appendix() -> None:
    """The random crop and flip are the datasets' own; the paper names no precision."""
    training = Training.model_validate(registry.read("recipes", "lowres")["training"])
    published = Training(
        epochs=75,
        batch_size=256,
        opt="sgd",  # timm's, with Nesterov momentum
        momentum=0.9,
        lr=1e-2,
        sched="cosine",
        min_lr=0.0,
        warmup_epochs=0,
        weight_decay=1e-2,
        filter_bias_and_bn=False,
        smoothing=0.1,
        keep="last",
        hflip=None,
        crop_pad=None,
        amp=False,
    )
    assert training.model_dump() == published.model_dump()


def test_p1_dcn_is_adam_for_the_papers_200_000_steps() -> None:
    """The paper prints no milestones of its "multistep"; those here are the recipe's own."""
    training = Training.model_validate(registry.read("recipes", "p1_dcn")["training"])
    published = Training(
        epochs=round(200_000 * 32 / 1_281_167),
        batch_size=32,
        opt="adam",
        opt_betas=(0.9, 0.999),
        lr=1e-4,
        sched="multistep",
        decay_milestones=(3, 4),
        decay_rate=0.1,
        warmup_epochs=0,
        weight_decay=4e-4,
        filter_bias_and_bn=False,
        smoothing=0.0,
        keep="last",
        hflip=0.0,
        crop_pad=0,
        amp=False,
    )
    assert training.model_dump() == published.model_dump()


def test_a_newer_field_is_part_of_the_identity_only_where_it_is_set() -> None:
    plain = recipe().identity()
    assert "bce_target_thresh" not in plain
    assert recipe(bce_loss=True, bce_target_thresh=0.2).identity()["bce_target_thresh"] == 0.2
    assert "multistep_revision" not in plain
    assert recipe(sched="multistep", decay_milestones=(1,)).identity()["multistep_revision"] == 2
