"""Ways to the largest singular triplets of J, one a file, under the contract of `contract`.

    dense        LAPACK on the matrix itself                                    holds M × P numbers
    svds         ARPACK on the smaller of JJᵀ and JᵀJ, by products              k small against n
    gram         eigenvectors of JJᵀ or JᵀJ                                     n moderate; no σ near √ε σ_1
    tsqr         QR of Jᵀ or J block by block, SVD of the n × n triangle        n moderate; nothing is squared
    randomized   block Krylov from a sketch                                     a spectrum that decays
    auto         the first of `auto.plan` that can do it

A solver knows J by its products and by what `operators` says one may ask of J, and nothing of networks.
"""

from __future__ import annotations

from collections.abc import Callable

from .auto import plan
from .contract import Triplets
from .dense import dense
from .gram import gram
from .randomized import randomized
from .svds import svds
from .tsqr import tsqr

SOLVERS: dict[str, Callable[..., Triplets]] = {f.__name__: f for f in (svds, dense, gram, tsqr, randomized)}

__all__ = ["SOLVERS", "Triplets", "dense", "gram", "plan", "randomized", "svds", "tsqr"]
