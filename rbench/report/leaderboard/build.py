"""The generated files of a leaderboard: made from records, written, held against the disk."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from rbench.errors import UserError
from rbench.files import write_atomically
from rbench.report.leaderboard.entries import Table
from rbench.report.leaderboard.page import Part, Picture, part, to_html
from rbench.report.leaderboard.page_data import Environments
from rbench.report.leaderboard.parallel import side_by_side
from rbench.report.leaderboard.stats import t_quantile
from rbench.report.leaderboard.table_csv import to_csv
from rbench.report.leaderboard.table_markdown import in_short, to_markdown

PAGE = "index.html"
FIRST = "first.md"
"""The table of the best protocol in short."""
TABLES = "tables"
FIGURES = "figures"
INDEX = "index.json"
"""In the folder of figures: what each file shows. ``rbench plot`` writes it."""
MANY = 5000
"""Records from which on the tables are made by several processes."""
_MEDIA = {".svg": "image/svg+xml", ".png": "image/png", ".webp": "image/webp"}


def build(
    tables: Sequence[Table],
    records: str = "",
    pictures: Sequence[Picture] = (),
    extra: str = "",
    docs: str = "",
) -> dict[str, str]:
    """Every generated file, by its path inside the leaderboard's folder.

    ``records`` is the path from there to the records, with a slash at the end. The same set of
    records gives the same bytes.
    """
    environments = Environments(tables)

    def make(table: Table) -> tuple[Part, str, str]:
        return part(table, records, environments), to_csv([table]), to_markdown([table])

    sizes = [table.records for table in tables]
    if sum(sizes) > MANY:
        # Imports scipy, once for all.
        t_quantile(1.0)
    made = side_by_side(make, tables, sizes) if sum(sizes) > MANY else [make(t) for t in tables]
    parts = [page for page, _, _ in made]
    files = {PAGE: to_html(tables, records, pictures, extra, made=parts, docs=docs)}
    if tables:
        files[FIRST] = in_short(tables[0])
    for table, (_, csv, markdown) in zip(tables, made, strict=True):
        files[f"{TABLES}/{table.slug}.csv"] = csv
        files[f"{TABLES}/{table.slug}.md"] = markdown
    return files


def write(folder: Path, files: dict[str, str]) -> None:
    """Write the files and remove tables of protocols that have no record any more."""
    for name, text in files.items():
        path = folder / name
        if not path.is_file() or path.read_bytes() != text.encode():
            write_atomically(path, text)
    for name in _left_over(folder, files):
        (folder / name).unlink()


def stale(folder: Path, files: dict[str, str]) -> list[str]:
    """Generated files that are missing, left over, or other than the records say.

    The page's script comes from a package and may differ by its version; the rest may not.
    """
    wrong = []
    for name, text in files.items():
        try:
            found = (folder / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            wrong.append(name)
            continue
        if _without_script(found) != _without_script(text):
            wrong.append(name)
    return sorted([*wrong, *_left_over(folder, files)])


def between(folder: Path, records: Path) -> str:
    """The path from the page to the records, with a slash; empty where there is none."""
    try:
        path = os.path.relpath(records.resolve(), folder.resolve()).replace(os.sep, "/")
    except ValueError:
        return ""
    return "./" if path == "." else f"{path}/"


def documentation(folder: Path) -> str:
    """The path from the page to the documentation beside its folder; empty where there is none."""
    return "../docs/index.md" if (folder.resolve().parent / "docs/index.md").is_file() else ""


def read_pictures(folder: Path) -> list[Picture]:
    """The figures that ``rbench plot`` left in ``folder``, in its index's order."""
    index = folder / INDEX
    if not index.is_file():
        return []
    try:
        entries = json.loads(index.read_text(encoding="utf-8"))
        found = []
        for entry in entries:
            path = folder / str(entry["file"])
            if path.parent != folder or path.suffix not in _MEDIA or not path.is_file():
                continue
            media = _MEDIA[path.suffix]
            name, title, suite = (str(entry.get(key, "")) for key in ("name", "title", "suite"))
            front, said = entry.get("front"), tuple(map(str, entry.get("findings", ())))
            front = front if isinstance(front, int) else None
            found.append(Picture(name, title, media, path.read_bytes(), suite, front, said))
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(f"{index} is not an index of figures; run rbench plot again") from error
    return found


def _left_over(folder: Path, files: Iterable[str]) -> list[str]:
    if not (folder / TABLES).is_dir():
        return []
    ours = re.compile(r"[A-Za-z0-9-]+\.(csv|md)")
    known = set(files)
    names = (f"{TABLES}/{name}" for name in os.listdir(folder / TABLES) if ours.fullmatch(name))
    return sorted(name for name in names if name not in known)


def _without_script(text: str) -> str:
    text = re.sub(r"(?s)<script type=module>.*?</script>", "", text)
    return re.sub(r"script-src 'sha256-[^']*'", "", text)
