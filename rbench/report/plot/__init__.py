"""Figures from records alone, as suites declare them.

A suite's TOML file holds any number of ``[[figure]]`` tables; ``rbench plot SUITE`` draws each
from the suite's records (matplotlib; SVG, or PNG where it shows pixels)::

    [[figure]]
    name = "fig4-accuracy"              # file name; letters, digits, dash, dot, underscore
    title = "CIFAR-10, ResNet-LC-20-16xE"
    kind = "curve"                      # curve bars strip scatter history heatmap matrix pictures
    x = "model.expansion"               # a column, see below
    y = "top1"
    series = "freeze"                   # one line or color for each value (a column, or a list)
    panel = "dataset"                   # one panel for each value (optional)
    where = {freeze = ["none", "spatial"]}   # conditions: records that are drawn (optional)
    error = "std"                       # std (default), sem, ci (95 %), none: over seeds
    xscale = "log2"                     # linear (default), log, log2; yscale likewise
    xlabel = "E"                        # ylabel likewise; default: the column and its unit
    labels = {none = "learnable", spatial = "frozen random"}   # words for values
    # of a series of several columns also for all its values: {"rwvgg, normal" = "random"},
    # without those that a network has not
    order = ["none", "spatial"]         # order of the series; without a value first, others last
    width = "column"                    # column (89 mm, default) or page (183 mm)
    front = 1                           # the leaderboard's page begins with the lowest of these
    findings = ["Frozen filters reach {frozen random @ 64} and {baseline}."]   # and these sentences

    [[figure.reference]]                # horizontal lines with a band, any number
    label = "baseline"
    where = {model = "resnet_20_16", freeze = "none"}   # mean and error of these records
    # or: value = 91.6  and  error = 0.23
    # or: reported = "p2:table1/cifar10/baseline"        # from registry papers/p2.toml

    [[figure.reported]]                 # points that a paper prints, drawn hollow
    label = "paper, frozen"
    x = [1, 8, 64, 128]
    y = [61.28, 71.30, 72.46, 72.31]
    error = [0, 0, 0, 0]                # optional

**Columns** are those of ``rbench.load``: ``model init freeze task dataset seed`` and
``model.<option> init.<option> task.<option> dataset.<option> training.<field>``, ``limit``,
``learnable_parameters frozen_parameters seconds images_per_second peak_memory_bytes``, a metric's
name (``top1``; ``fgsm`` is the first that begins with ``fgsm@``), and ``details.<path>``,
``metrics.<name>.details.<path>``, ``history.<name>`` for what the record keeps besides. Keys may
also be written as in a spec (``model_kwargs.expansion``). ``freeze`` is the policy, several
joined by ``+``. Records that lack a column that a figure names are left out of it. Conditions are
those of :mod:`rbench.spec.conditions`: ``where = {column = "none"}`` keeps records without it.

**Differences**: ``minus = {freeze = "none"}`` draws y minus the y of the records that agree in x,
series and panel but have these values instead, seed by seed where both have the seed
(an accuracy gap: ``where = {freeze = "spatial"}``, ``minus = {freeze = "none"}``;
``sign = -1`` turns it round).

**Findings** are sentences with values of the figure's points: ``{label}`` is mean and spread of a
series (its highest point) or of a reference line, ``{label @ 64}`` that at x = 64, ``{label:x}``
where it is. A sentence with a value that no record has is left out.

**Kinds**

- ``curve``: mean of y over seeds against x with error bars; ``slope = -0.5`` adds a guide line of
  that slope on log scales, ``fit = true`` writes each line's least-squares slope of log y on
  log x into the legend. y may be a list of columns: a dash each, or a color each where there
  is one series. x may be text: first what ``xorder`` lists, in its order, then numbers, then
  texts in alphabetical order.
  ``best = true`` rings the best point of each series and warns where it lies at an end of x.
- ``bars``: the same as grouped bars.
- ``strip``: a place for each series, without x: the value of each seed as a circle, beside them
  their mean with its error bar. The axis begins near the smallest value, so that differences
  that bars from zero hide can be seen.
- ``scatter``: one point a record.
- ``history``: curves over epochs, of the loss or of what ``--eval-every`` measured
  (``history.train_loss``, ``history.top1@val``): y is ``history.<name>`` (or a list of them: one
  line style each), drawn against its index, mean and band over seeds; ``smooth = 50`` averages
  neighbors. ``xlabel`` says what an index is.
- ``heatmap``: x and y are columns, ``value`` is the column averaged in each field.
- ``matrix``: ``value`` is the path of a list of lists (or of numbers, whose length is a square),
  averaged over seeds; a panel each, laid out by ``panel`` and ``series``.
- ``pictures``: a grid of the records' pictures: ``rows`` and ``columns`` are columns,
  ``picture = "*before_after*"`` is a pattern for the file's name or its caption,
  ``caption = "ssim"`` a metric written below each. Of several seeds the smallest is shown, or
  with ``nearest = "ssim"`` the one nearest to the mean of that metric. ``first = 4`` shows so
  many of a record's matching pictures side by side.

A suite with a ``[tune]`` table needs no declaration for its tuning: each tuned option gets a
figure of the validation score against it, a line for each configuration (the column ``arm``),
unless a declared figure has that option as its x.

A declaration with an unknown field is an error with the nearest valid name, and so is a field
that its kind does not read; a figure without records is named and skipped. Points of several
protocols are never averaged: of each point the protocol that most of the figure's records share
is drawn, and the rest is reported.
"""

from __future__ import annotations

from rbench.report.plot.declaration import Figure, figures
from rbench.report.plot.drawing import Drawn, draw
from rbench.report.plot.points import Item, items

__all__ = ["Drawn", "Figure", "Item", "draw", "figures", "items"]
