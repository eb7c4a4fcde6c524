"""An outcome as a JSON document, in the format that ``plan_schema`` describes.

Money is a string of exact decimal digits, times are ISO 8601 in UTC, and numbers without a finite
value are null. Keys and rows stand in a fixed order, so that two runs that agree write the same
bytes.
"""

from __future__ import annotations

from dataclasses import asdict
from decimal import Decimal
from typing import Final

import numpy as np
import pandas as pd

from models.fleet import Group
from models.placement import SHADOW_UNITS, Bill, Certificate
from models.plan import Infeasible, Outcome, Plan, Unfinished
from models.rules import Rule
from optimizer.digests import world_digests
from optimizer.output.commitments import commitment_documents
from optimizer.output.json_values import (
    Document,
    finite_or_null,
    rates,
    records,
    significant,
    usd_or_null,
    utc_text,
)
from optimizer.output.money import decimal_text, price_text, usd_per_month
from optimizer.output.summary import (
    capacity_by_service,
    cvar_usd,
    headline,
    peak_instances,
    places_of_services,
    starts_per_day,
)

PLAN_FORMAT: Final = "trimtab-plan"
PLAN_VERSION: Final = 1


def outcome_document(outcome: Outcome) -> Document:
    """The document of a plan, of a clash of rules, or of a run that found nothing in time."""
    match outcome:
        case Plan():
            return _plan(outcome)
        case Infeasible():
            return {
                **_head(outcome),
                "clash": [_rule(rule) for rule in outcome.clash],
                "irreducible": outcome.irreducible,
                "smallest": outcome.smallest,
                "reasons": list(outcome.reasons),
            }
        case Unfinished():
            return {
                **_head(outcome),
                "bound_usd": usd_or_null(outcome.bound_usd),
                "seconds": finite_or_null(outcome.seconds),
            }


def outcome_kind(outcome: Outcome) -> str:
    """``plan``, ``infeasible`` or ``unfinished``."""
    return type(outcome).__name__.lower()


def _head(outcome: Outcome) -> Document:
    world, policy = outcome.world, outcome.world.policy
    return {
        "format": PLAN_FORMAT,
        "version": PLAN_VERSION,
        "outcome": outcome_kind(outcome),
        "world": {
            "name": world.name,
            "description": world.description,
            "where": str(world.at),
            "services": len(world.services),
            "origins": len(world.origins),
            "rules": len(world.rules),
            "places": len(world.regions),
            "digests": world_digests(world),
        },
        "prices": {"book": world.book.name, "as_of": world.book.as_of.isoformat()},
        "starts": utc_text(world.starts),
        "hours": policy.horizon_hours,
        "policy": {
            "demand_quantile": policy.demand_quantile,
            "headroom": policy.headroom,
            "count_hours": policy.count_hours,
            "route_hours": policy.route_hours,
            "minimum_run_hours": policy.minimum_run_hours,
            "changes": asdict(policy.changes),
            "purchases": sorted(purchase.value for purchase in policy.purchases),
            "burstable": policy.burstable,
            "gap_target": policy.gap_target,
            "time_limit_s": policy.time_limit_s,
            "carbon_usd_per_tonne": policy.carbon_usd_per_tonne,
            "demand_scenarios": [
                {"quantile": scenario.quantile, "probability": scenario.probability}
                for scenario in policy.demand_scenarios
            ],
            "unmet_at_most": policy.unmet_at_most,
            "unmet_usd_per_million_requests": policy.unmet_usd_per_million_requests,
            "cvar": None
            if policy.cvar is None
            else {"level": policy.cvar.level, "weight": policy.cvar.weight},
        },
    }


def _plan(plan: Plan) -> Document:
    placement = plan.placement
    head, tail = headline(plan), cvar_usd(plan)
    return {
        **_head(plan),
        "starts": utc_text(placement.starts),
        "hours": placement.hours,
        "cost": {
            "usd_per_month": decimal_text(head.plan_usd_per_month),
            "today_usd_per_month": _text_or_null(head.today_usd_per_month),
            "saving_usd_per_month": _text_or_null(head.saving_usd_per_month),
            "saved_share": head.saved,
        },
        "proof": _proof(placement.certificate),
        "services": _services(plan),
        "instances": _instances(plan),
        "routes": _routes(plan),
        "bill": _bill(placement.bill),
        "scenarios": [
            {
                "scenario": one.name,
                "quantile": one.quantile,
                "probability": one.probability,
                "counted_usd": decimal_text(one.counted_usd),
                "bill": _bill(one.bill),
            }
            for one in placement.scenarios
        ],
        "cvar_usd": None if tail is None else usd_or_null(tail),
        "commitments": commitment_documents(plan),
        "today": _today(plan),
        "demand": _demand(plan),
        "forecast": _forecast(plan),
        "binding": _binding(plan),
        "exclusions": _exclusions(plan),
        "spot_risk": _spot_risk(plan),
        "changes": _changes(plan),
    }


