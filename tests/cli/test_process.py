"""What only a process of its own shows: what is imported, terminals, pipes and signals."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

MAIN = "from optimizer.cli.main import run; run()"


def start(
    *arguments: str, script: str = MAIN, **settings: object
) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own."""
    usual = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "timeout": 60}
    done: subprocess.CompletedProcess[str] = subprocess.run(  # type: ignore[call-overload]
        [sys.executable, "-c", script, *arguments], check=False, **(usual | settings)
    )
    return done


IMPORTED = """
import sys
from optimizer.cli.main import run
try:
    run()
except SystemExit:
    print(*{name.partition(".")[0] for name in sys.modules}, file=sys.stderr)
"""


@pytest.mark.parametrize("arguments", [["--help"], ["plan", "--help"], ["prices", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    done = start(*arguments, script=IMPORTED)
    assert "Usage: trimtab" in done.stdout
    imported = set(done.stderr.split())
    heavy = {"distributed", "jinja2", "libcloud", "numpy", "ortools", "pandas", "pulp", "scipy"}
    assert "typer" in imported
    assert imported & heavy == set()
    if arguments == ["--help"]:
        assert imported & {"pydantic", "rich", "yaml"} == set()


# A solver's own code cannot be interrupted by Python, nor can a thread that waits for ever. Jobs
# that a shell starts in the background ignore SIGINT and hand that down: undo it.
INTERRUPTED = """
import os, signal, sys, threading
signal.signal(signal.SIGINT, signal.default_int_handler)
from optimizer.cli import solving
from optimizer.cli.main import run
def solve_for_ever(*_, **__):
    threading.Timer(0, os.kill, (os.getpid(), signal.SIGINT)).start()
    threading.Event().wait()
solving.make_plan = solve_for_ever
run()
"""


def test_ctrl_c_ends_a_solve_at_once_and_writes_nothing(tiny: Path) -> None:
    done = start("plan", str(tiny), "--out", str(tiny.parent / "out"), script=INTERRUPTED)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
    assert not (tiny.parent / "out").exists()


def test_a_reader_that_has_gone_is_no_failure() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = start("regions", stdout=writer)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


def on_a_terminal(*arguments: str, script: str = MAIN, stream: str = "stdout", **env: str) -> str:
    """What a terminal gets to see on one of the streams."""
    terminal, side = pty.openpty()
    settings = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, stream: side}
    clean = {key: value for key, value in os.environ.items() if key not in {"NO_COLOR", "TERM"}}
    done = start(
        *arguments,
        script=script,
        env=clean | {"TERM": "xterm", "COLUMNS": "80"} | env,
        **settings,
    )
    os.close(side)
    assert done.returncode == 0
    seen = b""
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # Linux: the other side is closed and empty
            break
        if not part:
            break
        seen += part
    os.close(terminal)
    return seen.decode()


def test_colour_is_for_terminals_that_want_it() -> None:
    assert "\x1b[" in on_a_terminal("regions", "--cloud", "azure")
    assert "\x1b" not in on_a_terminal("regions", "--cloud", "azure", NO_COLOR="1")
    assert "\x1b" not in on_a_terminal("regions", "--cloud", "azure", TERM="dumb")
    piped = start("regions", "--cloud", "azure")
    assert "azure/westeurope" in piped.stdout
    assert "\x1b" not in piped.stdout


WATCHED = """
import sys
from optimizer.cli.progress import watching
with watching(quiet="--quiet" in sys.argv) as watch:
    with watch.stage("solve [red]", 2) as stage:
        stage.advance()
        watch.note("gap 0.4 %")
"""


def test_progress_is_for_terminals_only_and_on_stderr() -> None:
    shown = on_a_terminal(script=WATCHED, stream="stderr")
    assert "solve [red]" in shown
    assert "gap 0.4 %" in shown
    assert on_a_terminal(script=WATCHED, stream="stdout") == ""
    assert on_a_terminal("--quiet", script=WATCHED, stream="stderr") == ""
    piped = start(script=WATCHED)
    assert (piped.stdout, piped.stderr) == ("", "")


def test_text_that_a_terminal_cannot_show_is_replaced() -> None:
    env = {**os.environ, "PYTHONIOENCODING": "ascii", "COLUMNS": "80"}
    done = start("regions", "--cloud", "gcp", env=env)
    assert done.returncode == 0
    assert "gcp/europe-west3" in done.stdout
