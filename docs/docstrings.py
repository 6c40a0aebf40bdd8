"""Our docstrings use reStructuredText's roles and literal blocks; mkdocstrings reads markdown."""

from __future__ import annotations

import ast
import re
from contextlib import suppress
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

    def on_attribute_instance(self, *, attr: griffe.Attribute, **kwargs: Any) -> None:
        """Show a model's field by its plain type and its description."""
        annotation, value = attr.annotation, attr.value
        if (
            isinstance(annotation, griffe.ExprSubscript)
            and annotation.canonical_name == "Annotated"
        ):
            inner = annotation.slice
            attr.annotation = inner.elements[0] if isinstance(inner, griffe.ExprTuple) else inner
        if isinstance(value, griffe.ExprCall) and value.canonical_name == "Field":
            for argument in value.arguments:
                if isinstance(argument, griffe.ExprKeyword) and argument.name == "description":
                    with suppress(ValueError, SyntaxError):
                        text = str(ast.literal_eval(str(argument.value)))
                        attr.docstring = attr.docstring or griffe.Docstring(text, parent=attr)
