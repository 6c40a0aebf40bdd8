"""The picture of the engine's imports, made from its source."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import rbench

ROOMS = (
    *("errors", "seeds", "hardware", "files", "records", "plugin", "spec"),
    *("network", "report", "runner", "sweep", "api", "cli", "testing"),
)
"""From what imports nothing to what is imported by nothing."""
CELL, LEFT, TOP = 44, 150, 96


def imports() -> Counter[tuple[str, str]]:
    """How many import statements of one room (or module) name another, (importer, imported)."""
    source = Path(rbench.__file__).parent
    found: Counter[tuple[str, str]] = Counter()
    for path in source.rglob("*.py"):
        room = path.relative_to(source).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [node.module]
            for name in names:
                parts = name.split(".")
                if len(parts) == 1 or parts[0] != "rbench" or parts[1] == room:
                    continue
                if room in ROOMS and parts[1] in ROOMS:
                    found[room, parts[1]] += 1
    return found


def picture() -> str:
    """An SVG: a row for each importer, a column for each imported room."""
    found = imports()
    side = CELL * len(ROOMS)
    width, height = LEFT + side + 8, TOP + side + 8
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="14">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for place, room in enumerate(ROOMS):
        middle = CELL * place + CELL // 2
        lines.append(f'<text x="{LEFT - 8}" y="{TOP + middle + 5}" text-anchor="end">{room}</text>')
        lines.append(
            f'<text transform="translate({LEFT + middle + 5},{TOP - 8}) rotate(-60)">{room}</text>'
        )
        for column, other in enumerate(ROOMS):
            count = found[room, other]
            shade = "#444" if room == other else "#7986cb" if count else "#f2f2f2"
            x, y = LEFT + CELL * column, TOP + CELL * place
            lines.append(
                f'<rect x="{x}" y="{y}" width="{CELL - 2}" height="{CELL - 2}" fill="{shade}"/>'
            )
            if count:
                lines.append(
                    f'<text x="{x + CELL // 2 - 1}" y="{y + CELL // 2 + 4}" '
                    f'text-anchor="middle">{count}</text>'
                )
    return "\n".join([*lines, "</svg>", ""])
