"""HTML from the package's templates: texts are escaped, a name without a value is an error."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from rbench.errors import printable

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

LONGEST = 400


def render(template: str, **values: Any) -> Markup:
    """The template of that name, filled in; what is not ``Markup`` is escaped."""
    from markupsafe import Markup

    return Markup(_environment().get_template(template).render(values))


def markup(text: str) -> Markup:
    """Text of our own making that is markup already."""
    from markupsafe import Markup

    return Markup(text)


@cache
def _environment() -> Environment:
    # Loaded here: jinja2 is needed only where a page is written.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("rbench.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"line": line, "kind": kind}
    return environment


def line(text: object, limit: int = LONGEST) -> str:
    """One printable line, for a template to escape."""
    return printable(text, limit)


def kind(word: str) -> str:
    """The class of a verdict, for its color."""
    return {"better": "good", "worse": "bad"}.get(word.partition(" (")[0], "even")
