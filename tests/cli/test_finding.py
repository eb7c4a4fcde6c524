"""Names on the command line mean files, worlds that ship, or what is nearest to them."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.errors import FaultyInput
from optimizer.cli import facts, options
from optimizer.cli.finding import WORLD_FILE, bundled_worlds, find_scenarios, find_world
from scenarios import documents


def test_files_and_folders(tiny: Path) -> None:
    assert find_world(str(tiny)) == find_world(str(tiny / "world.yaml")) == tiny / "world.yaml"


@pytest.mark.parametrize("name", ["shop", "scenarios/shop", "scenarios/shop/"])
def test_the_shop_ships_and_is_found_from_anywhere(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = find_world(name)
    assert found.is_file()
    assert found.parts[-3:] == ("scenarios", "shop", "world.yaml")
    assert "shop" in bundled_worlds()


def test_what_is_on_disk_comes_first(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tiny.rename(tmp_path / "shop")
    assert find_world("shop") == Path("shop/world.yaml")


@pytest.mark.parametrize(
    ("name", "hint"), [("shpo", "did you mean shop"), ("qqq", "bundled worlds: ")]
)
def test_unknown_worlds(name: str, hint: str) -> None:
    with pytest.raises(FaultyInput) as refusal:
        find_world(name)
    assert hint in refusal.value.faults[0].suggestion


def test_scenarios_by_file_folder_and_name_each_once(tiny: Path) -> None:
    lost, poor = (tiny / "whatifs" / f"{name}.yaml" for name in ("lost", "poor"))
    world = tiny / "world.yaml"
    assert find_scenarios(["poor", "lost"], world) == (poor, lost)
    assert find_scenarios([str(lost), str(tiny / "whatifs")], world) == (lost, poor)
    assert find_scenarios(["whatifs"], world) == (lost, poor)


def test_all_unknown_scenarios_are_named(tiny: Path) -> None:
    with pytest.raises(FaultyInput) as refusal:
        find_scenarios(["lots", "qqq", "lost"], tiny / "world.yaml")
    assert [fault.suggestion for fault in refusal.value.faults] == [
        "did you mean lost?",
        "this world has: lost, poor",
    ]


def test_a_folder_without_scenarios_says_so(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(FaultyInput, match="no scenario"):
        find_scenarios([str(tmp_path / "empty")], tiny / "world.yaml")


def test_light_copies_agree_with_what_they_copy() -> None:
    from models.offerings import Architecture, Purchase
    from optimizer.late import BACKENDS

    assert WORLD_FILE == documents.WORLD_FILE
    assert [*facts.CpuArchitecture] == [*Architecture]
    assert [*facts.PurchaseOption] == [*Purchase]
    assert {*options.Backend} == {*BACKENDS}