def _proof(certificate: Certificate) -> Document:
    return {
        "proof": certificate.proof.value,
        "objective_usd": usd_or_null(certificate.objective_usd),
        "bound_usd": usd_or_null(certificate.bound_usd),
        "gap": finite_or_null(certificate.gap),
        "backend": certificate.backend,
        "solver": certificate.solver,
        "rows": certificate.rows,
        "columns": certificate.columns,
        "integer_columns": certificate.integer_columns,
        "nonzeros": certificate.nonzeros,
        "build_s": finite_or_null(certificate.build_s),
        "solve_s": finite_or_null(certificate.solve_s),
    }


def _services(plan: Plan) -> list[Document]:
    placement = plan.placement
    places = places_of_services(placement)
    peaks = peak_instances(placement, "service")
    spent = placement.bill.by("service")
    starts = starts_per_day(placement)
    return [
        {
            "service": service.name,
            "team": service.team,
            "places": list(places.get(service.name, ())),
            "peak_instances": peaks.get(service.name, 0),
            "starts_per_day": starts.get(service.name, 0.0),
            "usd_per_month": decimal_text(
                usd_per_month(spent.get(service.name, Decimal(0)), placement.hours)
            ),
        }
        for service in plan.world.services
    ]


_OFFERING: Final = ["service", "cloud", "region", "instance_type", "purchase"]


def _instances(plan: Plan) -> list[Document]:
    counts = plan.placement.counts.sort_values([*_OFFERING, "period"], kind="stable")
    group = counts.groupby(_OFFERING, sort=False, observed=True).ngroup().to_numpy(np.int64)
    heads = counts[np.r_[True, group[1:] != group[:-1]][: len(counts)]]
    per_hour = np.zeros((len(heads), plan.placement.hours), np.int64)
    np.add.at(per_hour, (group, counts["period"].to_numpy(np.int64)), counts["count"].to_numpy())
    each_rps = significant((heads["capacity_rps"] / heads["count"]).to_numpy(np.float64))
    return [
        {
            "service": str(head["service"]),
            "place": f"{head['cloud']}/{head['region']}",
            "instance_type": str(head["instance_type"]),
            "purchase": str(head["purchase"]),
            "price_usd_per_hour": price_text(head["price_usd_per_hour"]),
            "price_source": str(head["price_source"]),
            "price_date": str(head["price_date"]),
            "replicas_per_instance": int(head["replicas_per_instance"]),
            "capacity_rps_per_instance": finite_or_null(rps),
            "count_per_hour": row,
        }
        for head, rps, row in zip(records(heads), each_rps.tolist(), per_hour.tolist(), strict=True)
    ]


def _routes(plan: Plan) -> list[Document]:
    routes = plan.placement.routes.sort_values(
        ["service", "origin", "first_period", "cloud", "region"], kind="stable"
    )
    share = significant(routes["share"].to_numpy(np.float64)).tolist()
    rtt_ms = significant(routes["rtt_ms"].to_numpy(np.float64)).tolist()
    return [
        {
            "service": str(route["service"]),
            "origin": str(route["origin"]),
            "place": f"{route['cloud']}/{route['region']}",
            "first_hour": int(route["first_period"]),
            "hours": int(route["periods"]),
            "share": share[i],
            "rtt_ms": finite_or_null(rtt_ms[i]),
        }
        for i, route in enumerate(records(routes))
    ]


def _bill(bill: Bill) -> Document:
    return {
        "hours": bill.hours,
        "total_usd": decimal_text(bill.total_usd),
        "usd_per_month": decimal_text(usd_per_month(bill.total_usd, bill.hours)),
        "by_term_usd": {term: decimal_text(usd) for term, usd in bill.by("term").items()},
        "by_cloud_usd": {cloud: decimal_text(usd) for cloud, usd in bill.by("cloud").items()},
        "lines": [
            {
                "term": line.term.value,
                "cloud": line.cloud,
                "place": line.place,
                "service": line.service,
                "purchase": line.purchase,
                "commitment": line.commitment,
                "usd": decimal_text(line.usd),
            }
            for line in bill.lines
        ],
        "shadow_usd": decimal_text(bill.shadow_usd),
        "shadow": [
            {
                "term": line.term.value,
                "cloud": line.cloud,
                "place": line.place,
                "service": line.service,
                "quantity": decimal_text(line.quantity),
                "unit": SHADOW_UNITS[line.term],
                "usd": decimal_text(line.usd),
            }
            for line in bill.shadow
        ],
    }


