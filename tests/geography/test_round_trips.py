"""Measured round trips are read whole, or refused with every fault."""

from pathlib import Path

import numpy as np
import pytest

from models.errors import Fault, FaultyInput
from models.places import Coordinates
from providers.geography.round_trips import read_round_trips

KNOWN = ("aws/eu-west-1", "aws/us-east-1", "gcp/europe-west1", "berlin")


def written(folder: Path, text: str) -> Path:
    file = folder / "rtt.csv"
    file.write_text(text, encoding="utf-8")
    return file


def faults_of(file: Path) -> tuple[Fault, ...]:
    with pytest.raises(FaultyInput) as caught:
        read_round_trips(file, KNOWN)
    return caught.value.faults


def test_measurements_replace_estimates_both_ways(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        "rtt_ms, from , to,samples\n"
        "68.5,aws/us-east-1,aws/eu-west-1,9\n\n"
        "21,berlin,aws/eu-west-1,3\n",
    )
    trips = read_round_trips(file, KNOWN, factor=2.0)
    assert trips.factor == 2.0
    assert trips.measured_ms == {
        ("aws/us-east-1", "aws/eu-west-1"): 68.5,
        ("berlin", "aws/eu-west-1"): 21.0,
    }
    points = {"aws/us-east-1": Coordinates(39, -77), "aws/eu-west-1": Coordinates(53, -6)}
    between = trips.between(points, points)
    assert np.allclose(between, [[1, 68.5], [68.5, 1]])


def test_each_way_may_have_its_own_time(tmp_path: Path) -> None:
    file = written(tmp_path, "from,to,rtt_ms\nberlin,aws/eu-west-1,20\naws/eu-west-1,berlin,24\n")
    assert len(read_round_trips(file, KNOWN).measured_ms) == 2


def test_a_byte_order_mark_and_repeated_equal_lines_do_no_harm(tmp_path: Path) -> None:
    file = written(
        tmp_path, "\ufefffrom,to,rtt_ms\nberlin,aws/eu-west-1,20\nberlin,aws/eu-west-1,20.0\n"
    )
    assert read_round_trips(file, KNOWN).measured_ms == {("berlin", "aws/eu-west-1"): 20.0}


@pytest.mark.parametrize(
    ("line", "message", "suggestion"),
    [
        ("aws/eu-wst-1,berlin,20", "'from' names aws/eu-wst-1", "did you mean aws/eu-west-1?"),
        ("berlin,mars,20", "'to' names mars", "name a place"),
        (",berlin,20", "'from' is empty", "name a place"),
        ("berlin,aws/eu-west-1,-3", "-3 ms is not possible", "above 0"),
        ("berlin,aws/eu-west-1,0", "0 ms is not possible", "above 0"),
        ("berlin,aws/eu-west-1,nan", "must be a number, not nan", "milliseconds"),
        ("berlin,aws/eu-west-1,inf", "must be a number, not inf", "milliseconds"),
        ("berlin,aws/eu-west-1,fast", "must be a number, not fast", "milliseconds"),
        ("berlin,aws/eu-west-1,", "'rtt_ms' is empty", "milliseconds"),
        ("berlin,aws/eu-west-1", "'rtt_ms' is empty", "milliseconds"),
        ("berlin,aws/eu-west-1,21000", "longer than any on the ground", "microseconds"),
        ("berlin,aws/eu-west-1,20,5", "1 more cell(s)", "point"),
    ],
)
def test_a_faulty_line_is_named_with_a_way_out(
    tmp_path: Path, line: str, message: str, suggestion: str
) -> None:
    file = written(tmp_path, f"from,to,rtt_ms\nberlin,gcp/europe-west1,12\n{line}\n")
    (fault,) = faults_of(file)
    assert (fault.at.file, fault.at.line) == (str(file), 3)
    assert message in fault.message
    assert suggestion in fault.suggestion


def test_two_values_for_one_pair_name_both_lines(tmp_path: Path) -> None:
    file = written(tmp_path, "from,to,rtt_ms\nberlin,aws/eu-west-1,20\nberlin,aws/eu-west-1,30\n")
    (fault,) = faults_of(file)
    assert fault.at.line == 3
    assert "30 ms here but 20 ms in line 2" in fault.message


def test_all_faults_come_at_once(tmp_path: Path) -> None:
    file = written(tmp_path, "from,to,rtt_ms\nmars,venus,-1\nberlin,aws/eu-west-1,x\n")
    assert [fault.at.line for fault in faults_of(file)] == [2, 2, 2, 3]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no measurements"),
        ("from,to,rtt_ms\n", "no measurements"),
        ("from,to,latency\nberlin,aws/eu-west-1,20\n", "column rtt_ms is missing"),
        ("berlin,aws/eu-west-1,20\n", "column from, to, rtt_ms is missing"),
    ],
)
def test_a_file_without_measurements_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (fault,) = faults_of(written(tmp_path, text))
    assert message in fault.message
    assert "from,to,rtt_ms" in fault.suggestion


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (fault,) = faults_of(tmp_path / "missing.csv")
    assert fault.at.file.endswith("missing.csv")
    assert "cannot be read" in fault.message


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "rtt.csv"
    file.write_bytes(b"from,to,rtt_ms\n\xff\xfe\x00,b,1\n")
    (fault,) = faults_of(file)
    assert "not UTF-8" in fault.message


def test_an_endless_cell_is_refused_as_bad_csv(tmp_path: Path) -> None:
    (fault,) = faults_of(written(tmp_path, f"from,to,rtt_ms\n{'a' * 200_000},b,1\n"))
    assert "not valid CSV" in fault.message
