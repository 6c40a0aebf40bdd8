"""A third party's plugin package, written from templates: it installs, runs and passes its test."""

from __future__ import annotations

import keyword
import re
from importlib.resources import files
from pathlib import Path

from rbench.errors import UserError, printable
from rbench.files import write_atomically

_README = """# rbench-NAME

A plugin for rbench. Raise a component's `revision` whenever its numbers change.

```sh
pip install -e '.[test]'
pytest
```
"""
_NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")


def new_plugin(name: str, output: Path | None = None, source: Path | None = None) -> Path:
    """Write the package ``rbench-<name>`` into ``output`` (default: a folder of that name).

    Its module is a copy of ``source``, or an example with a component of every kind and a file of
    their functions.
    UserError if ``source`` cannot be read, the name is not valid for a distribution, or the folder
    exists and is not empty.
    """
    short = name.removeprefix("rbench-").removeprefix("rbench_").replace("_", "-")
    if not _NAME.fullmatch(short) or len(short) > 60 or short == "builtin":
        raise UserError(
            f"'{printable(name, 60)}' is not a valid plugin name: "
            "small letters, digits and single hyphens, such as my-filters"
        )
    prefix = short.replace("-", "_")
    module = f"rbench_{prefix}"
    if keyword.iskeyword(module) or module in ("rbench_plugins", "rbench_registry"):
        raise UserError(f"'{name}' is taken by rbench itself")
    folder = output or Path(f"rbench-{short}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} exists and is not an empty folder")
    try:
        content = "" if source is None else source.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {source}: {printable(error)}") from error
    places = {
        "module.py": f"{module}/__init__.py",
        "functions.py": f"{module}/functions.py",
        "test_contract.py": "tests/test_contract.py",
    }
    words = {"MODULE": module, "PREFIX": prefix, "NAME": short}
    templates = files("rbench.plugin") / "templates" / "plugin"
    texts = {
        template.name.removesuffix(".txt"): template.read_text(encoding="utf-8")
        for template in sorted(templates.iterdir(), key=lambda entry: entry.name)
    }
    if source is not None:
        texts = {**texts, "README.md": _README, "module.py": content}
        del texts["functions.py"]
    for name, text in texts.items():
        if source is None or name != "module.py":
            for word, value in words.items():
                text = text.replace(word, value)
        write_atomically(folder / places.get(name, name), text)
    return folder