def _today(plan: Plan) -> Document:
    today = plan.today
    capacity = significant(today.capacity_rps.astype(np.float64)).tolist()
    names = (service.name for service in plan.world.services)
    return {
        "bill": _bill(today.bill),
        "capacity_rps": {
            name: finite_or_null(rps) for name, rps in zip(names, capacity, strict=True)
        },
        "unpriced": [_group(group) for group in today.unpriced],
        "broken": [{**_rule(broken.rule), "how": broken.how} for broken in today.broken],
    }


def _demand(plan: Plan) -> list[Document]:
    planned = rates(plan.demand_rps.sum(axis=1))
    mean = rates(plan.mean_rps)
    bands = rates(np.moveaxis(plan.bands_rps, 2, 1))  # [service, level, period]
    capacity = rates(capacity_by_service(plan))
    levels = [f"{level:g}" for level in plan.forecast.levels]
    return [
        {
            "service": service.name,
            "planned_rps": planned[i],
            "mean_rps": mean[i],
            "quantiles_rps": dict(zip(levels, bands[i], strict=True)),
            "capacity_rps": capacity[i],
        }
        for i, service in enumerate(plan.world.services)
    ]


def _forecast(plan: Plan) -> Document:
    forecast = plan.forecast
    return {
        "history_note": plan.world.history.note,
        "levels": [float(level) for level in forecast.levels],
        "series": [
            {
                "service": choice.service,
                "origin": choice.origin,
                "model": choice.model,
                "why": choice.why,
                "scores": {model: finite_or_null(score) for model, score in choice.scores},
            }
            for choice in forecast.choices
        ],
    }


def _binding(plan: Plan) -> list[Document]:
    return [
        {
            "rule": str(row["rule"]),
            "in_words": str(row["in_words"]),
            "where": str(row["where"]),
            "rows": int(row["rows"]),
            "binding_rows": int(row["binding_rows"]),
        }
        for row in records(plan.placement.binding)
    ]


def _exclusions(plan: Plan) -> list[Document]:
    """Excluded (service, place) pairs counted by rule; every reason is in ``exclusions.csv``."""
    pairs = plan.placement.exclusions.drop_duplicates(["service", "place", "rule"])
    counted: pd.Series[int] = pairs["rule"].astype(str).value_counts()
    by_rule = sorted(counted.items(), key=lambda item: (-item[1], str(item[0])))
    return [{"rule": str(rule), "pairs": int(count)} for rule, count in by_rule]


def _changes(plan: Plan) -> list[Document]:
    return [
        {
            "service": str(row["service"]),
            "changes": str(row["changes"]),
            "started": int(row["started"]),
            "stopped": int(row["stopped"]),
            "moved_gib": float(row["moved_gib"]),
            "moves_usd_per_month": decimal_text(row["moves_usd_per_month"]),
            "saving_usd_per_month": _text_or_null(row["saving_usd_per_month"]),
            "minimum_usd_per_month": decimal_text(row["minimum_usd_per_month"]),
            "why": str(row["why"]),
        }
        for row in records(plan.placement.changes)
    ]


def _spot_risk(plan: Plan) -> list[Document]:
    return [
        {
            "rule": str(row["rule"]),
            "service": str(row["service"]),
            "chance_at_most": float(row["chance_at_most"]),
            "pools": int(row["pools"]),
            "at_once": int(row["at_once"]),
            "chance": float(row["chance"]),
            "pools_used": int(row["pools_used"]),
            "chance_in_plan": float(row["chance_in_plan"]),
        }
        for row in records(plan.placement.spot_risk)
    ]


def _rule(rule: Rule) -> Document:
    return {
        "rule": rule.name,
        "in_words": rule.in_words,
        "where": str(rule.at),
        "why": rule.why,
    }


def _group(group: Group) -> Document:
    return {
        "service": group.service,
        "place": group.place,
        "instance_type": group.instance_type,
        "purchase": group.purchase.value,
        "count": group.count,
        "where": str(group.at),
    }


def _text_or_null(usd: Decimal | None) -> str | None:
    return None if usd is None else decimal_text(usd)
