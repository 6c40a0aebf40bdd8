"""How long a leaderboard takes: 10,000 records to every file, and 100,000 to its tables.

    python benchmarks/leaderboard.py

Writes synthetic records of the size of real ones to a temporary folder, reads them back and
builds CSV, markdown and the page, each count in a fresh process; with chromium and its driver
installed, it also opens the page with 2,000 rows and sorts it.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))


def write_records(folder: Path, count: int, protocols: int) -> int:
    """``count`` records in subfolders of 1,000; returns their bytes."""
    from rbench.records.record import to_json
    from tests.helpers.synthetic_records import many

    size = 0
    for place, record in enumerate(many(count, protocols=protocols)):
        part = folder / f"{place // 1000:03d}"
        part.mkdir(exist_ok=True, parents=True)
        size += (part / f"{record.digest[:20]}.json").write_text(to_json(record))
    return size


def measure(folder: Path, output: Path) -> dict[str, float]:
    """Seconds of each step and the peak memory of this process."""
    start = time.perf_counter()
    from rbench.report.compare import baselines, papers, report, to_html
    from rbench.report.leaderboard import build, make_tables, read_rows, write

    loaded = time.perf_counter()
    rows = read_rows(folder)
    read = time.perf_counter()
    tables = make_tables(rows, baselines())
    made = time.perf_counter()
    compared = to_html(report(tables, papers()))
    held = time.perf_counter()
    files = build(tables, "records/", (), compared)
    built = time.perf_counter()
    write(output, files)
    end = time.perf_counter()
    return {
        "records": len(rows),
        "import_s": loaded - start,
        "read_s": read - loaded,
        "tables_s": made - read,
        "compare_s": held - made,
        "build_s": built - held,
        "write_s": end - built,
        "total_s": end - start,
        "page_mb": len(files["index.html"].encode()) / 1e6,
        "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


def browse(page: Path) -> dict[str, float] | str:
    """Milliseconds to open and to sort the page in headless Chromium."""
    from tests.helpers import browser

    if why := browser.missing():
        return why
    with browser.chromium() as driver:
        driver.get(f"file://{page}")
        opened = driver.execute_async_script(
            """const done = arguments[0];
            const look = () => document.documentElement.dataset.ready && document.readyState ===
              'complete' ? done(performance.getEntriesByType('navigation')[0].domComplete)
              : setTimeout(look, 2);
            look()"""
        )
        took = driver.execute_async_script(
            """const done = arguments[0];
            const head = [...document.querySelectorAll('.board thead th')].find(
              h => h.textContent.startsWith('top1'));
            const start = performance.now();
            head.querySelector('.dt-column-order').click();
            const look = () => head.getAttribute('aria-sort') && document.body.offsetHeight
              ? done(performance.now() - start) : setTimeout(look, 1);
            look()"""
        )
    return {"opened_ms": opened, "sorted_ms": took}


def main() -> None:
    """Run every count in its own process and print one JSON line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--counts", type=int, nargs="*", default=[8000, 10000, 100000])
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measure(Path(given.measure[0]), Path(given.measure[1]))))
        return
    for count in given.counts:
        with tempfile.TemporaryDirectory() as folder:
            # 8,000 records of four seeds in one protocol are the page with 2,000 rows.
            size = write_records(Path(folder) / "in", count, 1 if count == 8000 else 10)
            words = [sys.executable, __file__, "--measure", f"{folder}/in", f"{folder}/out"]
            text = subprocess.run(words, check=True, capture_output=True, text=True).stdout
            found = json.loads(text)
            found["record_kb"] = size / count / 1e3
            print({k: round(v, 3) for k, v in found.items()})
            if count == 8000:
                print(browse(Path(folder) / "out" / "index.html"))


if __name__ == "__main__":
    main()
