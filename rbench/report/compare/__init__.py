"""Measured against reported: what papers print and claim, compared with records.

``registry/papers/*.toml`` declares a paper; ``rbench compare`` reads it::

    title = "..."
    free = ["model.execution"]       # columns in which runs may differ: costs, not functions

    [[baseline]]                     # which network is which one's plain form, for leaderboards
    model = ["resnet_lc", "resnet_lc_*"]
    becomes = ["resnet_cifar", "resnet_cifar_*"]   # {base}: the value of an option
    same = ["depth", "width"]        # options in which the two agree

    [protocols.low_resolution]       # conditions of the paper's protocol, by name
    "training.epochs" = 75

    [requires.cifar10]               # what runs must show before a claim is judged on them
    metric = "top1"
    chance = 10.0
    above_chance = 10.0              # every arm's mean is above chance by this, at least
    floor = 80.0                     # the best arm's mean reaches this: it has learned
    source = "where the floor comes from"

    [[value]]                        # a number that the paper prints
    id = "table1/cifar10/baseline"
    source = "Table 1"
    metric = "top1"
    value = 91.60
    error = 0.23                     # as printed; n = 4 runs
    n = 4
    where = {model = "resnet_cifar_20_16", dataset = ["cifar10", "image_folder"]}
    minus = {freeze = "spatial"}     # the difference to these runs instead, seed by seed
    at_most = 1.9                    # the paper prints a range; value is its lower end
    protocol = "low_resolution"      # a name from above, or a table of conditions
    paper = {dataset = "cifar10"}    # more conditions of the paper's protocol
    tolerance = 0.5                  # where the paper gives no error
    decides = "highest"              # of several configurations: the highest value, for a limit

    [[claim]]                        # what the paper states in words
    id = "frozen-above-baseline"
    source = "Table 1"
    text = "Frozen LC x128 beats the learnable baseline"
    kind = "order"                   # order ratio equivalence trend slopes
    metric = "top1"
    requires = "cifar10"             # a name from above
    seeds = 2                        # values that each arm needs, at least (2 is the default)
    above = {...}                    # records of either side, of one protocol
    below = {...}
    below_metric = "top5"            # in place of below: another metric of the same runs
    where = {...}                    # trend: records
    x = "model.expansion"            # trend, slopes: metric against this column
    points = 3                       # trend, slopes: places of x, at least (3 is the default)
    direction = "rises"              # trend: rises or falls
    minus = {freeze = "none"}        # of the difference to the records with these instead
    each = ["dataset"]               # one result for each value of these columns
    free = ["model.pooling"]         # more columns in which runs may differ
    exact = true                     # the metric has no spread, or the points decide alone
    holds = "everywhere"             # everywhere (default) or somewhere

A field that the kind does not read is an error. The kinds, each at 5 %:

- ``order``: the mean of ``above`` exceeds that of ``below`` by more than ``at_least`` (0; below 0:
  ``above`` is not behind by more): the 95 % confidence interval of the difference lies above it.
- ``ratio``: ``above`` / ``below`` lies between ``at_least`` and ``at_most``, in logarithms.
- ``equivalence``: two one-sided tests: the two differ by less than ``margin``, or by a ratio less
  than ``at_most``; three seeds or more.
- ``trend``: last minus first differs from 0 in the stated direction, and Spearman's rank
  correlation of the means with ``x`` is 0.8 or more.
- ``slopes``: by a step of ``x`` the metric of ``above`` grows by a larger factor than that of
  ``below`` (``at_least`` times, 1 by default): least-squares slopes of logarithms by seed.

Of the configurations that a value's ``where`` names, the one nearest to the paper's protocol is
compared, then the one with most seeds; with ``decides = "highest"``, for a value that none may
exceed, the nearest with the highest value. A mean may lie from the printed value as far as
Welch's 95 % interval of the difference reaches (the spread of one side stands for that of the
other where a side has one run), or as ``tolerance``. Values and claims without ``protocol`` and
``paper`` have the protocol "not declared".

Runs that differ in a column that is neither in a side's conditions nor in ``x``, ``each`` or
``free`` are not compared; the result names the column. Conditions are those of
:mod:`rbench.spec.conditions`.
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
