"""What is remembered of one series, and the figures that decide how much."""

from __future__ import annotations

import io
import zipfile
import zlib
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

MEMORY_STEPS: Final = 8_192  # four weeks of 5 minutes
WIDTHS: Final = (1, 8, 64)  # steps whose mean is judged
STRIDES: Final = (1, 2, 16)  # of so many such means, one is remembered
SHAPE: Final = len(WIDTHS)  # the view that compares shapes; before it, one per width
VIEWS: Final = SHAPE + 1
BLOCK_STEPS: Final = 8
BLOCKS: Final = MEMORY_STEPS // BLOCK_STEPS
SIZES: Final = (*(MEMORY_STEPS // stride for stride in STRIDES), BLOCKS)
STARTS: Final = tuple(sum(SIZES[:i]) for i in range(len(SIZES)))
EVENTS: Final = 96  # more than can be REST_STEPS apart in MEMORY_STEPS
REST_STEPS: Final = 120  # an event ends when nothing has strayed for so long


class State(NamedTuple):
    """Arrays of fixed size, changed in place.

    ``ordered``, ``aged``: the memories of all views one behind the other, by size and by age;
    ``held`` and ``oldest`` [view] belong to them. ``recent``: the last values. ``blocks`` [block,
    3]: mean, second of the day at its end, blocks without a gap up to it. ``events`` [view,
    event, 2]: step and rarity; ``happened`` [view]: how many so far. ``counts`` and ``marks``: see
    the constants of this module.
    """

    ordered: NDArray[np.float64]
    aged: NDArray[np.float64]
    held: NDArray[np.int64]
    oldest: NDArray[np.int64]
    recent: NDArray[np.float64]
    blocks: NDArray[np.float64]
    events: NDArray[np.float64]
    happened: NDArray[np.int64]
    counts: NDArray[np.int64]
    marks: NDArray[np.float64]


SEEN: Final = 0  # counts: values so far
RUN: Final = 1  # values since the last gap
ALARMED: Final = 2  # step of the last alarm
FULL_BLOCKS: Final = 3  # blocks so far
IN_BLOCK: Final = 4  # values of the block that is not full yet
BLOCK_RUN: Final = 5  # full blocks since the last gap
UNSETTLED: Final = 6  # values to come before an alarm may be raised again
COUNTS: Final = 7

LAST_AT: Final = 0  # marks: time of the last value, s
BLOCK_SUM: Final = 1  # of the block that is not full yet
ALARMED_RARITY: Final = 2  # of the last alarm
MARKS: Final = 3


def new_state() -> State:
    """Of a series that nothing is known of."""
    size = sum(SIZES)
    counts = np.zeros(COUNTS, dtype=np.int64)
    counts[ALARMED] = -REST_STEPS - 1
    return State(
        ordered=np.zeros(size),
        aged=np.zeros(size),
        held=np.zeros(VIEWS, dtype=np.int64),
        oldest=np.zeros(VIEWS, dtype=np.int64),
        recent=np.zeros(max(WIDTHS)),
        blocks=np.zeros((BLOCKS, 3)),
        events=np.zeros((VIEWS, EVENTS, 2)),
        happened=np.zeros(VIEWS, dtype=np.int64),
        counts=counts,
        marks=np.zeros(MARKS),
    )


def to_bytes(state: State) -> bytes:
    """To be kept, and read by ``from_bytes``."""
    file = io.BytesIO()
    np.savez_compressed(file, **state._asdict())
    return file.getvalue()


def from_bytes(kept: bytes) -> State:
    """Raises ``ValueError`` when it is not what ``to_bytes`` wrote with the same figures."""
    like = new_state()
    try:
        with np.load(io.BytesIO(kept), allow_pickle=False) as file:
            state = State(**{name: file[name] for name in State._fields})
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"not a kept state of a detector: {error}") from None
    for name, array, other in zip(State._fields, state, like, strict=True):
        if array.shape != other.shape or array.dtype != other.dtype:
            raise ValueError(f"{name} of shape {array.shape}, but {other.shape} is needed")
    return state
