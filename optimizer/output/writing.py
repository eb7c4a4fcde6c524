"""Files that appear all at once or not at all.

A folder of results is written under another name beside its destination, flushed to the disk and
then put in its place by one rename. Whatever goes wrong, and whenever the process dies, the
destination holds either all of the old files or all of the new ones. What was half written lies
in a hidden folder beside it (``.NAME.trimtab-…``), which may be deleted.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import shutil
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from models.errors import NOWHERE, Fault, FaultyInput, OutputFailed

OURS: Final = frozenset(
    {
        "plan.json",
        "report.html",
        "counts.csv",
        "routes.csv",
        "bill.csv",
        "shadow.csv",
        "scenarios.csv",
        "commitments.csv",
        "demand.csv",
        "binding.csv",
        "exclusions.csv",
        "forecast.csv",
        "spot_risk.csv",
        "changes.csv",
        "memory.npz",
        "comparison.json",
        "comparison.csv",
        "comparison.html",
        "grade.json",
        "grade.csv",
        "grade.html",
        "forecast.json",
        "forecast.html",
        "quantiles.csv",
        "totals.csv",
        "tracked.csv",
        "nodes.json",
        "nodes.csv",
        "nodes.html",
        "simulation.json",
        "simulation.csv",
        "simulation.html",
        "frontier.csv",
    }
)
"""Every file that any version of trimtab writes into a folder of results."""

_MARKERS: Final = (
    "plan.json", "comparison.json", "nodes.json", "grade.json", "forecast.json", "simulation.json",
)  # fmt: skip
_MARK: Final = re.compile(
    rb'\A\s*\{\s*"format":\s*"trimtab-(plan|comparison|nodes|grade|forecast|simulation)"'
)
_AT_CURRENT_FOLDER: Final = -100  # AT_FDCWD of fcntl.h
_EXCHANGE: Final = 2  # RENAME_EXCHANGE of linux/fs.h
_NO_EXCHANGE: Final = {errno.ENOSYS, errno.EINVAL, errno.ENOTSUP}


def check_destination(out: Path) -> None:
    """Refuse a destination that holds anything but earlier results of trimtab.

    Raises ``FaultyInput``; call it before long work as well, so that nobody waits in vain.
    """
    problem = _objection(out)
    if problem:
        hint = "choose a new or an empty folder with --out"
        raise FaultyInput([Fault(NOWHERE, f"cannot write results to {out}: {problem}", hint)])


def write_folder(out: Path, files: Mapping[str, bytes]) -> None:
    """Make ``out`` a folder of exactly ``files``, at once.

    An existing folder is replaced when it is empty or holds earlier results, else ``FaultyInput``
    is raised. ``OutputFailed`` when the system refuses; the folder is then as it was.
    """
    unknown = files.keys() - OURS
    if unknown:
        raise ValueError(f"not listed as files of trimtab: {sorted(unknown)}")
    out = Path(os.path.realpath(out))
    staging = out.with_name(f".{out.name}.trimtab-{os.getpid()}")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        _bring_back(out)
        check_destination(out)
        _stage(staging, files)
        _put_in_place(staging, out)
    except OSError as error:
        hint = "; mounted folders cannot be replaced: choose a folder inside"
        advice = hint if error.errno in {errno.EBUSY, errno.EXDEV} else ""
        raise OutputFailed(
            f"could not write {out}: {error.strerror or error}{advice} (nothing there has changed)"
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)  # what is new and failed, or what was replaced


def _objection(out: Path) -> str:
    """Why a destination cannot be replaced, or nothing."""
    try:
        if not out.exists():
            return ""
        if not out.is_dir():
            return "it is a file"
        if Path.cwd().is_relative_to(os.path.realpath(out)):
            return "it is, or holds, the folder you are in"
        names = {path.name for path in out.iterdir()}
        if names and not any(_is_marked(out / marker) for marker in _MARKERS):
            return "it holds files that trimtab did not write"
    except OSError as error:
        return f"it cannot be read ({error.strerror})"
    foreign = sorted(names - OURS)
    return f"it also holds {', '.join(foreign[:3])}, which trimtab did not write" if foreign else ""


def _is_marked(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return _MARK.match(file.read(200)) is not None


def _stage(staging: Path, files: Mapping[str, bytes]) -> None:
    shutil.rmtree(staging, ignore_errors=True)  # of a dead process that had our number
    staging.mkdir()
    for name, content in files.items():
        with (staging / name).open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    _flush(staging)


def _flush(folder: Path) -> None:
    """Make the folder's entries durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _put_in_place(staging: Path, out: Path) -> None:
    """One rename where the system can do it; afterwards ``staging`` holds what was replaced."""
    if not out.exists() or not any(out.iterdir()):
        staging.rename(out)  # POSIX replaces an empty folder
    elif not _exchange(staging, out):
        _move_aside(staging, out)
    with suppress(OSError):  # the new files are there; some file systems cannot flush a folder
        _flush(out.parent)


def _move_aside(staging: Path, out: Path) -> None:
    """Replace in two renames; between them, only the hidden name of the old folder exists.

    ``_bring_back`` mends it, at the next run, should the process die right then.
    """
    previous = _previous(out)
    out.rename(previous)
    try:
        staging.rename(out)
    except OSError:
        previous.rename(out)
        raise
    shutil.rmtree(previous, ignore_errors=True)


def _previous(out: Path) -> Path:
    return out.with_name(f".{out.name}.trimtab-previous")


def _bring_back(out: Path) -> None:
    """Undo a replacement that died half-way."""
    if not out.exists() and _previous(out).exists():
        _previous(out).rename(out)
    shutil.rmtree(_previous(out), ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two folders atomically; False where the system or its file system cannot."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2  # since glibc 2.28
    except AttributeError:
        return False
    names = os.fsencode(one), os.fsencode(other)
    if renameat2(_AT_CURRENT_FOLDER, names[0], _AT_CURRENT_FOLDER, names[1], _EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in _NO_EXCHANGE:
        return False
    raise OSError(code, os.strerror(code), str(other))
