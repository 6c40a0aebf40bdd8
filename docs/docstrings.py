"""Our docstrings use reStructuredText's roles and literal blocks; mkdocstrings reads markdown."""

from __future__ import annotations

import re
from typing import Any

import griffe


class Docstrings(griffe.Extension):
    """Rewrite roles, double backticks and ``::`` before a docstring is rendered."""

    def on_instance(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Called by griffe for each function, class and attribute."""
        if obj.docstring is not None:
            text = re.sub(
                r":(?:mod|class|func|meth|attr|data):`~?([^`]+)`", r"`\1`", obj.docstring.value
            )
            obj.docstring.value = text.replace("``", "`").replace("::\n\n", ":\n\n")
