"""How the plan was made: forecasts, solver, sources and limits."""

from __future__ import annotations

import math
from dataclasses import dataclass

from models.demand import Forecast
from models.placement import Certificate, Proof
from models.plan import Plan
from optimizer.report.wording import (
    NBSP,
    at_most_percent,
    exact,
    number,
    percent,
    plural,
    usd,
)

MOST_SERIES = 80
PROOF_WORDS = {
    Proof.OPTIMAL: "optimal",
    Proof.WITHIN_GAP: "within the target gap",
    Proof.TIME_LIMIT: "gap target missed",
}


@dataclass(frozen=True, slots=True)
class SeriesRow:
    """One forecast series; a score is empty where the model was not tried or scored."""

    service: str
    origin: str
    model: str
    why: str
    scores: tuple[tuple[str, bool], ...]


@dataclass(frozen=True, slots=True)
class Forecasting:
    models: tuple[str, ...]
    rows: tuple[SeriesRow, ...]
    left_out: int


@dataclass(frozen=True, slots=True)
class Limits:
    """The numbers that the page's statement of limits quotes."""

    span: str
    scenarios: bool
    quantile: str
    above: str
    route_factor: str
    measured: str


@dataclass(frozen=True, slots=True)
class Method:
    forecasting: Forecasting
    solving: tuple[tuple[str, str], ...]
    prices: tuple[tuple[str, str], ...]
    limits: Limits


def method(plan: Plan) -> Method:
    return Method(
        forecasting=_forecasting(plan.forecast),
        solving=solving(plan.placement.certificate),
        prices=_prices(plan),
        limits=_limits(plan),
    )


def _forecasting(forecast: Forecast) -> Forecasting:
    models = tuple(dict.fromkeys(name for c in forecast.choices for name, _ in c.scores))
    rows = []
    for choice in forecast.choices[:MOST_SERIES]:
        scores = dict(choice.scores)
        cells = tuple(
            (
                f"{scores[name]:.3f}" if math.isfinite(scores.get(name, math.nan)) else "",
                name == choice.model,
            )
            for name in models
        )
        rows.append(SeriesRow(choice.service, choice.origin, choice.model, choice.why, cells))
    return Forecasting(models, tuple(rows), max(0, len(forecast.choices) - MOST_SERIES))


def solving(certificate: Certificate) -> tuple[tuple[str, str], ...]:
    """Every field of the certificate, with units."""
    size = (
        f"{plural(certificate.rows, 'row')} × {plural(certificate.columns, 'column')}, "
        f"{certificate.integer_columns:,} of them whole numbers, "
        f"{certificate.nonzeros:,} non-zeros"
    )
    time = (
        f"{number(certificate.build_s)}{NBSP}s to write the problem, "
        f"{number(certificate.solve_s)}{NBSP}s to solve it"
    )
    return (
        ("Result", PROOF_WORDS[certificate.proof]),
        ("Cost over the horizon", f"{usd(exact(certificate.objective_usd))} USD"),
        ("Proven bound over the horizon", f"{usd(exact(certificate.bound_usd))} USD"),
        ("Proven gap", f"at most {at_most_percent(max(certificate.gap, 0.0))}"),
        ("Solver", f"{certificate.solver} through {certificate.backend}"),
        ("Size", size),
        ("Time", time),
    )


def _prices(plan: Plan) -> tuple[tuple[str, str], ...]:
    book = plan.world.book
    used = (plan.world.egress[place] for place in plan.placement.bill.by("place") if place)
    egress = sorted({f"{price.source} ({price.as_of.isoformat()})" for price in used})
    return (
        ("Price book", f"{book.name}, as of {book.as_of.isoformat()}"),
        ("Priced offerings considered", f"{len(book):,}"),
        ("Left out, no usable price", f"{len(book.unpriced):,}"),
        ("Data transfer prices", "; ".join(egress) or "none"),
        *((key.replace("_", " "), f"{count:,}") for key, count in sorted(book.notes.items())),
    )


def _limits(plan: Plan) -> Limits:
    policy, trips = plan.world.policy, plan.world.round_trips
    quantiles = [scenario.quantile for scenario in policy.demand_scenarios]
    highest = max(quantiles, default=policy.demand_quantile)
    return Limits(
        span=plural(plan.placement.bill.hours, "hour"),
        scenarios=bool(policy.demand_scenarios),
        quantile=f"{highest:g}",
        above=percent(1 - exact(highest), 0),
        route_factor=f"{trips.factor:g}",
        measured=plural(len(trips.measured_ms), "measured pair"),
    )
