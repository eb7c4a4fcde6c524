"""The built wheel holds everything, and works far from the repository."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FLOORS = ("models", "scenarios", "providers", "optimizer")


def run(*command: str | Path, cwd: Path) -> str:
    """Standard output of a command that sees nothing of this process's own environment."""
    environment = {"PATH": os.defpath, "HOME": str(cwd), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that leftovers of earlier builds cannot slip in."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for floor in FLOORS:
        shutil.copytree(ROOT / floor, source / floor, ignore=shutil.ignore_patterns("__pycache__"))
    pip = (sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index")
    run(*pip, "--wheel-dir", folder, source, cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def trimtab(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The command, installed into an environment that sees the dependencies but not this project.

    A ``.pth`` file in the folder that it points at is not read, so an editable install there is
    out of sight.
    """
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, symlinks=True)
    (site_packages,) = folder.glob("lib/python*/site-packages")
    (site_packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    python = folder / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index")
    run(*pip, wheel, cwd=folder)
    return folder / "bin" / "trimtab"


def test_the_wheel_holds_every_file_and_nothing_else(wheel: Path) -> None:
    on_disk = {
        path.relative_to(ROOT).as_posix()
        for floor in FLOORS
        for path in (ROOT / floor).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    names = zipfile.ZipFile(wheel).namelist()
    assert {name for name in names if ".dist-info/" not in name} == on_disk


def test_it_plans_from_a_foreign_folder(trimtab: Path, tmp_path: Path) -> None:
    assert run(trimtab, "--version", cwd=tmp_path).strip().endswith("0.1.0")
    assert run(trimtab, "prices", "--cheapest", "3", cwd=tmp_path).strip()
    run(trimtab, "plan", "shop", "--out", "plan", cwd=tmp_path)
    assert (tmp_path / "plan" / "report.html").stat().st_size > 0
    assert (tmp_path / "plan" / "plan.json").stat().st_size > 0
