"""What the server tells Prometheus about itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from providers.otlp.intake import Intake

_KINDS: Final = ("services", "instances", "peers")


class Exposure(Collector):
    """Counts of an intake, and of the answers given, by path and status."""

    def __init__(
        self, intake: Intake, answers: Callable[[], Mapping[tuple[str, int], int]]
    ) -> None:
        self._intake = intake
        self._answers = answers

    def collect(self) -> Iterable[Metric]:
        tally, names = self._intake.tally, self._intake.names
        answers = CounterMetricFamily(
            "trimtab_otlp_requests", "Requests answered.", labels=["path", "status"]
        )
        for (path, status), count in sorted(self._answers().items()):
            answers.add_metric([path, str(status)], count)
        yield answers
        for counts, of_what, about in (
            (tally.spans, "spans", "What became of spans."),
            (tally.log_lines, "log_lines", "What became of lines of logs."),
            (tally.points, "points", "What became of points of metrics."),
        ):
            fates = CounterMetricFamily(f"trimtab_otlp_{of_what}", about, labels=["fate"])
            for fate, count in sorted(counts.items()):
                fates.add_metric([fate], count)
            yield fates
        orphans = "Requests whose caller's span was not seen before their step was closed."
        yield CounterMetricFamily("trimtab_otlp_orphans", orphans, value=tally.orphans)
        yield CounterMetricFamily("trimtab_otlp_steps", "Steps closed.", value=tally.steps)
        held = GaugeMetricFamily("trimtab_otlp_spans_held", "Spans held in memory.")
        held.add_metric([], self._intake.held)
        yield held
        known = GaugeMetricFamily("trimtab_otlp_names", "Names in use.", labels=["kind"])
        folded = CounterMetricFamily(
            "trimtab_otlp_names_folded", "Times a name was taken for (other).", labels=["kind"]
        )
        for kind in _KINDS:
            register = getattr(names, kind)
            known.add_metric([kind], len(register))
            folded.add_metric([kind], register.folded)
        folded.add_metric(["edges"], tally.edges_folded)
        yield known
        yield folded
