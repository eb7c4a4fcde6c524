"""The published shape of ``plan.json``: JSON Schema, draft 2020-12."""

from __future__ import annotations

from typing import Any, Final

from models.placement import Proof, ShadowTerm, Term
from optimizer.output.commitments import COMMITMENT_COLUMNS
from optimizer.output.json_values import Document
from optimizer.output.plan_json import PLAN_FORMAT, PLAN_VERSION

SCHEMA_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_TEXT: Final = {"type": "string"}
_COUNT: Final = {"type": "integer", "minimum": 0}
_SHARE: Final = {"type": "number", "minimum": 0, "maximum": 1}
_FLAG: Final = {"type": "boolean"}
_USD: Final = {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$"}
_USD_OR_NULL: Final = {"anyOf": [_USD, {"type": "null"}]}
_MOMENT: Final = {
    "type": "string",
    "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$",
}
_MEASURE: Final = {"type": ["number", "null"], "minimum": 0}
_PLACE: Final = {"type": "string", "pattern": r"^(aws|azure|gcp)/\S+$"}


def plan_schema() -> Document:
    """Schema of everything that ``optimizer.output.plan_json.outcome_document`` makes."""
    return {
        "$schema": SCHEMA_DIALECT,
        "title": "trimtab plan",
        "description": "What a planning run ended in. Money is exact decimal text in US dollars; "
        "times are UTC; a number without a finite value is null.",
        "oneOf": [_plan(), _infeasible(), _unfinished()],
        "$defs": {
            "rule": _record(rule=_TEXT, in_words=_TEXT, where=_TEXT, why=_TEXT),
            "bill": _bill(),
            "rates": {"description": "rps, one number per hour", **_list(_MEASURE)},
        },
    }


def _record(**fields: object) -> Document:
    return {
        "type": "object",
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }


def _list(items: object) -> Document:
    return {"type": "array", "items": items}


def _map(values: object) -> Document:
    return {"type": "object", "additionalProperties": values}


def _said(schema: dict[str, Any], description: str) -> Document:
    return {**schema, "description": description}


def _head(outcome: str) -> Document:
    return {
        "format": {"const": PLAN_FORMAT},
        "version": {"const": PLAN_VERSION},
        "outcome": {"const": outcome},
        "world": _record(
            name=_TEXT,
            description=_TEXT,
            where=_said(_TEXT, "file and line"),
            services=_COUNT,
            origins=_COUNT,
            rules=_COUNT,
            places=_COUNT,
            digests=_said(
                _map({"type": "string", "pattern": "^[0-9a-f]{64}$"}),
                "SHA-256 of each part of the world: whether it is still the world of the plan",
            ),
        ),
        "prices": _record(book=_TEXT, as_of={"type": "string", "format": "date"}),
        "starts": _said(_MOMENT, "the plan's first hour"),
        "hours": _said(_COUNT, "length of the plan"),
        "policy": _record(
            demand_quantile=_SHARE,
            headroom=_SHARE,
            count_hours=_COUNT,
            route_hours=_COUNT,
            minimum_run_hours=_COUNT,
            changes=_record(
                usd_per_started_instance=_MEASURE,
                usd_per_gib_of_state_moved=_MEASURE,
                amortise_over_hours=_MEASURE,
                minimum_saving_usd_per_month=_MEASURE,
                minimum_saving_share=_SHARE,
            ),
            purchases=_list(_TEXT),
            burstable=_FLAG,
            gap_target=_SHARE,
            time_limit_s={"type": "number", "minimum": 0},
            carbon_usd_per_tonne={"type": "number", "minimum": 0},
            demand_scenarios=_list(_record(quantile=_SHARE, probability=_SHARE)),
            unmet_at_most=_SHARE,
            unmet_usd_per_million_requests={"type": "number", "minimum": 0},
            cvar={"anyOf": [_record(level=_SHARE, weight=_SHARE), {"type": "null"}]},
        ),
    }


def _infeasible() -> Document:
    return _record(
        **_head("infeasible"),
        clash=_said(_list({"$ref": "#/$defs/rule"}), "rules that cannot be kept together"),
        irreducible=_said(
            _FLAG, "it is proven that without any one of them the others can be kept"
        ),
        smallest=_said(_FLAG, "it is proven that no smaller set of rules clashes"),
        reasons=_list(_TEXT),
    )


def _unfinished() -> Document:
    return _record(
        **_head("unfinished"),
        bound_usd=_said(_USD_OR_NULL, "no plan costs less over the horizon"),
        seconds=_MEASURE,
    )


def _plan() -> Document:
    return _record(
        **_head("plan"),
        cost=_record(
            usd_per_month=_USD,
            today_usd_per_month=_said(_USD_OR_NULL, "null when nothing runs today"),
            saving_usd_per_month=_USD_OR_NULL,
            saved_share=_said({"type": ["number", "null"]}, "of today's cost"),
        ),
        proof=_record(
            proof={"enum": [proof.value for proof in Proof]},
            objective_usd=_USD_OR_NULL,
            bound_usd=_said(_USD_OR_NULL, "no plan costs less over the horizon"),
            gap=_said({"type": ["number", "null"]}, "(objective - bound) / objective"),
            backend=_TEXT,
            solver=_TEXT,
            rows=_COUNT,
            columns=_COUNT,
            integer_columns=_COUNT,
            nonzeros=_COUNT,
            build_s=_MEASURE,
            solve_s=_MEASURE,
        ),
        services=_list(
            _record(
                service=_TEXT,
                team=_TEXT,
                places=_list(_PLACE),
                peak_instances=_COUNT,
                starts_per_day=_said(_MEASURE, "instances that start after the plan's first hour"),
                usd_per_month=_USD,
            )
        ),
        instances=_list(_instances()),
        routes=_list(_route()),
        bill=_said({"$ref": "#/$defs/bill"}, "expected, where there are demand scenarios"),
        scenarios=_said(
            _list(
                _record(
                    scenario=_TEXT,
                    quantile=_SHARE,
                    probability=_SHARE,
                    counted_usd=_said(_USD, "bill.total_usd plus bill.shadow_usd"),
                    bill={"$ref": "#/$defs/bill"},
                )
            ),
            "the bill of each demand scenario; none where demand is taken as certain",
        ),
        cvar_usd=_said(_USD_OR_NULL, "mean of the dearest share of counted_usd; null: not asked"),
        commitments=_list(_commitment()),
        today=_today(),
        demand=_list(
            _record(
                service=_TEXT,
                planned_rps={"$ref": "#/$defs/rates"},
                mean_rps={"$ref": "#/$defs/rates"},
                quantiles_rps=_map({"$ref": "#/$defs/rates"}),
                capacity_rps={"$ref": "#/$defs/rates"},
            )
        ),
        forecast=_forecast(),
        binding=_list(
            _record(rule=_TEXT, in_words=_TEXT, where=_TEXT, rows=_COUNT, binding_rows=_COUNT)
        ),
        exclusions=_said(
            _list(_record(rule=_TEXT, pairs=_COUNT)),
            "(service, place) pairs that each rule excludes",
        ),
        spot_risk=_said(_list(_spot_risk()), "services under spot risk rules"),
        changes=_said(
            _list(_change()),
            "services that run today, where changes cost something or must be worth it",
        ),
    )


def _change() -> Document:
    return _record(
        service=_TEXT,
        changes=_said(
            {"enum": ["yes", "no", "must"]},
            "no: it stays exactly as it is; must: it cannot stay",
        ),
        started=_said(_COUNT, "instances at the busiest hour beside those that run today"),
        stopped=_said(_COUNT, "of today's instances, those missing at the quietest hour"),
        moved_gib=_said(_MEASURE, "state that is copied"),
        moves_usd_per_month=_said(_USD, "one-off costs, a month's share"),
        saving_usd_per_month=_said(_USD_OR_NULL, "that it makes, or would make; null: not known"),
        minimum_usd_per_month=_said(_USD, "that it must make to change"),
        why=_TEXT,
    )


def _spot_risk() -> Document:
    return _record(
        rule=_TEXT,
        service=_TEXT,
        chance_at_most=_said(_SHARE, "that the rule grants, per hour"),
        pools=_said(_COUNT, "of spot capacity that the service could use"),
        at_once=_said(_COUNT, "pools that may be gone at once, and enough is left"),
        chance=_said(_SHARE, "that more of all pools are gone, in an hour"),
        pools_used=_said(_COUNT, "in the plan's most spread hour"),
        chance_in_plan=_said(_SHARE, "that more of the used pools are gone, in the worst hour"),
    )


def _instances() -> Document:
    return _record(
        service=_TEXT,
        place=_PLACE,
        instance_type=_TEXT,
        purchase=_TEXT,
        price_usd_per_hour=_said(_USD, "of one instance"),
        price_source=_TEXT,
        price_date=_TEXT,
        replicas_per_instance=_COUNT,
        capacity_rps_per_instance=_MEASURE,
        count_per_hour=_said(_list(_COUNT), "instances, one number per hour of the plan"),
    )


def _route() -> Document:
    return _record(
        service=_TEXT,
        origin=_TEXT,
        place=_PLACE,
        first_hour=_said(_COUNT, "of the plan, from 0"),
        hours=_said(_COUNT, "how long the route holds"),
        share=_said(_SHARE, "of the origin's demand for the service"),
        rtt_ms=_MEASURE,
    )


def _bill() -> Document:
    terms = [term.value for term in Term]
    return _record(
        hours=_COUNT,
        total_usd=_USD,
        usd_per_month=_said(_USD, "730 hours, to the cent"),
        by_term_usd={
            "type": "object",
            "properties": dict.fromkeys(terms, _USD),
            "additionalProperties": False,
        },
        by_cloud_usd=_map(_USD),
        lines=_list(
            _record(
                term={"enum": terms},
                cloud=_TEXT,
                place=_TEXT,
                service=_TEXT,
                purchase=_said(_TEXT, "empty for egress, one_off for moves"),
                commitment=_said(_TEXT, "empty for all but the lines of commitments"),
                usd=_said(_USD, "over the hours of the bill"),
            )
        ),
        shadow_usd=_said(_USD, "what counts in the decision beside the bill, paid to nobody"),
        shadow=_list(
            _record(
                term={"enum": [term.value for term in ShadowTerm]},
                cloud=_TEXT,
                place=_TEXT,
                service=_TEXT,
                quantity=_said(_USD, "in the unit beside it, over the hours of the bill"),
                unit=_TEXT,
                usd=_USD,
            )
        ),
    )


def _commitment() -> Document:
    number = {"type": ["number", "null"]}
    kinds: dict[str, Document] = {
        **dict.fromkeys(("term_years",), _COUNT),
        **dict.fromkeys(("owned", "bought"), _MEASURE),
        **dict.fromkeys(("cost_usd", "covered_usd", "saving_usd", "today_saving_usd"), _USD),
        **dict.fromkeys(
            (
                "utilisation",
                "break_even_utilisation",
                "coverage",
                "bought_utilisation",
                "pays_back_after_months",
                "today_utilisation",
            ),
            number,
        ),
    }
    fields = {
        name: _said(kinds.get(name, _TEXT), words) for name, words in COMMITMENT_COLUMNS.items()
    }
    return _record(**fields, used_per_hour=_said(_list(_MEASURE), "level, one number per hour"))


def _today() -> Document:
    written = {"rule": _TEXT, "in_words": _TEXT, "where": _TEXT, "why": _TEXT}
    return _record(
        bill={"$ref": "#/$defs/bill"},
        capacity_rps=_map(_MEASURE),
        unpriced=_said(
            _list(
                _record(
                    service=_TEXT,
                    place=_TEXT,
                    instance_type=_TEXT,
                    purchase=_TEXT,
                    count=_COUNT,
                    where=_TEXT,
                )
            ),
            "groups that run without a known price: the bill is higher than shown",
        ),
        broken=_said(_list(_record(**written, how=_TEXT)), "rules that today's fleet breaks"),
    )


def _forecast() -> Document:
    return _record(
        history_note=_TEXT,
        levels=_list(_SHARE),
        series=_list(
            _record(
                service=_TEXT,
                origin=_TEXT,
                model=_TEXT,
                why=_TEXT,
                scores=_said(_map(_MEASURE), "backtest error, lower is better"),
            )
        ),
    )
