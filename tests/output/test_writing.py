"""Results appear all at once or not at all, whatever fails and whenever."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from models.errors import FaultyInput, OutputFailed
from optimizer.output.writing import check_destination, write_folder

MARK = b'{\n  "format": "trimtab-plan",\n'
OLD = {"plan.json": MARK + b'"old": 1}', "counts.csv": b"old", "report.html": b"<p>old"}
NEW = {"plan.json": MARK + b'"new": 1}', "counts.csv": b"new" * 10_000}


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def hidden(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("before", ["missing", "missing parent", "empty", "old", "link to old"])
def test_a_folder_is_made_or_replaced(tmp_path: Path, before: str) -> None:
    out = tmp_path / "deep" / "out" if before == "missing parent" else tmp_path / "out"
    if before == "empty":
        out.mkdir()
    if before == "old":
        write_folder(out, OLD)
    if before == "link to old":
        write_folder(tmp_path / "real", OLD)
        out.symlink_to(tmp_path / "real")
    write_folder(out, NEW)
    assert contents(out) == NEW
    assert out.is_symlink() == (before == "link to old")
    assert hidden(out.parent) == []


def test_files_can_be_read_by_those_whom_the_mask_allows(tmp_path: Path) -> None:
    write_folder(tmp_path / "out", NEW)
    mask = os.umask(0)
    os.umask(mask)
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o777 & ~mask
    assert (tmp_path / "out" / "plan.json").stat().st_mode & 0o777 == 0o666 & ~mask


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({"thesis.tex": b"years of work"}, "holds files that trimtab did not write"),
        ({"plan.json": b'{"plan": "of a garden"}'}, "holds files that trimtab did not write"),
        ({**OLD, "notes.txt": b"mine"}, "also holds notes.txt"),
    ],
)
def test_what_others_wrote_is_never_replaced(
    tmp_path: Path, files: dict[str, bytes], complaint: str
) -> None:
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(FaultyInput, match=complaint) as refusal:
        write_folder(tmp_path, NEW)
    assert "choose a new or an empty folder" in refusal.value.faults[0].suggestion
    assert contents(tmp_path) == files


def test_a_file_is_no_destination(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("precious")
    with pytest.raises(FaultyInput, match="it is a file"):
        check_destination(tmp_path / "out")


def test_the_current_folder_is_no_destination(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FaultyInput, match="the folder you are in"):
        check_destination(Path())


def test_only_listed_names_are_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"notes\.txt"):
        write_folder(tmp_path / "out", {"notes.txt": b""})


def test_a_parent_that_is_a_file_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputFailed, match="nothing there has changed"):
        write_folder(tmp_path / "file" / "out", NEW)


def run(script: str, *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


PREAMBLE = f"""
import errno, os, resource, signal, sys
from pathlib import Path
from models.errors import OutputFailed
from optimizer.output import writing
OLD, NEW = {OLD!r}, {NEW!r}
root, how = Path(sys.argv[1]), sys.argv[2]
"""

FULL_DISK = """
writing.write_folder(root / "out", OLD)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    writing.write_folder(root / "out", NEW)
except OutputFailed as error:
    print(error)
"""


def test_when_a_file_cannot_grow_the_old_results_stay(tmp_path: Path) -> None:
    assert "nothing there has changed" in run(PREAMBLE + FULL_DISK, tmp_path, "")
    assert contents(tmp_path / "out") == OLD
    assert hidden(tmp_path) == []


# Audit events stand before every step that touches the file system, so a hook on them can end the
# process, or make the step fail, at each one in turn: a child per step, until one gets through.
EVERY_STEP = """
STEPS = {"open", "os.listdir", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.scandir"}
if "aside" in how:
    writing._exchange = lambda one, other: False  # a file system without exchange
for step in range(200):
    out = root / str(step) / "out"
    writing.write_folder(out, OLD)
    child = os.fork()
    if child == 0:
        left = step
        def hook(event, arguments):
            global left
            if event in STEPS:
                left -= 1
                if left == -1:
                    if "kill" in how:
                        os.kill(os.getpid(), signal.SIGKILL)
                    raise OSError(errno.ENOSPC, "No space left on device")
        sys.addaudithook(hook)
        try:
            writing.write_folder(out, NEW)
        except OutputFailed:
            os._exit(1)
        os._exit(0 if left < 0 else 2)
    status = os.waitpid(child, 0)[1]
    print(step, "killed" if os.WIFSIGNALED(status) else os.WEXITSTATUS(status))
    if os.WIFEXITED(status) and os.WEXITSTATUS(status) == 2:
        break
"""


def outcomes(tmp_path: Path, how: str) -> list[tuple[Path, str]]:
    printed = [line.split() for line in run(PREAMBLE + EVERY_STEP, tmp_path, how).splitlines()]
    assert printed[-1][1] == "2", "the last attempt meets no failure"
    return [(tmp_path / step / "out", result) for step, result in printed]


@pytest.mark.parametrize("how", ["fail", "fail aside"])
def test_whichever_step_fails_the_results_are_whole(tmp_path: Path, how: str) -> None:
    attempts = outcomes(tmp_path, how)
    assert [result for _, result in attempts].count("1") > len(NEW)
    for out, result in attempts:
        assert contents(out) == (OLD if result == "1" else NEW), out


def test_whenever_the_process_dies_the_results_are_whole(tmp_path: Path) -> None:
    attempts = outcomes(tmp_path, "kill")
    found = [contents(out) for out, _ in attempts]
    assert found.count(OLD) > len(NEW)
    assert found.count(NEW) > 1  # it may also die while it tidies up
    assert found.count(OLD) + found.count(NEW) == len(attempts)


def test_without_exchange_the_next_run_mends_what_a_dead_one_left(tmp_path: Path) -> None:
    attempts = outcomes(tmp_path, "kill aside")
    missing = [out for out, _ in attempts if not out.exists()]
    assert len(missing) == 1
    for out, _ in attempts:
        aside = out.with_name(".out.trimtab-previous")
        assert contents(out if out.exists() else aside) in (OLD, NEW)
        write_folder(out, NEW)
        assert contents(out) == NEW
        assert not aside.exists()
