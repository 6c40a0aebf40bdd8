"""Many comparisons: Holm by statsmodels, ranks by brute force and by simulation."""

from __future__ import annotations

import random
from itertools import combinations

import numpy as np
import pytest
from scipy.stats import ttest_ind, ttest_rel
from statsmodels.stats.multitest import multipletests

from rbench.report.leaderboard import from_records, make_tables
from rbench.report.leaderboard import multiplicity as counted
from rbench.report.leaderboard.stats import Sample, difference, summarize
from rbench.report.leaderboard.table_csv import from_csv, to_csv
from rbench.report.leaderboard.table_markdown import side_by_side, to_markdown
from tests.helpers.synthetic_records import record


def samples(seed: int, count: int, n: int = 5, step: float = 0.5) -> list[Sample]:
    draw = random.Random(seed)
    return [
        Sample({one: draw.gauss(step * place, 1) for one in range(n)}) for place in range(count)
    ]


def test_holm_by_hand_and_by_statsmodels() -> None:
    # 4 x 0.005, 3 x 0.01, 2 x 0.03, and never below what came before.
    assert counted.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert counted.holm([]) == []
    draw = random.Random(5)
    for count in (1, 2, 7, 50):
        p = [round(draw.random() ** 3, 2) for _ in range(count)]
        wanted = multipletests(p, method="holm")[1]
        assert counted.holm(p) == pytest.approx(wanted.tolist(), abs=1e-15)


def test_pairs_are_tested_as_single_differences_are() -> None:
    given = samples(1, 4)
    given.append(Sample({3: 0.1, 4: 0.2, 9: 0.7}))
    given.append(Sample({0: 1.0}))
    given.append(Sample({seed: value - 1 for seed, value in list(given[1].items())[:3]}))
    given.append(Sample({seed: value + 1 for seed, value in given[0].items()}))
    networks = Sample({0: 0.5})
    networks.within_run = summarize([0.1, 0.4, 0.6, 0.9])
    given.append(networks)
    p = counted.pairwise(given)
    assert np.isnan(np.diag(p)).all()
    for a, b in combinations(range(len(given)), 2):
        gap = difference(given[a], given[b])
        assert gap is not None
        if gap.p is None:
            assert np.isnan(p[a, b])
        else:
            assert p[a, b] == pytest.approx(gap.p, rel=1e-9, abs=1e-12)
        assert p[a, b] == p[b, a] or np.isnan(p[a, b])


@pytest.mark.parametrize("higher", [True, False])
def test_ranks_by_brute_force(higher: bool) -> None:
    given = samples(2, 5, step=1.5)
    given.append(Sample({7: 2.0, 8: 2.5, 9: 9.0}))
    lists = [list(sample.values()) for sample in given]
    pairs = list(combinations(range(6), 2))
    p = [
        (ttest_rel if b < 5 else lambda x, y: ttest_ind(x, y, equal_var=False))(
            lists[a], lists[b]
        ).pvalue
        for a, b in pairs
    ]
    beyond = multipletests(p, alpha=0.05, method="holm")[0]
    low, high = [1] * 6, [6] * 6
    for (a, b), differ in zip(pairs, beyond, strict=True):
        if differ:
            first, second = (a, b) if (np.mean(lists[a]) > np.mean(lists[b])) == higher else (b, a)
            low[second] += 1
            high[first] -= 1
    assert sum(beyond) > 3
    assert counted.rank_intervals(given, higher) == list(zip(low, high, strict=True))


def test_ranks_hold_together_in_nineteen_of_twenty_tables() -> None:
    # Four rows, the last two equally good: ranks 4, 3 and 1 to 2. Normal with n = 6, effects of
    # 2 and 4 standard deviations, so that ranks are told apart often.
    missed = telling = 0
    for trial in range(300):
        draw = random.Random(trial)
        given = [Sample({s: draw.gauss(mean, 1) for s in range(6)}) for mean in (0, 2, 4, 4)]
        found = counted.rank_intervals(given, True)
        assert found is not None
        inside = [
            low <= rank <= high for (low, high), rank in zip(found, (4, 3, 1, 1), strict=True)
        ]
        inside += [low <= 2 <= high for low, high in found[2:]]
        missed += not all(inside)
        telling += found[0] != (1, 4)
    assert missed <= 300 * 0.05
    assert telling > 150


def test_too_many_rows_or_one_or_one_seed_have_no_interval() -> None:
    assert counted.rank_intervals(samples(3, 1), True) is None
    assert counted.rank_intervals(samples(3, counted.MOST_RANKED + 1, 2), True) is None
    assert counted.rank_intervals([Sample({0: 1.0}), Sample({0: 2.0})], True) is None


def test_tables_say_what_chance_gives() -> None:
    draw = random.Random(4)
    records = [
        record(
            f"net{place}", freeze, seed, {"top1": 80 - gap * (freeze != "none") + draw.gauss(0, 1)}
        )
        for place, gap in enumerate((9.0, 1.2, 0.0, 0.0))
        for freeze in ("none", "spatial")
        for seed in range(4)
    ]
    (table,) = make_tables(from_records(records))
    gaps = [entry.compare_to("learnable", "top1") for entry in table.entries]
    p = [gap.difference.p for gap in gaps if gap is not None]
    assert len(p) == 4
    wanted = multipletests(p, method="holm")[1]
    lines = [line for line in from_csv(to_csv([table])) if line["vs_learnable"] is not None]
    assert [line["vs_learnable_p_holm"] for line in lines] == pytest.approx(wanted.tolist())
    for line in lines:
        half = (line["vs_learnable_high"] - line["vs_learnable_low"]) / 2
        assert line["vs_learnable_smallest"] == pytest.approx(half)
    found, left = sum(value < 0.05 for value in p), sum(value <= 0.05 for value in wanted)
    assert str(table.comparisons) == (
        f"4 comparisons with controls, of which chance alone would put 0.2 beyond the noise: "
        f"{found} {'is' if found == 1 else 'are'}, {left} after Holm's correction."
    )
    shown = to_markdown([table])
    assert str(table.comparisons) in shown
    first = table.entries[0]
    assert first.rank_interval is not None
    assert f"| {first.rank} ({first.rank_interval[0]}–{first.rank_interval[1]}) |" in shown
    assert from_csv(to_csv([table]))[0]["rank_high"] == first.rank_interval[1]
    noise = next(g.difference for g in gaps if g and "noise" in g.difference.word(True))
    said = f"within the noise (n = 4 shows differences from {noise.smallest:.2f} on)"
    assert said in side_by_side(table)
