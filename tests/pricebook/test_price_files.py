"""Price books that people bring: every way to get one wrong, and what the message says then."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from models.errors import FaultyInput
from models.offerings import MONTHLY_INTERRUPTION, PriceBook
from models.places import Region
from providers.pricebook import files
from providers.pricebook.files import read_book
from providers.pricebook.findings import LISTED_AT_MOST

HEADER = "provider,region,instance_type,purchase_option,price_usd_per_hour,vcpus,memory_gib,arch"
GOOD = "aws,us-east-1,m5.large,on_demand,0.096,2,8,x86_64"


def csv(folder: Path, *lines: str, header: str = HEADER) -> Path:
    path = folder / "prices.csv"
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def faults_of(path: Path, regions: dict[str, Region]) -> FaultyInput:
    with pytest.raises(FaultyInput) as caught:
        read_book(path, regions)
    return caught.value


def test_a_minimal_file_makes_a_book(tmp_path: Path, regions: dict[str, Region]) -> None:
    path = csv(tmp_path, GOOD, "azure,eastus,Standard_D4s_v3,spot,0.04,4,16,x86_64")
    book = read_book(path, regions)
    assert book.places == ("aws/us-east-1", "azure/eastus")
    assert list(book.offerings["family"]) == ["m5", "Dsv3"]
    assert list(book.offerings["baseline_vcpus"]) == [2.0, 4.0]


def test_parquet_and_csv_say_the_same(
    tmp_path: Path, regions: dict[str, Region], book: PriceBook
) -> None:
    table = book.offerings.rename(
        columns={
            "cloud": "provider", "purchase": "purchase_option", "architecture": "arch",
            "gpus": "gpu_count", "source": "price_source",
        }
    )  # fmt: skip
    table.to_parquet(tmp_path / "book.parquet")
    table.to_csv(tmp_path / "book.csv", index=False)
    from_parquet = read_book(tmp_path / "book.parquet", regions)
    from_csv = read_book(tmp_path / "book.csv", regions)
    pd.testing.assert_frame_equal(from_parquet.offerings, book.offerings)
    pd.testing.assert_frame_equal(from_csv.offerings, book.offerings)
    assert from_csv.as_of == from_parquet.as_of == book.as_of


@pytest.mark.parametrize(
    ("line", "message", "suggestion"),
    [
        ("amazon,us-east-1,m5.large,on_demand,1,2,8,x86_64", "provider 'amazon'", "aws"),
        ("aws,us-esat-1,m5.large,on_demand,1,2,8,x86_64", "us-esat-1", "aws/us-east-1"),
        ("azure,East US,Standard_D2_v3,on_demand,1,2,8,x86_64", "East US", "azure/eastus"),
        ("aws,us-east-1,m5.large,ondemand,1,2,8,x86_64", "'ondemand'", "on_demand"),
        ("aws,us-east-1,m5.large,on_demand,-1,2,8,x86_64", "'-1.0'", "above 0"),
        ("aws,us-east-1,m5.large,on_demand,cheap,2,8,x86_64", "'cheap' is not a number", "0.096"),
        ("aws,us-east-1,m5.large,on_demand,nan,2,8,x86_64", "'nan' is not a number", "0.096"),
        ("aws,us-east-1,m5.large,on_demand,inf,2,8,x86_64", "'inf'", "above 0"),
        ("aws,us-east-1,m5.large,on_demand,0,2,8,x86_64", "is no price", "unpriced: report"),
        ("aws,us-east-1,m5.large,on_demand,1e308,2,8,x86_64", "is no believable price", "100,000"),
        ("aws,us-east-1,m5.large,on_demand,1e-12,2,8,x86_64", "is no believable price", "1e-05"),
        ("aws,us-east-1,m5.large,on_demand,,2,8,x86_64", "is no price", "unpriced: report"),
        ("aws,us-east-1,m5.large,on_demand,1,0,8,x86_64", "vcpus '0.0'", "above 0"),
        ("aws,us-east-1,m5.large,on_demand,1,2,-8,x86_64", "memory_gib '-8.0'", "above 0"),
        ("aws,us-east-1,m5.large,on_demand,1,2,8,arm", "arch 'arm'", "arm64"),
        ("aws,us-east-1,=cmd(),on_demand,1,2,8,x86_64", "'=cmd()' is not a plain", "letters"),
        ("aws,us-east-1,<b>m5</b>,on_demand,1,2,8,x86_64", "is not a plain name", "letters"),
        ("aws,us-east-1,m5\x07.large,on_demand,1,2,8,x86_64", "is not a plain name", "letters"),
    ],
)
def test_each_fault_has_its_line_and_a_suggestion(
    tmp_path: Path, regions: dict[str, Region], line: str, message: str, suggestion: str
) -> None:
    path = csv(tmp_path, GOOD, "", line)
    faults = [f for f in faults_of(path, regions).faults if message in f.message]
    assert [fault.at.line for fault in faults] == [4]
    assert suggestion in faults[0].suggestion
    assert faults[0].at.file == str(path)


def test_chances_of_interruption_are_kept_where_known(
    tmp_path: Path, regions: dict[str, Region]
) -> None:
    path = csv(
        tmp_path,
        "aws,us-east-1,m5.large,on_demand,0.096,2,8,x86_64,,<5%",
        "aws,us-east-1,m5.large,spot,0.04,2,8,x86_64,0.123,10-15%",
        "aws,us-east-1,c5.large,spot,0.04,2,4,x86_64,,10-15%",
        "aws,us-east-1,r5.large,spot,0.04,2,16,x86_64,,",
        header=f"{HEADER},monthly_interruption,interruption_band",
    )
    offers = read_book(path, regions).offerings.set_index(["instance_type", "purchase"])
    chance = offers[MONTHLY_INTERRUPTION].dropna().to_dict()
    assert chance == {("m5.large", "spot"): 0.123, ("c5.large", "spot"): 0.15}


def test_chances_of_interruption_are_checked(tmp_path: Path, regions: dict[str, Region]) -> None:
    path = csv(
        tmp_path,
        "aws,us-east-1,m5.large,spot,0.04,2,8,x86_64,1.0,",
        "aws,us-east-1,c5.large,spot,0.04,2,4,x86_64,,5%",
        header=f"{HEADER},monthly_interruption,interruption_band",
    )
    said = [(f.at.line, f.message, f.suggestion) for f in faults_of(path, regions).faults]
    assert [line for line, _, _ in said] == [2, 3]
    assert "monthly_interruption '1.0' is no chance" in said[0][1]
    assert "interruption_band '5%' is not known" in said[1][1]


def test_all_faults_come_at_once(tmp_path: Path, regions: dict[str, Region]) -> None:
    path = csv(
        tmp_path,
        "amazon,us-east-1,m5.large,sport,-1,0,8,x86_64",
        GOOD,
        GOOD,
    )
    said = [(fault.at.line, fault.message.split()[0]) for fault in faults_of(path, regions).faults]
    assert said == [
        (2, "price_usd_per_hour"),
        (2, "provider"),
        (2, "purchase_option"),
        (2, "vcpus"),
        (4, "instance_type"),  # priced twice
    ]


def test_many_faults_of_a_kind_are_listed_in_part_and_counted(
    tmp_path: Path, regions: dict[str, Region]
) -> None:
    lines = [f"aws,us-east-1,m5.{k}xlarge,on_demand,0,2,8,x86_64" for k in range(100)]
    faults = faults_of(csv(tmp_path, *lines), regions).faults
    assert len(faults) == LISTED_AT_MOST + 1
    assert "80 more rows" in faults[-1].message


def test_a_missing_column_names_its_likeness(tmp_path: Path, regions: dict[str, Region]) -> None:
    path = csv(tmp_path, GOOD, header=HEADER.replace("memory_gib", "memory_gb"))
    (fault,) = faults_of(path, regions).faults
    assert "memory_gib is missing" in fault.message
    assert "memory_gb" in fault.suggestion


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"PAR1 but not really", "damaged Parquet"),
        (b"\x89PNG\r\n\x1a\n\xff\xfe\x00", "neither Parquet nor CSV"),
        (f"{HEADER}\n".encode(), "no rows"),
        (f"{HEADER}\n{GOOD}\n{GOOD},1,2,3\n".encode(), "neither Parquet nor CSV"),
        (b"once upon a time\n", "is missing"),
    ],
)
def test_what_is_no_price_file_is_said_so(
    tmp_path: Path, regions: dict[str, Region], content: bytes, message: str
) -> None:
    path = tmp_path / "prices.csv"
    path.write_bytes(content)
    assert message in str(faults_of(path, regions))


def test_absent_and_oversized_files(
    tmp_path: Path, regions: dict[str, Region], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "cannot be read" in str(faults_of(tmp_path / "none.csv", regions))
    path = csv(tmp_path, GOOD)
    monkeypatch.setattr(files, "MAX_BYTES", 10)
    assert "more than" in str(faults_of(path, regions))


def test_unpriced_rows_may_be_reported(tmp_path: Path, regions: dict[str, Region]) -> None:
    path = csv(
        tmp_path,
        GOOD,
        "aws,us-east-1,m5.xlarge,on_demand,0,4,16,x86_64",
        "aws,us-east-1,m5.2xlarge,on_demand,,8,32,x86_64",
    )
    book = read_book(path, regions, unpriced="report")
    assert len(book) == 1
    assert list(book.unpriced["instance_type"]) == ["m5.2xlarge", "m5.xlarge"]
    assert book.notes["unpriced"] == 2


def test_rows_that_cannot_be_planned_with_are_rejected_and_counted(
    tmp_path: Path, regions: dict[str, Region]
) -> None:
    header = f"{HEADER},partition"
    path = csv(
        tmp_path,
        f"{GOOD},aws",
        "aws,us-gov-west-1,m5.large,on_demand,1,2,8,x86_64,aws-us-gov",
        "aws,us-east-1,t1.micro,on_demand,1,1,1,i386,aws",
        "aws,us-east-1,m5.xlarge,on_demand,1,4,,x86_64,aws",
        "aws,xx-nowhere-7,m5.large,on_demand,1,2,8,x86_64,aws",
        header=header,
    )
    book = read_book(path, regions)
    assert len(book) == 1
    assert book.notes == {
        "priced": 1,
        "read": 5,
        "rejected_32_bit": 1,
        "rejected_other_partition": 1,
        "rejected_unknown_region aws/xx-nowhere-7": 1,
        "rejected_unknown_size": 1,
        "unpriced": 0,
    }


def test_a_file_without_a_usable_row_is_a_fault(tmp_path: Path, regions: dict[str, Region]) -> None:
    path = csv(tmp_path, "aws,xx-nowhere-7,m5.large,on_demand,1,2,8,x86_64")
    assert "no row can be used" in str(faults_of(path, regions))
