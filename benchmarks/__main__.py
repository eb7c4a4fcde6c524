"""``python -m benchmarks [NAME...] [--data DIR] [--json] [--list]``.

Exit codes: 0 all that could run did; 1 a case failed; 2 wrong arguments or data; 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.registry import Benchmark, Case, CaseFailed, Metric, every_benchmark, measured

DEFAULT_DATA = Path(__file__).parents[2] / "shared" / "data"

screen = Console(highlight=False)
status = Console(highlight=False, stderr=True)


def main(arguments: Sequence[str] | None = None) -> int:
    known = every_benchmark()
    parser = _parser()
    options = parser.parse_args(arguments)
    unknown = [name for name in options.names if name not in known]
    if unknown:
        parser.error(f"no benchmark called {', '.join(unknown)}; there are {', '.join(known)}")
    chosen = [known[name] for name in options.names or known]
    data: Path | None = options.data
    if data is None and DEFAULT_DATA.is_dir():
        data = DEFAULT_DATA
    if data is not None:
        if not data.is_dir():
            parser.error(f"--data: {data} is not a folder")
        missing = [path for benchmark in chosen for path in benchmark.missing(data)]
        if missing:
            parser.error(f"--data: missing {', '.join(map(str, missing))}")
    if options.list:
        for benchmark in chosen:
            print(f"{benchmark.name:<15} {benchmark.about}")
        return 0
    if not options.json:
        print(f"Python {platform.python_version()}, {platform.platform()}, {os.cpu_count()} CPUs")
    return max([_run(benchmark, data, as_json=options.json) for benchmark in chosen], default=0)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks", description="Measure trimtab.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="which (default: all)")
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder with public data sets")
    parser.add_argument("--json", action="store_true", help="one JSON object per measurement")
    parser.add_argument("--list", action="store_true", help="name the benchmarks and stop")
    return parser


def _run(benchmark: Benchmark, data: Path | None, *, as_json: bool) -> int:
    if benchmark.needs and data is None:
        status.print(f"{benchmark.name}: not run: needs --data")
        return 0
    if not as_json:
        screen.print(f"\n[bold]{benchmark.name}[/]: {benchmark.about}")
    failed = 0
    with status.status(f"{benchmark.name} ...") as spinner:
        for case, metrics in measured(benchmark.cases(data)):
            spinner.update(f"{benchmark.name}: {case.name} done ...")
            if isinstance(metrics, CaseFailed):
                status.print(f"{benchmark.name}: {case.name}: failed ({metrics})")
                failed = 1
            elif as_json:
                for metric in metrics:
                    print(_as_json(benchmark.name, case.name, metric), flush=True)
            else:
                screen.print(_as_table(case, metrics))
    return failed


def _as_json(benchmark: str, case: str, metric: Metric) -> str:
    measurement = {
        "benchmark": benchmark,
        "case": case,
        "metric": metric.name,
        "value": metric.value,
        "unit": metric.unit,
        "baseline": metric.baseline,
        "ratio": metric.ratio,
    }
    return json.dumps(measurement, allow_nan=False)


def _as_table(case: Case, metrics: Sequence[Metric]) -> Table:
    table = Table(title=f"\n{case.name}", title_justify="left", box=None, pad_edge=False)
    table.add_column("metric", min_width=18)
    table.add_column("value", justify="right", min_width=12)
    table.add_column("unit", min_width=4)
    if case.baseline is not None:
        table.add_column(case.baseline, justify="right")
        table.add_column("ratio", justify="right", min_width=8)
    for metric in metrics:
        figures = (metric.value, metric.baseline, metric.ratio)
        value, *compared = map(_in_short, figures)
        columns = () if case.baseline is None else compared
        table.add_row(metric.name, value, metric.unit, *columns)
    return table


def _in_short(figure: float | None) -> str:
    if figure is None:
        return "-"
    return f"{figure:,.0f}" if abs(figure) >= 1000 else f"{figure:.4g}"


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # processes of cases end in any case
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
