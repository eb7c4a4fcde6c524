"""Plans and what-ifs as one HTML page that needs nothing else.

The page holds its style, its script and its drawings, asks no server for anything and says so in
its content security policy: only the one style sheet and the one script whose digests are stated
may apply. It can be read and printed with scripts off.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from models.plan import Outcome, Plan
from optimizer.report.changes import changes
from optimizer.report.commitments import commitments
from optimizer.report.comparison import comparison
from optimizer.report.constraints import constraints
from optimizer.report.figures import headline
from optimizer.report.loads import loads
from optimizer.report.map import draw_map
from optimizer.report.method import method
from optimizer.report.money import breakdowns
from optimizer.report.running import running
from optimizer.report.shadow import shadow
from optimizer.report.spot_risk import spot_risk
from optimizer.report.wording import visible


def render_plan(plan: Plan) -> str:
    """The cost report of a plan: a whole HTML document, the same for the same plan."""
    return render(
        "plan.html.j2",
        head=headline(plan),
        breakdowns=breakdowns(plan),
        shadow=shadow(plan),
        loads=loads(plan),
        map=draw_map(plan),
        running=running(plan),
        commitments=commitments(plan),
        constraints=constraints(plan),
        spot=spot_risk(plan),
        changes=changes(plan),
        method=method(plan),
    )


def render_comparison(
    base: Plan,
    others: Sequence[tuple[str, Outcome]],
    changes: Mapping[str, Sequence[str]] | None = None,
) -> str:
    """What-ifs beside the base plan: a whole HTML document.

    ``others`` are (scenario name, outcome) in the order to show; ``changes`` says in words, by
    scenario name, what each changes.
    """
    return render("comparison.html.j2", compared=comparison(base, others, changes or {}))


def render(template: str, **values: object) -> str:
    """A template of this package as a whole document, with style, script and policy."""
    environment = _environment()
    style = environment.get_template("style.css.j2").render()
    script = environment.get_template("script.js.j2").render()
    return environment.get_template(template).render(
        style=Markup(style),  # noqa: S704 - package data
        script=Markup(script),  # noqa: S704 - package data
        policy=(
            f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
            "base-uri 'none'; form-action 'none'"
        ),
        **values,
    )


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("optimizer.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _finalize(value: object) -> object:
    """Every value of a template passes here before it is escaped."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return visible(value)
    return value


def _digest(text: str) -> str:
    """Content Security Policy Level 3, hash source."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
