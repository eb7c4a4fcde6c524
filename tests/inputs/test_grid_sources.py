"""What grids emit: the built-in table, the world's own file, and one figure for the rest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from models.errors import FaultyInput
from models.world import World
from optimizer.gather import gather

Write = Callable[..., Path]
PLACES = "places: {places: [aws/eu-west-1, aws/us-east-1, gcp/europe-west1]}"


def gathered(write: Write, carbon: str, **files: str) -> World:
    replaced = {
        "places: {continents: [Europe, North America]}": f"{PLACES}\n{carbon}",
        "prices: {book: embedded}": "prices: {unpriced: report}",
        "policy: {": "policy: {carbon_usd_per_tonne: 40, ",
    }
    world, _ = gather(write(replaced, **files))
    return world


def figures(world: World) -> dict[str, float | None]:
    return {region.place: region.gco2e_per_kwh for region in world.regions}


def test_a_file_overrides_the_table_and_the_rest_has_one_figure(write: Write) -> None:
    grids = "place,gco2e_per_kwh\ngcp/europe-west1,99\n"
    carbon = "carbon: {file: grids.csv, elsewhere_gco2e_per_kwh: 650}"
    world = gathered(write, carbon, grids_csv=grids)
    assert world.policy.carbon_usd_per_tonne == 40
    assert world.counts_besides == "carbon"
    assert figures(world) == {
        "aws/eu-west-1": 650.0,
        "aws/us-east-1": 343.48,
        "gcp/europe-west1": 99.0,
    }


def test_a_place_that_nobody_knows_is_a_fault_that_says_where(write: Write) -> None:
    with pytest.raises(FaultyInput) as caught:
        gathered(write, "")
    (fault,) = caught.value.faults
    assert "not known for aws/eu-west-1" in fault.message
    assert "us-east-1" not in fault.message
    assert fault.at.line > 1


def test_faults_of_the_file_name_the_file(write: Write) -> None:
    with pytest.raises(FaultyInput) as caught:
        gathered(write, "carbon: {file: grids.csv}", grids_csv="place,gco2e_per_kwh\nmars,1\n")
    (fault,) = caught.value.faults
    assert fault.at.file.endswith("grids.csv")
