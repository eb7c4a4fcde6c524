"""The page in a real browser: it runs its one script and complains of nothing."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from played_worlds import compared_policies

from models.plan import Plan
from optimizer.expectations import Expectations
from optimizer.report.forecast import render_forecast
from optimizer.report.page import render_comparison, render_plan
from optimizer.report.simulation import render_simulation

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--enable-logging=stderr", "--v=0",
)  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> str:
    if BROWSER is None:
        pytest.skip("no Chromium found: the report is not opened in a browser")
    return BROWSER


def opened(browser: str, page: str, folder: Path) -> tuple[str, list[str]]:
    """The document after its script has run, and what the console said."""
    file = folder / "report.html"
    file.write_text(page, encoding="utf-8")
    run = subprocess.run(
        [browser, *QUIET, f"--user-data-dir={folder / 'profile'}", "--dump-dom", file.as_uri()],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return run.stdout, re.findall(r":CONSOLE.*", run.stderr)


def test_report_opens_without_complaint(browser: str, plan: Plan, tmp_path: Path) -> None:
    document, console = opened(browser, render_plan(plan), tmp_path)
    assert console == []
    assert '<html lang="en" class="scripted">' in document  # the policy lets the script run
    assert document.count("<figure") == len(plan.world.services)


def test_forecast_opens_without_complaint(browser: str, plan: Plan, tmp_path: Path) -> None:
    past = np.ones((len(plan.forecast.series), 48))
    page = render_forecast(Expectations(plan.world, past, plan.forecast))
    document, console = opened(browser, page, tmp_path)
    assert console == []
    assert document.count("<figure") == len(plan.forecast.series)


def test_hostile_names_run_nothing(
    browser: str, plan_of: Callable[..., Plan], tmp_path: Path
) -> None:
    attack = '"\'></title></svg><script>document.title="owned"</script><img src=x onerror=alert(1)>'
    plan = plan_of(name=lambda text: text + attack)
    for page in (render_plan(plan), render_comparison(plan, [(attack, plan)], {attack: [attack]})):
        document, console = opened(browser, page, tmp_path)
        assert console == []
        assert "<img" not in document
        assert document.count("<script>") == 1


def test_simulation_opens_whatever_names_hold(browser: str, tmp_path: Path) -> None:
    attack = '"\'></title></svg><script>document.title="owned"</script><img src=x onerror=alert(1)>'
    it = compared_policies(attack)
    hostile = replace(
        it.study,
        world=attack,
        held=tuple(replace(one, place=attack) for one in it.study.held),
        found=tuple(replace(one, chosen=attack) for one in it.study.found),
    )
    document, console = opened(browser, render_simulation(replace(it, study=hostile)), tmp_path)
    assert console == []
    assert "<img" not in document
    assert document.count("<script>") == 1


def test_console_is_heard(browser: str, plan: Plan, tmp_path: Path) -> None:
    """A script that the policy does not know is refused, and the refusal is seen here."""
    page = render_plan(plan).replace("</main>", "</main><script>document.title = 1</script>")
    _, console = opened(browser, page, tmp_path)
    assert any("Content Security Policy" in line for line in console)
