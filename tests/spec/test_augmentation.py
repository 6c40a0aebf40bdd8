"""A wrong --aa is told before anything starts; timm's own strings pass."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import timm.data.auto_augment as timms

from rbench.errors import UserError
from rbench.spec.augmentation import check_augmentation
from tests.conftest import Rbench

KNOWN = ["rand-m9-mstd0.5-inc1", "rand-m7", "original-mstd0.5", "originalr", "v0", "v0r", "3a"]


@pytest.mark.parametrize("aa", [*KNOWN, "augmix-m5-w4-d2"])
def test_what_timm_takes(aa: str) -> None:
    check_augmentation(aa)
    hparams = {"translate_const": 100, "img_mean": (128, 128, 128)}
    kinds = (timms.rand_augment_transform, timms.augment_and_mix_transform)
    make = kinds[aa.startswith("augmix")] if aa[0] in "ra" else timms.auto_augment_transform
    make(aa, hparams)


@pytest.mark.parametrize("aa", ["nonsense", "rand-x9", "augmix-z3", "v1"])
def test_what_it_does_not_take(aa: str) -> None:
    with pytest.raises(UserError, match=f"--aa {aa}: timm does not know this augmentation"):
        check_augmentation(aa)


def test_every_command_tells_before_it_starts(rbench: Rbench, tmp_path: Path) -> None:
    suite = tmp_path / "suite.toml"
    suite.write_text('name = "s"\nsummary = "S."\nbase = {model = "test_resnet", aa = "rand-x9"}\n')
    commands = [
        ("run", "--model", "test_resnet", "--aa", "rand-x9"),
        ("run", "--model", "test_resnet", "--aa", "rand-x9", "--dry-run"),
        ("plan", str(suite)),
        ("sweep", str(suite)),
    ]
    for words in commands:
        done = rbench(*words)
        text = done.stderr + done.stdout
        assert "--aa rand-x9: timm does not know this augmentation" in text, words
        assert "Traceback" not in text
        assert done.returncode in ((1, 2) if words[0] in ("plan", "sweep") else (2,)), text


def test_it_needs_no_torch() -> None:
    script = (
        "import sys\nfrom rbench.spec.augmentation import check_augmentation\n"
        "check_augmentation('rand-m9')\nassert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
