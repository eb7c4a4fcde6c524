"""What the main cycle asks of the decomposition."""

from optimizer.decompose.reading import read_decomposed
from optimizer.decompose.solve import Decomposed, NotSeparable, decompose

__all__ = ["Decomposed", "NotSeparable", "decompose", "read_decomposed"]
