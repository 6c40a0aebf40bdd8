"""Help pages whose options and commands stand in panels, as plain text of full-length names."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperGroup

OTHER = "Options"
LAST = {"Output": 1, OTHER: 2}
"""What stands behind the other panels: files and printing, then --help and the like."""


class Command(TyperCommand):
    """A command whose ``--help`` groups its options by their ``rich_help_panel``."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """One section a panel, in the order of their first options."""
        panels: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                panel = getattr(parameter, "rich_help_panel", None)
                panel = panel or ("Arguments" if parameter.param_type_name == "argument" else OTHER)
                panels.setdefault(panel, []).append(record)
        for panel in sorted(panels, key=lambda name: LAST.get(name, 0)):
            with formatter.section(panel):
                formatter.write_dl(panels[panel], col_max=34)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """The examples, line for line."""
        _write_lines(self.epilog, formatter)


class Group(TyperGroup):
    """A group of commands whose ``--help`` groups them by their ``rich_help_panel``."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """One section a panel, commands in the order in which they were registered."""
        panels: dict[str, list[tuple[str, str]]] = {}
        width = max(map(len, self.commands), default=0)
        for name, command in self.commands.items():
            panel: Any = getattr(command, "rich_help_panel", None)
            text = " ".join((command.help or "").split("\n\n")[0].split())
            panels.setdefault(panel or "Commands", []).append((f"{name:<{width}}", text))
        for panel, rows in panels.items():
            with formatter.section(panel):
                formatter.write_dl(rows)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """The last lines, as they are."""
        _write_lines(self.epilog, formatter)


def _write_lines(text: str | None, formatter: Any) -> None:
    if text:
        formatter.write("\n" + text.strip("\n") + "\n")
