"""Where a run happened: versions, hardware, precision, plugins, commit; never a machine's name."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import JsonValue

from rbench import hardware
from rbench.plugin.source import packages_of

if TYPE_CHECKING:
    from accelerate import Accelerator

    from rbench.plugin.loading import Plugins

PACKAGES = (
    "rbench",
    "torch",
    "torchvision",
    "timm",
    "accelerate",
    "torchattacks",
    "torchmetrics",
    "numpy",
)


def describe(
    accelerator: Accelerator, precision: str, plugins: Plugins | None = None
) -> dict[str, JsonValue]:
    """What a record keeps of its environment."""
    import torch

    facts: dict[str, JsonValue] = {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": hardware.cpu_name(),
        "cores": hardware.cores(),
        "threads": torch.get_num_threads(),
        "device": accelerator.device.type,
        "processes": accelerator.num_processes,
        "precision": precision,
        "packages": {name: _version(name) for name in PACKAGES},
        "modules": {name: imported_from(name) for name in _modules(plugins)},
    }
    if accelerator.device.type == "cuda":
        facts["gpu"] = torch.cuda.get_device_name(accelerator.device)
        facts["cuda"] = torch.version.cuda
    return facts


def imported_from(module: str) -> str | None:
    """The file that a module was imported from, without the folders that name a machine.

    ``site-packages/timm/__init__.py`` for an installed module, and ``not installed:
    timm/__init__.py`` for one from another place, such as a checkout or the working directory.
    """
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None:
        return None
    parts = Path(file).parts
    for folder in ("site-packages", "dist-packages"):
        if folder in parts:
            return "/".join(parts[parts.index(folder) :])
    depth = 1 + module.count(".") + (parts[-1] == "__init__.py")
    return f"not installed: {'/'.join(parts[-depth:])}"


def _modules(plugins: Plugins | None) -> list[str]:
    """torch, timm and the modules of all plugins."""
    values = [plugin.value.split(":")[0] for plugin in plugins.plugins] if plugins else []
    return ["torch", "timm", *dict.fromkeys(values)]


def plugin_versions(plugins: Plugins, loose: Mapping[str, str]) -> dict[str, str]:
    """``{plugin: "distribution version"}`` of the plugins that loaded, and digests of ``loose``
    files and functions."""
    return {f"{name}": f"sha256 {sha256}" for name, sha256 in loose.items()} | {
        plugin.name: f"{plugin.distribution} {plugin.version}".strip()
        for plugin in plugins.plugins
        if plugin.status == "loaded"
    }


def releases(components: Mapping[str, object], plugins: Plugins) -> dict[str, str]:
    """``{"metric mine": "rbench-mine 1.0"}``: the releases of components that others wrote."""
    known = {
        plugin.value.split(":")[0].split(".")[0]: f"{plugin.distribution} {plugin.version}".strip()
        for plugin in plugins.plugins
    }
    found = {name: packages_of(component) & known.keys() for name, component in components.items()}
    return {name: known[min(packages)] for name, packages in found.items() if packages}


@cache
def git_commit() -> str | None:
    """The commit of rbench's own checkout, with a + where the tree has changes; or None."""
    here = Path(__file__).parents[2]
    if not (here / ".git").exists():
        return None
    try:
        commit = _git(here, "rev-parse", "HEAD")
        return commit + ("+" if _git(here, "status", "--porcelain", "-uno") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True, timeout=10
    ).stdout.strip()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
