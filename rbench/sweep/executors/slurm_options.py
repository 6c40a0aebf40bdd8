"""Options for ``sbatch`` from the command line, a suite's ``[slurm]`` table and the user's file.

::

    [slurm]                        # in ~/.config/rbench.toml, or in a suite
    account = "abc"
    gres = "gpu:1"
    exclusive = true
    setup = ["module load cuda", "source ~/venv/bin/activate"]

Keys are sbatch's own long options. The command line overrides the suite and the suite the file;
``setup`` is replaced as a whole.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rbench.errors import UserError, printable
from rbench.spec import registry

SETUP = "setup"
FLAGS = {
    "time": "--job-minutes",
    "mem": "--job-memory",
    "cpus-per-task": "--job-cpus",
    "partition": "--partition",
}
"""Options of sbatch that rbench has flags of its own for."""
ONLY_FLAGS = ("time", "cpus-per-task")
"""Those whose value rbench must know itself."""
RESERVED = frozenset(
    {
        *("array", "error", "job-name", "nodes", "ntasks", "ntasks-per-node", "open-mode"),
        *("output", "parsable", "requeue", "no-requeue", "signal", "wait", "wrap"),
    }
)
"""Options of sbatch that rbench needs itself."""
WORDS = {
    "account": ("account",),
    "partition": ("partition",),
    "qos": ("qos",),
    "constraint": ("feature", "constraint"),
    "gres": ("gres", "generic resource"),
    "reservation": ("reservation",),
    "licenses": ("license",),
    "time": ("time limit",),
    "mem": ("memory",),
    "cpus-per-task": ("cpu count",),
    "nodelist": ("node name",),
}
"""How sbatch's messages name an option."""


@dataclass(frozen=True)
class SlurmOptions:
    """Options of sbatch, by name, and shell commands at the start of each job."""

    options: dict[str, str | bool]
    setup: tuple[str, ...] = ()

    def merged(self, other: SlurmOptions) -> SlurmOptions:
        """Both; ``other`` overrides, and switches options off by ``false``."""
        return SlurmOptions(self.options | other.options, other.setup or self.setup)

    def switched_on(self) -> SlurmOptions:
        """Without the options that are false."""
        options: dict[str, str | bool] = {
            name: value for name, value in self.options.items() if value is not False
        }
        return SlurmOptions(options, self.setup)


def from_table(table: Mapping[str, Any], where: str) -> SlurmOptions:
    """A ``[slurm]`` table as options. UserError where an entry cannot be one."""
    options: dict[str, str | bool] = {}
    for key, value in table.items():
        if key == SETUP:
            continue
        name = key.replace("_", "-").removeprefix("--")
        if name in ONLY_FLAGS:
            raise UserError(f"{where} {name}: use {FLAGS[name]} instead")
        if name in RESERVED:
            raise UserError(f"{where} {name}: rbench sets this option of sbatch itself")
        if not re.fullmatch(r"[a-z][a-z0-9-]*", name):
            raise UserError(f"{where} '{printable(key)}': expected KEY=VALUE, such as account=abc")
        if isinstance(value, list | tuple):
            value = ",".join(map(str, value))
        if not isinstance(value, str | int | float | bool) or "\n" in str(value) or value == "":
            raise UserError(f"{where} {name} = {printable(repr(value))}: expected one line of text")
        options[name] = value if isinstance(value, bool) else str(value)
    setup = table.get(SETUP, ())
    lines = [setup] if isinstance(setup, str) else setup
    if not isinstance(lines, list | tuple) or not all(isinstance(line, str) for line in lines):
        raise UserError(f"{where} {SETUP}: expected a list of shell commands")
    return SlurmOptions(options, tuple(lines))


def user_file() -> Path:
    """The user's configuration file."""
    base = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(base).expanduser() / "rbench.toml"


def slurm_options(
    given: Mapping[str, Any], setup: Sequence[str], suite: Mapping[str, Any]
) -> SlurmOptions:
    """The user's file, the suite's table and the command line, merged in this order.

    UserError where an entry cannot be an option of sbatch.
    """
    path = user_file()
    file = registry.read_file(path) if path.exists() else {}
    table = file.get("slurm", {})
    if not isinstance(table, dict):
        raise UserError(f"{path}: [slurm] is not a table")
    merged = from_table(table, f"{path}: [slurm]")
    merged = merged.merged(from_table(suite, "the suite's [slurm]"))
    typed = from_table({**given, **({SETUP: setup} if setup else {})}, "--slurm")
    return merged.merged(typed).switched_on()


def refusal(message: str, options: Mapping[str, Any], flags: Mapping[str, Any]) -> str:
    """sbatch's own line of a refusal, with the options that it is about.

    ``flags`` are values of options that have a flag of rbench's own, by sbatch's name.
    """
    lines = [
        line.removeprefix("sbatch: ").removeprefix("error: ")
        for line in message.strip().splitlines()
    ]
    reasons = [line for line in lines if line and not line.startswith("Try ")]
    # The last line is the reason; one before it may be the only one to name the option.
    said = printable(reasons[-1] if reasons else message)
    text = " ".join(reasons).lower()
    named = []
    for name, value in [*options.items(), *flags.items()]:
        words = (*WORDS.get(name, ()), f"--{name}", f"'{name}'")
        if value is not None and any(word in text for word in words):
            given = FLAGS[name] + f" {value}" if name in flags else f"--slurm {name}"
            named.append(given if name in flags or value is True else f"{given}={value}")
    return f"{said} ({', '.join(named)})" if named else said
