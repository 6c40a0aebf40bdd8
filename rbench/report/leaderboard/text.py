"""Text for spreadsheets, markdown and pages, and numbers for people."""

from __future__ import annotations

import html
import math
import re

from rbench.errors import printable
from rbench.report.leaderboard.stats import Summary

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠", "'")
LARGE = 1e4
"""From here on a number is written in thousands, millions and so on."""
SIZES = {"T": 1e12, "G": 1e9, "M": 1e6, "k": 1e3}
SYMBOLS = {"bytes": "B", "FLOP": "FLOP"}
"""Units that follow a number's size: 81.6 MFLOP."""
_MARKDOWN = re.compile(r"([\\`*_\[\]|~#])")


def cell(text: object, limit: int = 2000) -> str:
    """One line that no spreadsheet takes for a formula; :func:`uncell` gives the text back."""
    line = printable(text, limit)
    return f"'{line}" if line.startswith(_FORMULA) else line


def uncell(text: str) -> str:
    """What :func:`cell` was given, control characters apart."""
    return text[1:] if text.startswith("'") else text


def markdown(text: object, limit: int = 120) -> str:
    """One line that markdown shows as it is, inside a table too."""
    line = html.escape(printable(text, limit), quote=False)
    line = _MARKDOWN.sub(r"\\\1", line)
    return re.sub(r"(?i)\b(https?|ftp|www)(:|\.)", r"\1&#8203;\2", line).replace("@", "&#64;")


def escape(text: object, limit: int = 400) -> str:
    """One line for HTML text and quoted attributes."""
    return html.escape(printable(text, limit), quote=True)


def number(value: float | None, decimals: int | None = None) -> str:
    """A number as people read it: fixed decimals, or four digits, above 10,000 ``2.09 M``."""
    if value is None:
        return "–"
    if decimals is not None:
        text = f"{value:.{decimals}f}"
    elif abs(value) >= LARGE:
        text = count(value)
    elif value != 0 and abs(value) < 1e-3:
        text = _power(f"{value:.2e}")
    else:
        text = f"{value:,.0f}" if float(value).is_integer() else f"{value:.4g}"
    return text.replace("-", "−")


def decimals(summary: Summary | None, unit: str) -> int | None:
    """How many decimals a mean deserves: two significant digits of its spread."""
    if summary is None or abs(summary.mean) >= LARGE:
        return None
    if unit == "%":
        return 2
    if not summary.std:
        return None
    digits = 1 - math.floor(math.log10(summary.std))
    return max(0, min(digits, 4)) if digits <= 5 else None


def mean_and_spread(summary: Summary | None, unit: str = "") -> str:
    """``98.91 ± 0.12``: mean and standard deviation over seeds; the mean alone for one seed.

    The mean alone, too, where all seeds agree in a number that is not a percentage, such as
    parameters. A share that is 0 or 100 % in every seed has Wilson's interval in brackets.
    """
    if summary is None:
        return "–"
    places = decimals(summary, unit)
    mean = number(summary.mean, places)
    symbol = SYMBOLS.get(unit.partition("/")[0], "")
    if symbol and abs(summary.mean) >= LARGE:
        mean = f"{count(summary.mean)}{symbol}"
    if summary.ends is not None:
        low, high = summary.ends
        return f"{number(summary.mean)} [{number(low, 1)}, {number(high, 1)}]"
    if summary.std is None or (summary.std == 0 and unit != "%"):
        return mean
    if abs(summary.mean) >= LARGE and summary.std:
        # Both in the unit of the mean: 1.73 ± 0.11 G.
        suffix = count(summary.mean).rpartition(" ")[2]
        size = SIZES[suffix]
        digits = max(0, min(2, 1 - math.floor(math.log10(summary.std / size))))
        spread = f"{summary.std / size:.{digits}f}"
        if not float(spread):
            return f"{mean} ± {number(summary.std)}"
        return f"{summary.mean / size:.{digits}f} ± {spread} {suffix}{symbol}"
    spread = number(summary.std, places)
    if summary.std and not float(f"{summary.std:.{places or 0}f}"):
        # Smaller than the decimals show.
        spread = _power(f"{summary.std:.0e}") if summary.std < 1e-3 else f"{summary.std:.1g}"
    return f"{mean} ± {spread}"


def quantity(summary: Summary | None, unit: str) -> str:
    """:func:`mean_and_spread` with its unit: ``98.91 ± 0.12 %``, ``81.6 MFLOP/image``."""
    text = mean_and_spread(summary, unit)
    name, slash, per = unit.partition("/")
    if (symbol := SYMBOLS.get(name)) and text.endswith(symbol):
        return f"{text}{slash}{per}"
    return f"{text} {unit}".rstrip()


def _power(text: str) -> str:
    """``3e-06`` -> ``3e−6``."""
    return re.sub(r"e-0*", "e−", text)


def count(value: float | None) -> str:
    """1234567 -> 1.23 M, 4778 -> 4,778."""
    if value is None:
        return "–"
    if abs(value) < LARGE:
        return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.4g}"
    for suffix, size in SIZES.items():
        # What rounds to a thousand of a size is one of the next.
        if abs(value) >= 0.9995 * size:
            return f"{value / size:.3g} {suffix}"
    raise AssertionError(value)


def duration(seconds: float) -> str:
    """Seconds, minutes or hours."""
    if seconds < 100:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < 6000 else f"{seconds / 3600:.3g} h"
