"""Looking offerings up."""

from __future__ import annotations

import pytest

from models.errors import FaultyInput
from models.offerings import Architecture, PriceBook, Purchase
from models.places import Cloud
from providers.pricebook.search import search


def test_every_filter_holds_and_the_cheapest_comes_first(book: PriceBook) -> None:
    found = search(
        book,
        clouds=[Cloud.AWS, Cloud.GCP],
        regions=["aws/eu-west-1", "us-west4"],
        vcpus_min=4,
        memory_gib_min=16,
        architectures=[Architecture.X86_64],
        purchases=[Purchase.ON_DEMAND],
    )
    assert set(found["region"]) == {"eu-west-1", "us-west4"}
    assert (found["vcpus"] >= 4).all()
    assert (found["memory_gib"] >= 16).all()
    assert set(found["architecture"]) == {"x86_64"}
    assert set(found["purchase"]) == {"on_demand"}
    assert found["price_usd_per_hour"].is_monotonic_increasing


def test_text_is_found_in_names_families_and_gpu_models(book: PriceBook) -> None:
    assert set(search(book, text="v100")["gpu_model"]) == {"V100"}
    assert set(search(book, text="D16S_v3")["instance_type"]) == {"Standard_D16s_v3"}
    assert search(book, text="(").empty


def test_cheapest_keeps_the_head_of_the_same_order(book: PriceBook) -> None:
    everything = search(book, gpus_min=1)
    assert search(book, gpus_min=1, cheapest=7).equals(everything.head(7))
    assert (everything["gpus"] >= 1).all()
    assert len(search(book)) == len(book)


def test_unknown_regions_are_faults_with_likely_names(book: PriceBook) -> None:
    with pytest.raises(FaultyInput) as caught:
        search(book, regions=["aws/us-esat-1", "westeurop", "eu-west-1"])
    first, second = caught.value.faults
    assert "aws/us-east-1" in first.suggestion
    assert "westeurope" in second.suggestion
