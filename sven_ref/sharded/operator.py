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

from ..arguments import check_columns
from ..factored.blocks import BlocksLinearOperator
from ..operators import ProductLinearOperator
from . import shard as on_worker
from .workers import Workers


class ShardProducts:
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
        sums = self.workers.map(on_worker.apply_adjoint, self.shards, np.split(U, self.edges[:-1]))
        reach = 2  # shards that a sum is over
        while len(sums) > 1:
            pairs = enumerate(zip(sums[::2], sums[1::2], strict=False))
            added = [self.workers.submit(Fraction(n * reach, len(self.shards)), on_worker.add, *p) for n, p in pairs]
            sums = added + sums[2 * len(added) :]
            reach *= 2
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

    exact = True  # each shard has decided what it is

    def __init__(self, products: ShardProducts, facts: list[Any], counts: dict[str, int] | None = None) -> None:
        shape = (sum(len(f.R) for f in facts), facts[0].P)
        super().__init__(shape, facts[0].dtype, products.jvp, products.vjp, blocks=True, counts=counts)
        self.products = products

    def gram_matvec(self, u: Any) -> Any:
        """J Jᵀu of shape (M,), counted as a product with each; one round trip."""
        for name in self.counts:
            self.counts[name] += 1
        return self._product("J Jᵀu", self.products.gram_matvec, u, self.shape[0])


class ShardedFactorsLinearOperator(ShardedLinearOperator, BlocksLinearOperator):
    """The same where the shards are factors: JJᵀ, row norms, float64 and subsets come from them, and so does `tsqr`."""

    tested = True

    def __init__(self, products: ShardProducts, facts: list[Any], counts: dict[str, int] | None = None) -> None:
        super().__init__(products, facts, counts)
        self.largest = max(f.scale for f in facts)
        self.summed = max(f.summed for f in facts)
        self.facts = facts

    @property
    def width(self) -> int:
        """How many multiplications one entry of J Jᵀ takes."""
        return int(self.facts[0].width)

    def scale(self, rng: Any = 0) -> float:
        """A power of two that is near a bound of J's entries; 0 for J = 0."""
        return float(self.largest)

    def summed_size(self) -> float:
        """The size of the rows that J's are sums of, which may cancel; 0 where they are not sums."""
        return float(self.summed)

    def gram(self, c: float = 1.0) -> Any:
        """J Jᵀ/c² of shape (M, M), summed in float64; one round trip."""
        return self.products.gram(c)

    def row_norms(self) -> Any:
        """‖J_α‖ of shape (M,) in float64; one round trip."""
        return np.concatenate(self.products.fetch(on_worker.row_norms))

    def gather(self) -> Any:
        """The same operator with all its factors here: M × width numbers, one round trip."""
        return on_worker.stacked(self.products.workers.fetch(self.products.shards))

    def compressed(self) -> Any:
        """J's σ and left vectors in fewer columns, of the gathered factors: `tsqr` is for M of a few thousands."""
        return self.gather().compressed()

    def column_blocks(self) -> Iterator[Any]:
        """J[:, S] for consecutive column sets S, of the gathered factors."""
        return self.gather().column_blocks()

    def row_blocks(self) -> Iterator[Any]:
        """Blocks with the JᵀJ of J's rows: the triangles of their QR, made by the workers."""
        return iter(self.products.fetch(on_worker.triangle))

    def float64(self) -> ProductLinearOperator:
        """The same operator with products in float64, counted with this one's."""
        workers = self.products.workers
        return operator(workers, workers.map(on_worker.in_float64, self.products.shards), counts=self.counts)

    def restrict(self, columns: Any) -> ProductLinearOperator:
        """J[:, columns], every shard from its own factors."""
        workers, shards = self.products.workers, self.products.shards
        columns = check_columns(columns, self.shape[1])
        copies = workers.everywhere(workers.submit(0, on_worker.held, columns), len(shards))
        return operator(workers, workers.map(on_worker.restricted, shards, copies), counts=self.counts)


def operator(
    workers: Workers, shards: list[Any], facts: list[Any] | None = None, counts: dict[str, int] | None = None
) -> ShardedLinearOperator:
    """J from its shards, by their `Facts`; one round trip where those are not given."""
    facts = facts or workers.fetch(workers.map(on_worker.facts, shards))
    products = ShardProducts(workers, shards, [len(f.R) for f in facts])
    kind = ShardedFactorsLinearOperator if facts[0].factored else ShardedLinearOperator
    return kind(products, facts, counts)
