"""J as the client sees it: its shards are futures, held by the workers.

A product, of one column or a block, is one round trip: the block goes to the workers; M_i rows come back from each, or
the sum over the shards, in a fixed tree, so that no result depends on who was quick. J Jᵀu is one as well: that sum
stays with the workers. J_i J_jᵀ is made where one of the two shards lies, from the factors of the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from . import shard as on_worker
from .layered import LayeredLinearOperator
from .operators import ProductLinearOperator
from .workers import Workers


class Rows:
    """The shards and their products. Apart from the operator so that nothing refers to itself: let go, it is freed."""

    def __init__(self, workers: Workers, shards: list[Any], sizes: list[int]) -> None:
        self.workers, self.shards, self.edges = workers, shards, np.cumsum(sizes)

    def fetch(self, task: Callable[..., Any], *args: Sequence[Any]) -> list[Any]:
        """task(shard, …) of each shard; args hold one value a shard."""
        return self.workers.fetch(self.workers.map(task, self.shards, *args))

    def jvp(self, V: Any) -> Any:
        """J V."""
        return self.apply(self.workers.submit(0, on_worker.held, V))

    def vjp(self, U: Any) -> Any:
        """Jᵀ U."""
        return on_worker.aligned(self.workers.fetch(self.sum(U)))

    def gram_matvec(self, u: Any) -> Any:
        """J Jᵀu; nothing of length P comes here."""
        return self.apply(self.sum(u))

    def apply(self, V: Any) -> Any:
        """J V for a future of V."""
        return np.concatenate(self.fetch(on_worker.apply, self.workers.everywhere(V, len(self.shards))))

    def sum(self, U: Any) -> Any:
        """Jᵀ U as a future: the parts are added, neighbours first, in an order that the number of shards fixes."""
        sums, step = self.workers.map(on_worker.apply_adjoint, self.shards, np.split(U, self.edges[:-1])), 2
        while len(sums) > 1:
            pairs = enumerate(zip(sums[::2], sums[1::2], strict=False))
            added = [self.workers.submit(Fraction(n * step, len(self.shards)), on_worker.add, *p) for n, p in pairs]
            sums, step = added + sums[2 * len(added) :], 2 * step
        return sums[0]

    def gram(self, c: float) -> Any:
        """J Jᵀ/c² by its blocks i ≤ j, made at i and at j by turns."""
        pairs = [(i, j) for i in range(len(self.shards)) for j in range(i, len(self.shards))]
        at = [i if (i + j) % 2 else j for i, j in pairs]
        tasks = [
            self.workers.submit(Fraction(n, len(self.shards)), on_worker.gram_block, self.shards[i], self.shards[j], c)
            for n, (i, j) in zip(at, pairs, strict=True)
        ]
        ends = [0, *self.edges]
        G = np.empty((ends[-1],) * 2)
        for (i, j), block in zip(pairs, self.workers.fetch(tasks), strict=True):
            a, b = slice(*ends[i : i + 2]), slice(*ends[j : j + 2])
            G[a, b], G[b, a] = block, block.T
        return G


class ShardedLinearOperator(ProductLinearOperator):
    """J of shape (M, P) over shards that the workers hold; every product, of a vector or a block, is one round trip."""

    def __init__(self, rows: Rows, facts: list[Any]) -> None:
        R = np.concatenate([f.value for f in facts])
        shape = (len(R), facts[0].P)
        ProductLinearOperator.__init__(self, shape, facts[0].dtype, rows.jvp, rows.vjp, blocks=True, value=R)
        self.rows = rows

    def gram_matvec(self, u: Any) -> Any:
        """J Jᵀu of shape (M,), counted as a product with each; one round trip."""
        for name in self.counts:
            self.counts[name] += 1
        return self._product("J Jᵀu", self.rows.gram_matvec, u, self.shape[0])


class ShardedFactorsLinearOperator(ShardedLinearOperator, LayeredLinearOperator):
    """The same where the shards are factors: JJᵀ, row norms, float64 and subsets come from them, and so does `tsqr`."""

    def __init__(self, rows: Rows, facts: list[Any]) -> None:
        ShardedLinearOperator.__init__(self, rows, facts)
        self.m, self.shapes = facts[0].m, facts[0].layers
        self.largest = max(f.scale for f in facts) or 1.0

    def scale(self) -> float:
        """A power of two near the largest entry of J."""
        return self.largest

    def gram(self, c: float = 1.0) -> Any:
        """J Jᵀ/c² of shape (M, M), summed in float64; one round trip."""
        return self.rows.gram(c)

    def row_norms(self) -> Any:
        """‖J_α‖ of shape (M,) in float64; one round trip."""
        return np.concatenate(self.rows.fetch(on_worker.row_norms))

    def gather(self) -> Any:
        """The same operator with all its factors here: M × width numbers, one round trip."""
        return on_worker.stacked(self.rows.workers.fetch(self.rows.shards))

    def compressed(self) -> Any:
        """J's σ and left vectors in fewer columns, of the gathered factors: `tsqr` is for M of a few thousands."""
        J = self.gather()
        return J.compressed() if isinstance(J, LayeredLinearOperator) else J

    def column_blocks(self) -> Iterator[Any]:
        """J[:, S] for consecutive column sets S, of the gathered factors."""
        return self.gather().column_blocks()

    def row_blocks(self) -> Iterator[Any]:
        """Blocks B_i with Σ B_iᵀB_i = JᵀJ: not the rows, but the triangles of their QR, made by the workers."""
        return iter(self.rows.fetch(on_worker.triangle))

    def float64(self) -> ProductLinearOperator:
        """The same operator with products in float64, counted with this one's."""
        J = operator(self.rows.workers, self.rows.workers.map(on_worker.in_float64, self.rows.shards))
        J.counts = self.counts
        return J

    def restrict(self, columns: Any) -> ProductLinearOperator:
        """J[:, columns], every shard from its own factors."""
        workers, shards = self.rows.workers, self.rows.shards
        copies = workers.everywhere(workers.submit(0, on_worker.held, columns), len(shards))
        return operator(workers, workers.map(on_worker.restricted, shards, copies))


def operator(workers: Workers, shards: list[Any], facts: list[Any] | None = None) -> ShardedLinearOperator:
    """J from its shards, by their `Facts`; one round trip where those are not given."""
    facts = facts or workers.fetch(workers.map(on_worker.facts, shards))
    rows = Rows(workers, shards, [len(f.value) for f in facts])
    return (ShardedFactorsLinearOperator if facts[0].layers else ShardedLinearOperator)(rows, facts)
