"""Which files the names on the command line mean."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Final

import scenarios
from models.errors import NOWHERE, Fault, FaultyInput

WORLD_FILE: Final = "world.yaml"
WHATIFS: Final = "whatifs"
_BUNDLE: Final = Path(scenarios.__file__).parent


def bundled_worlds() -> tuple[str, ...]:
    """Names of the worlds that ship with trimtab."""
    return tuple(sorted(path.parent.name for path in _BUNDLE.glob(f"*/{WORLD_FILE}")))


def find_world(name: str) -> Path:
    """The world file that ``name`` means: a file, a folder that holds one, or a bundled world.

    What is on disk comes first. Bundled worlds go by their name (``shop``), also with the folder
    in front that holds them in the source tree (``scenarios/shop``).
    """
    path = Path(name)
    try:
        if path.is_file():
            return path
        if (path / WORLD_FILE).is_file():
            return path / WORLD_FILE
    except PermissionError as error:
        hint = "check who may read the folder"
        raise FaultyInput([Fault(NOWHERE, f"{name} may not be read", hint)]) from error
    except OSError as error:
        message = f"{name} cannot be read: {error.strerror}"
        raise FaultyInput([Fault(NOWHERE, message)]) from error
    bundled = name.removeprefix("scenarios/").rstrip("/")
    if bundled in bundled_worlds():
        return _BUNDLE / bundled / WORLD_FILE
    known = bundled_worlds()
    near = get_close_matches(bundled, known, 1)
    hint = f"did you mean {near[0]}?" if near else f"bundled worlds: {', '.join(known)}"
    if path.is_dir():
        raise FaultyInput([Fault(NOWHERE, f"there is no {WORLD_FILE} in {name}", hint)])
    raise FaultyInput([Fault(NOWHERE, f"there is no world {name}", hint)])


def find_scenarios(names: Sequence[str], world: Path) -> tuple[Path, ...]:
    """Scenario files, in order, each once: files, folders of them, or names beside the world.

    A name that is not on disk is looked for in the world's folder and among its ``whatifs``, with
    or without ``.yaml``. Raises ``FaultyInput`` with every name that means nothing.
    """
    found: dict[Path, None] = {}
    faults = []
    for name in names:
        files = _scenario_files(name, world.parent)
        if not files:
            faults.append(_no_scenario(name, world.parent))
        found.update(dict.fromkeys(files))
    if faults:
        raise FaultyInput(faults)
    return tuple(found)


def _scenario_files(name: str, folder: Path) -> tuple[Path, ...]:
    inside = folder / WHATIFS
    beside = (folder / name, folder / f"{name}.yaml", inside / name, inside / f"{name}.yaml")
    for path in (Path(name), *beside):
        if path.is_file():
            return (path,)
        if path.is_dir():
            return tuple(p for p in sorted(path.glob("*.yaml")) if p.name != WORLD_FILE)
    return ()


def _no_scenario(name: str, folder: Path) -> Fault:
    known = sorted(path.stem for path in (folder / WHATIFS).glob("*.yaml"))
    near = get_close_matches(Path(name).stem, known, 1)
    hint = f"did you mean {near[0]}?" if near else f"this world has: {', '.join(known)}"
    if Path(name).is_dir():
        return Fault(NOWHERE, f"there is no scenario (*.yaml) in {name}", hint if known else "")
    return Fault(NOWHERE, f"there is no scenario {name}", hint if known else "give a YAML file")
