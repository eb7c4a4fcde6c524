"""Arrays that are mostly zeros, as they travel and wait."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

Number = TypeVar("Number", bound=np.generic)


@dataclass(frozen=True, eq=False)
class Thin(Generic[Number]):
    """Where an array is not zero, and what it is there."""

    at: NDArray[np.int32]
    values: NDArray[Number]

    @classmethod
    def of(cls, array: NDArray[Number]) -> Self:
        at = np.flatnonzero(array)
        return cls(at.astype(np.int32), array.ravel()[at])

    def write(self, array: NDArray[Any]) -> None:
        """Put the values into ``array``, which is contiguous and zero."""
        array.reshape(-1)[self.at] = self.values

    def dense(self, length: int) -> NDArray[Number]:
        """The array itself, of one axis."""
        array = np.zeros(length, self.values.dtype)
        self.write(array)
        return array
