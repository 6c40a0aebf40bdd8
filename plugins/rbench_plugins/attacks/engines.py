"""The attacks themselves, by torchattacks or foolbox: (images, labels) -> adversarial images.

Images are (B, C, H, W) float32 in [0, 1], labels (B,) int64. Both libraries draw from torch's
global generator: call the attacks inside :func:`rbench.global_seed`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torchattacks
from torch import Tensor, nn

from rbench import UserError

Attack = Callable[[Tensor, Tensor], Tensor]
Engine = Literal["torchattacks", "foolbox"]

TARGETS = 9
"""AutoAttack targets at most the nine most likely wrong classes."""
SMALLEST = 4
"""The targeted loss (DLR) divides by a difference of the four largest logits."""


def fgsm(classifier: nn.Module, epsilon: float, engine: Engine = "torchattacks") -> Attack:
    """One step of ``epsilon`` along the sign of the loss's gradient (Goodfellow et al. 2015)."""
    if engine == "torchattacks":
        return torchattacks.FGSM(classifier, eps=epsilon)
    foolbox = _foolbox("fgsm")
    return _with_foolbox(classifier, foolbox.attacks.LinfFastGradientAttack(), epsilon)


def pgd(
    classifier: nn.Module, epsilon: float, step: float, steps: int, engine: Engine = "torchattacks"
) -> Attack:
    """``steps`` steps of ``step`` from a random start, projected each time (Madry et al. 2018)."""
    if engine == "torchattacks":
        return torchattacks.PGD(classifier, eps=epsilon, alpha=step, steps=steps)
    foolbox = _foolbox("pgd")
    attack = foolbox.attacks.LinfProjectedGradientDescentAttack(abs_stepsize=step, steps=steps)
    return _with_foolbox(classifier, attack, epsilon)


def autoattack(
    classifier: nn.Module, epsilon: float, classes: int, steps: int, queries: int, seed: int
) -> list[Attack]:
    """AutoAttack's standard version: APGD-CE, targeted APGD-DLR, targeted FAB, Square.

    torchattacks' own ``AutoAttack`` takes 10 steps where the paper takes 100 (Croce and Hein
    2020, section 6.1), so its parts are put together here. With fewer than four classes the DLR
    loss does not exist, and the targeted APGD is left out.
    """
    targets = min(TARGETS, classes - 1) + 1
    attacks: list[Any] = [torchattacks.APGD(classifier, eps=epsilon, steps=steps, seed=seed)]
    if classes >= SMALLEST:
        attacks.append(
            torchattacks.APGDT(classifier, eps=epsilon, steps=steps, seed=seed, n_classes=targets)
        )
    attacks += [
        torchattacks.FAB(
            classifier, eps=epsilon, steps=steps, seed=seed, n_classes=targets, multi_targeted=True
        ),
        torchattacks.Square(classifier, eps=epsilon, n_queries=queries, seed=seed),
    ]
    return attacks


def _foolbox(metric: str) -> Any:
    try:
        import foolbox  # an optional package
    except ImportError as error:
        raise UserError(
            f"{metric}'s engine foolbox is not installed; try: pip install 'rbench[foolbox]'"
        ) from error
    return foolbox


def _with_foolbox(classifier: nn.Module, attack: Any, epsilon: float) -> Attack:
    foolbox = _foolbox("attack")

    def run(images: Tensor, labels: Tensor) -> Tensor:
        model = foolbox.PyTorchModel(classifier, bounds=(0, 1), device=images.device)
        _, clipped, _ = attack(model, images, labels, epsilons=epsilon)
        return clipped

    return run
