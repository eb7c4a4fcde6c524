"""What a plan leaves behind for the next one: prices, what cells ask for and what they run.

A world changes little from one run to the next, and prices of what services share hardly move.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from models.errors import Fault, FaultyInput, Location
from optimizer.decompose.cells import Cells
from optimizer.decompose.covered import worth_of_levels
from optimizer.decompose.dual import Case
from optimizer.decompose.fleet import Fleet
from optimizer.decompose.tables import Asks
from optimizer.decompose.tariff import Prices

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Strings = NDArray[np.str_]

FORMAT = "trimtab plan memory 2"
NAMES = {
    "gap", "services", "origins", "regions", "zones", "spot_share", "least", "cell_at", "place_at",
    "entry_at", *(f"asks_{name}" for name in Asks._fields), "offerings", "row_cell", "row_offering",
    "row_replicas", "row_count", "held", "share", "regret", "quotas", "quota", "budget_rules",
    "budget", "commitments", "class_rates", "covered", "worth", "calls", "end_call", "end_side",
    "end_lane", "ends", "rooms",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Last:
    """A plan as the next one needs it: arrays by name, without objects.

    ``regret`` [group]: what the cells of a group cost at the prices, over the least they could.
    ``gap``: the relative gap of the plan that the company has kept most of since.
    """

    arrays: dict[str, Any]

    def __getattr__(self, name: str) -> Any:
        if name == "arrays" or name not in self.arrays:  # copies ask before there are any
            raise AttributeError(name)
        return self.arrays[name]

    def as_bytes(self) -> bytes:
        """A file that ``load`` reads."""
        file = BytesIO()
        np.savez_compressed(file, format=np.array(FORMAT), **self.arrays)
        return file.getvalue()

    @classmethod
    def load(cls, path: Path) -> Last:
        """Raises ``FaultyInput`` when the file is not there or not one of ours."""
        try:
            with np.load(BytesIO(path.read_bytes()), allow_pickle=False) as found:
                if str(found["format"]) != FORMAT:
                    raise ValueError("another format")
                arrays = {name: found[name] for name in found.files if name != "format"}
                if set(arrays) != NAMES:
                    raise ValueError("another version")
                return cls(arrays)
        except (OSError, ValueError, KeyError, BadZipFile, EOFError) as error:
            why = "it is not there" if isinstance(error, FileNotFoundError) else "it is damaged"
            message = f"{path} does not hold what a plan leaves behind: {why}"
            fix = "name a folder to which trimtab plan has written the plan of a large world"
            raise FaultyInput([Fault(Location(), message, fix)]) from error


def remember(case: Case, prices: Prices, fleet: Fleet, regret: Floats, gap: float) -> Last:
    """What ``fleet`` and its prices leave behind; ``regret`` and ``gap`` as in ``Last``."""
    cells, world, links = case.cells, case.cells.world, case.links
    of = cells.assortment_of
    names, codes = np.unique(offering_names(cells), return_inverse=True)
    return Last(
        {
            "gap": np.array(gap),
            "services": np.array([s.name for s in world.services]),
            "origins": np.array([o.name for o in world.origins]),
            "regions": np.array([r.place for r in world.regions]),
            "zones": cells.stock.zones,
            "spot_share": cells.stock.share[of],
            "least": cells.stock.least[of],
            "cell_at": cells.cell_at,
            "place_at": cells.place_at,
            "entry_at": cells.entry_at,
            **{f"asks_{name}": getattr(cells.asks, name) for name in Asks._fields},
            "offerings": names,
            "row_cell": fleet.cell,
            "row_offering": codes[fleet.candidate],
            "row_replicas": cells.goods.replicas[fleet.candidate],
            "row_count": fleet.count,
            "held": fleet.held,
            "share": fleet.share,
            "regret": regret,
            "quotas": numbered(case.limits.quota_names),
            "quota": prices.quota,
            "budget_rules": np.array([rule.name for rule in case.limits.budget_rules], np.str_),
            "budget": prices.budget,
            "commitments": commitment_names(case),
            "class_rates": case.covered.cover.level_per_usd,
            "covered": prices.covered,
            "worth": worth_of_levels(case.covered, prices.covered, prices.budget),
            "calls": call_names(case),
            "end_call": np.repeat(np.repeat(links.dependency, 2), np.diff(links.start)),
            "end_side": np.repeat(np.arange(2 * len(links)) % 2, np.diff(links.start)),
            "end_lane": links.lane_of,
            "ends": prices.ends,
            "rooms": prices.rooms,
        }
    )


def offering_names(cells: Cells) -> Strings:
    """cloud/region/type/purchase of every candidate."""
    book = cells.world.book.offerings.iloc[cells.goods.offering]
    names = book["cloud"].astype(str).to_numpy(dtype=object)
    for column in ("region", "instance_type", "purchase"):
        names = names + "/" + book[column].astype(str).to_numpy(dtype=object)
    return names.astype(str)


def numbered(names: Sequence[str]) -> Strings:
    """Names made unique by how often they came before."""
    seen: Counter[str] = Counter()
    numbered = []
    for name in names:
        numbered.append(f"{name}#{seen[name]}")
        seen[name] += 1
    return np.array(numbered, np.str_)


def commitment_names(case: Case) -> Strings:
    return np.array([c.name for c in case.cells.world.commitments], np.str_)


def call_names(case: Case) -> Strings:
    """[dependency]"""
    return np.array([f"{d.caller}>{d.callee}" for d in case.cells.world.dependencies], np.str_)
