"""What the main cycle asks of the decomposition."""

from optimizer.decompose.last import Last
from optimizer.decompose.reading import read_decomposed
from optimizer.decompose.solve import Decomposed, NotSeparable, decompose

__all__ = ["Decomposed", "Last", "NotSeparable", "decompose", "read_decomposed"]
