"""The work behind anomalies. Heavy: the command imports it when it runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from math import log10
from pathlib import Path

from models.errors import UnusableData
from optimizer.anomalies.detect import Known, detect
from optimizer.anomalies.state import MEMORY_STEPS
from optimizer.cli.options import Format
from optimizer.cli.progress import watching
from optimizer.cli.screen import say, stdout_screen
from optimizer.cli.straying import Stretch
from optimizer.output.anomalies_text import anomalies_document, anomalies_text
from optimizer.output.json_values import json_text
from providers.telemetry.store import Store


def show_anomalies(
    folder: Path,
    last: timedelta,
    once_in: int,
    stretches: Sequence[Stretch],
    form: Format,
    *,
    quiet: bool,
) -> None:
    """What strays in the window that ends with the last value; before it, as much is read as a
    series remembers.
    """
    store = Store(folder)
    until = store.measured_until()
    if until is None:
        raise UnusableData(f"{folder} holds no telemetry yet")
    since = until - last
    known = [Known(*stretch) for stretch in stretches]
    with watching(quiet) as watch, watch.stage("look for what strays"):
        signals = store.read(since - timedelta(seconds=MEMORY_STEPS * store.step_s), until)
        found = [one for one in detect(signals, known, log10(once_in)) if one.ends > since]
    if form is Format.JSON:
        say(json_text(anomalies_document(found)))
        return
    screen = stdout_screen()
    say(anomalies_text(found, screen.width, screen.colour))
