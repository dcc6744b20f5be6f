"""J of a layered network, held as its factors.

`layers` is J and its products, `signals` how the factors are made, `columns` J[:, S] for scattered parameters S,
`blocks` what both have from blocks of J.
"""

from .columns import ColumnsLinearOperator
from .layers import LayeredLinearOperator
from .signals import factored_jacobian

__all__ = ["ColumnsLinearOperator", "LayeredLinearOperator", "factored_jacobian"]
