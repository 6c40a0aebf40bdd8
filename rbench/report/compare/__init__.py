"""Measured against reported: what papers print and claim, held against records.

``registry/papers/*.toml`` declares a paper; ``rbench compare`` reads it::

    title = "..."
    [[baseline]]                     # which network is which one's plain form, for leaderboards
    model = 'resnet_lc(_.*)?'        # regular expressions for names
    becomes = 'resnet_cifar(_.*)?'
    same = ["depth", "width"]        # options in which the two agree

    [protocols.low_resolution]       # conditions of the paper's protocol, by name
    "training.epochs" = 75

    [[value]]                        # a number that the paper prints
    id = "table1/cifar10/baseline"
    source = "Table 1"
    metric = "top1"
    value = 91.60
    error = 0.23                     # as printed; n = 4 runs
    n = 4
    where = {model = "resnet_cifar_20_16", dataset = ["cifar10", "image_folder"]}
    protocol = "low_resolution"      # a name from above, or a table of conditions
    paper = {dataset = "cifar10"}    # more conditions of the paper's protocol
    tolerance = 0.5                  # where the paper gives no error

    [[claim]]                        # an ordering or a trend
    id = "frozen-above-baseline"
    source = "Table 1"
    text = "Frozen LC x128 beats the learnable baseline"
    kind = "order"                   # order tie trend
    metric = "top1"
    above = {...}                    # order, tie: records of either side, of one protocol
    below = {...}
    at_least = 0.0                   # order: smallest difference; tie: margin
    where = {...}                    # trend: records
    x = "model.expansion"            # trend: metric against this column
    direction = "rises"              # trend: rises or falls
    minus = {freeze = "none"}        # of the difference to the records with these instead
    each = ["dataset"]               # columns that must agree; one result for each of their values
    holds = "everywhere"             # everywhere (default) or somewhere

Conditions name columns of ``rbench.load``; a value is a text (``*`` and ``?`` are wildcards), a
number, a comparison such as ``">=8"``, or a list of alternatives.
"""

from __future__ import annotations

from rbench.report.compare.declaration import Paper, baselines, papers, reported_value
from rbench.report.compare.report import Report, report
from rbench.report.compare.text import to_html, to_json, to_markdown, to_summary

__all__ = [
    "Paper",
    "Report",
    "baselines",
    "papers",
    "report",
    "reported_value",
    "to_html",
    "to_json",
    "to_markdown",
    "to_summary",
]
