"""Help, versions, exit codes, and how failures are told."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import typer.main

from models.errors import Fault, FaultyInput, Location, OutputFailed, SolverFailed, UnusableData
from optimizer.cli.exits import EXIT_CODES_IN_WORDS, ExitCode, end_of
from optimizer.cli.main import COMMANDS, app
from optimizer.output.writing import OURS

Trimtab = Callable[..., Any]
DOCS = Path(__file__).parents[2] / "docs"
GROUP: Any = typer.main.get_command(app)


def test_help_tells_commands_and_exit_codes(trimtab: Trimtab) -> None:
    done = trimtab("--help")
    assert done.code == 0
    for name in COMMANDS:
        assert re.search(rf"^  {name} +[A-Z].*\.$", done.out, re.M), name
    for code, said in EXIT_CODES_IN_WORDS.items():
        assert re.search(rf"^ +{code.value} +{re.escape(said)}$", done.out, re.M)


@pytest.mark.parametrize("name", [*COMMANDS, "version"])
def test_every_option_has_help(name: str) -> None:
    assert [p.name for p in GROUP.commands[name].params if not p.help] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_an_example_that_parses(trimtab: Trimtab, name: str) -> None:
    example = COMMANDS[name].example
    assert example in trimtab(name, "--help").out
    program, command, *arguments = shlex.split(example.partition(">")[0])
    assert (program, command) == ("trimtab", name)
    GROUP.commands[name].make_context(name, arguments)


@pytest.mark.parametrize("arguments", [["--version"], ["version"]])
def test_version(trimtab: Trimtab, arguments: list[str]) -> None:
    assert trimtab(*arguments).out == f"trimtab {version('trimtab')}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["plan"],
        ["plan", "shop", "--gap", "2"],
        ["plan", "shop", "--gap", "nan"],
        ["plan", "shop", "--time-limit", "inf"],
        ["plan", "shop", "--time-limit", "-1"],
        ["plan", "shop", "--backend", "abacus"],
        ["plan", "shop", "--workers", "0"],
        ["whatif", "shop", "flash-sale", "--workers", "2", "--dask", "tcp://127.0.0.1:1"],
        ["prices", "--cheapest", "0"],
        ["schema", "novel"],
        ["fly"],
    ],
)
def test_a_wrong_command_line_is_bad_input(trimtab: Trimtab, arguments: list[str]) -> None:
    done = trimtab(*arguments)
    assert (done.code, done.out) == (ExitCode.BAD_INPUT, "")
    assert "Usage: trimtab" in done.err


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (SolverFailed("it broke"), ExitCode.FAILED, "it broke\n"),
        (OutputFailed("no room"), ExitCode.FAILED, "no room\n"),
        (UnusableData("prices are gone"), ExitCode.BAD_INPUT, "prices are gone\n"),
        (
            FaultyInput([Fault(Location("w.yaml", 3), "odd \x1b[2Jname", "write it so")]),
            ExitCode.BAD_INPUT,
            "w.yaml:3: odd name\n    → write it so\n",
        ),
        (
            FaultyInput([Fault(Location("w.yaml", 3), "b"), Fault(Location("w.yaml", 2), "a")]),
            ExitCode.BAD_INPUT,
            "2 faults in the input:\nw.yaml:2: a\nw.yaml:3: b\n",
        ),
        (
            KeyError("surprise"),
            ExitCode.FAILED,
            "trimtab failed: KeyError: 'surprise'\n    → run again with --debug to see where\n",
        ),
    ],
)
def test_failures_are_told_in_a_few_lines(
    capsys: pytest.CaptureFixture[str], error: Exception, code: ExitCode, said: str
) -> None:
    assert end_of(error, debug=False) is code
    assert capsys.readouterr().err == said


def test_tracebacks_are_for_debugging(trimtab: Trimtab, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Traceback" not in trimtab("validate", "nowhere").err
    for place in (["--debug", "validate", "nowhere"], ["validate", "nowhere", "--debug"]):
        done = trimtab(*place)
        assert (done.code, "Traceback" in done.err) == (ExitCode.BAD_INPUT, True)
    monkeypatch.setenv("TRIMTAB_DEBUG", "1")
    assert "Traceback" in trimtab("validate", "nowhere").err


def test_the_guide_names_every_command_option_and_exit_code() -> None:
    guide = (DOCS / "cli.md").read_text(encoding="utf-8")
    options = {
        option
        for name in COMMANDS
        for param in GROUP.commands[name].params
        for option in param.opts
        if option.startswith("--")
    }
    assert [option for option in sorted(options) if f"`{option}" not in guide] == []
    assert [n for n in COMMANDS if not re.search(rf"^## `trimtab {n}[ `]", guide, re.M)] == []
    for code in ExitCode:
        assert re.search(rf"^\| {code.value} \|", guide, re.M)


def test_the_guide_names_every_file() -> None:
    guide = (DOCS / "outputs.md").read_text(encoding="utf-8")
    assert [name for name in sorted(OURS) if f"`{name}`" not in guide] == []
