"""Writing a world as a folder of files, all of it or nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pandas as pd
import yaml

from models.errors import Fault, FaultyInput, Location, OutputFailed

LINE: Final = 100


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A folder to write into, which becomes ``out`` when all went well.

    Raises ``FaultyInput`` when ``out`` holds anything already, and ``OutputFailed`` when writing
    fails; then nothing is left behind.
    """
    hint = "name a folder that does not exist yet, or an empty one"
    try:
        if out.is_dir() and any(out.iterdir()):
            raise FaultyInput([Fault(Location(str(out)), "the folder is not empty", hint)])
        if out.exists() and not out.is_dir():
            raise FaultyInput([Fault(Location(str(out)), "this is a file", hint)])
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as temporary:
            folder = Path(temporary) / out.name
            folder.mkdir()
            yield folder
            if out.is_dir():
                out.rmdir()  # empty; elsewhere than on POSIX nothing may be renamed onto it
            folder.rename(out)
    except OSError as error:
        raise OutputFailed(f"{out}: the world could not be written: {error}") from error


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 with ``\\n`` line ends on every system."""
    path.write_text(text, encoding="utf-8", newline="\n")


def entry(key: str, value: Any) -> str:
    """One key of a YAML document; items of lists stand on a line each."""
    if isinstance(value, list):
        lines = [f"{key}:", *(f"  - {_flow(item)}" for item in value)]
        return "\n".join(lines) + "\n"
    return f"{key}: {_flow(value)}\n"


def _flow(value: Any) -> str:
    text: str = yaml.safe_dump(
        value, default_flow_style=True, sort_keys=False, width=float("inf"), allow_unicode=True
    )
    return text.removesuffix("...\n").rstrip("\n")


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """CSV or Parquet, by the suffix of ``path``."""
    if path.suffix == ".parquet":
        frame.to_parquet(path, index=False, compression="zstd")
    else:
        frame.to_csv(path, index=False, lineterminator="\n", date_format="%Y-%m-%dT%H:%M:%SZ")
