"""Changes of a recipe that would have no effect."""

from __future__ import annotations

import pytest

from rbench.errors import UserError
from rbench.plugin.catalog import Catalog
from rbench.spec.resolve import resolve
from rbench.spec.run_spec import RunSpec


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"decay_milestones": [1]}, "decay_milestones has no effect here.* sched = multistep"),
        ({"decay_epochs": 1}, "decay_epochs has no effect here"),
        ({"decay_rate": 0.5}, "decay_rate has no effect here"),
        ({"min_lr": 0.1, "sched": "none"}, "min_lr has no effect here"),
        ({"warmup_epochs": 1, "sched": "none"}, "warmup_epochs has no effect here"),
        ({"warmup_lr": 0.1}, "warmup_lr has no effect here"),
        ({"bce_target_thresh": 0.1}, "bce_target_thresh has no effect here"),
        ({"amp": False, "amp_dtype": "float16"}, "amp_dtype has no effect here"),
        ({"sched": "multistep"}, "needs decay_milestones"),
    ],
)
def test_what_would_have_no_effect_is_refused(given: dict[str, object], message: str) -> None:
    spec = RunSpec.model_validate({"model": "resnet_cifar", "dataset": "digits", "training": given})
    with pytest.raises(UserError, match=message):
        resolve(spec, Catalog.from_environment())


def test_a_recipes_own_fields_may_wait_for_the_ones_that_use_them() -> None:
    """Another schedule than the recipe's leaves its milestones unused, which is no mistake."""
    spec = RunSpec.model_validate(
        {
            "model": "resnet_cifar",
            "dataset": "digits",
            "recipe": "p1_dcn",
            "training": {"sched": "cosine"},
        }
    )
    resolved = resolve(spec, Catalog.from_environment())
    assert resolved.training is not None
    assert resolved.training.decay_milestones == (3, 4)
