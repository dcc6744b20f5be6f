"""What one Sven step costs on N nodes that hold its rows, as `sven_ref.sharded` does it: a sum of operations.

The net has L square layers, P = L w², W = 2Lw numbers of factors a sample; M ≤ P rows, M/N on each node; D = ⌈log2 N⌉,
the depth of the trees down which a vector goes to all nodes and up which Jᵀu is added; blocks of n columns. Flops are
those of all nodes together; numbers, of s bytes, those that go one after the other; tasks those that the client makes;
levels how many of them wait for one another, d = max(D − 1, 0) for the copies:

              flops    numbers on the longest path   trips  levels     tasks         numbers on a node, beside J and θ
    J         4MP      (2 + D)P, and M for R         1      3 + d      copies + 2N   the factors again
    J V       2MPn     (2 + D)Pn + Mn                1      2 + d      copies + N    Pn + Mwn/N
    Jᵀ U      2MPn     2Mn + (D + 1)Pn               1      1 + D      2N − 1        3Pn + Mwn/N
    J Jᵀu     4MP      3M + 2DP                      1      2 + D + d  copies + 3N   3P
    J Jᵀ      M²W      MW/2, and M²/2                1      1          N(N + 1)/2    the factors again, (7 + N)M²/2N²

2, since an argument goes by the scheduler, which keeps it, and so does the first node θ; 3, since a sum and its two
parts are there at once (1 on one node). J Jᵀ is summed in float64. What is made of them, and done in one process:

    gram        J, J Jᵀ, Jᵀw                        eigenvectors of M × M: 9M³ flops, 40M² bytes
    svds        J, Jv, Jᵀu, p times J Jᵀu, Jᵀw      2k + 3 vectors of length M; Jv and Jᵀu in float64, 32P bytes
    tsqr        J, all factors to the client, Jᵀw   4M² Σ_l min(w, M)² flops, 24M² bytes, the factors in float64
    randomized  J, Jv, Jᵀu, blocks J Ω, Jᵀ Q, J V   QR of P × (k + 10), 4P(k + 10) numbers; a round more, two blocks
    dense       J, Jᵀ I                             SVD: 8M²P flops, 3MP numbers

Rates are full rates, all nodes are equally quick, and nothing overlaps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

LAYERS = 24
SOLVERS = ("gram", "svds", "tsqr", "randomized", "dense", "gram, layers sharded")


@dataclass(frozen=True)
class Machine:
    """N nodes, and what each can do.

    flops : flop/s of products, in the dtype of J; half of it in float64 where that is float32
    lapack, panel : flop/s of one process in float64: of eigenvectors, and of QR and SVD of P × n matrices
    memory : bytes of a node
    network : bytes/s
    trip, hop, task : seconds of a round trip, of one more level of tasks in it, of a task at the client
    word : bytes of a number of J
    """

    nodes: int = 64
    flops: float = 1e14
    lapack: float = 1e12
    panel: float = 6.5e10
    memory: float = 80e9
    network: float = 25e9
    trip: float = 0.011
    hop: float = 0.006
    task: float = 2.5e-4
    word: int = 4


@dataclass(frozen=True)
class Cost:
    """Flops of the nodes, and of one process by LAPACK; bytes on the longest path and in all; bytes of memory."""

    flops: float = 0.0
    lapack: float = 0.0
    panel: float = 0.0
    path: float = 0.0
    moved: float = 0.0
    trips: float = 0
    levels: float = 0
    tasks: float = 0
    client: float = 0.0
    node: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        """One after the other: memory is that of the larger."""
        memory = {name: max(getattr(self, name), getattr(other, name)) for name in ("client", "node")}
        return Cost(
            **{name: x + getattr(other, name) for name, x in vars(self).items() if name not in memory}, **memory
        )

    def __rmul__(self, times: float) -> Cost:
        return Cost(**{name: x * (1 if name in ("client", "node") else times) for name, x in vars(self).items()})

    def seconds(self, m: Machine) -> float:
        """The sum of its parts."""
        flops = self.flops / (m.nodes * m.flops) + self.lapack / m.lapack + self.panel / m.panel
        latency = self.trips * m.trip + (self.levels - self.trips) * m.hop + self.tasks * m.task
        return flops + self.path / m.network + latency


def operations(M: float, P: float, m: Machine, n: float = 1, W: float | None = None) -> dict[str, Cost]:
    """The first table. W, where it is not that of the net of L square layers."""
    N, s, D = m.nodes, m.word, math.ceil(math.log2(m.nodes))
    W = 2 * math.sqrt(LAYERS * P) if W is None else W
    w, fine = W / (2 * LAYERS), 8 / s  # in float64: numbers so much longer, flops so much slower
    d = max(D - 1, 0)
    copies = 1 + sum(j + 2 ** j.bit_length() < N for j in range(1, N))
    held, parts, outputs = P + M * W / N, 3 if N > 1 else 1, M / N * w * n
    table = {  # as `Cost`, but numbers for bytes
        "J": Cost(
            flops=4 * M * P,
            path=(2 + D) * P + M,
            moved=(N + 1) * P + M,
            levels=3 + d,
            tasks=copies + 2 * N,
            client=4 * P,
            node=held + M * W / N,
        ),
        "J V": Cost(
            flops=2 * M * P * n,
            path=(2 + D) * P * n + M * n,
            moved=(N + 1) * P * n + M * n,
            levels=2 + d,
            tasks=copies + N,
            client=2 * P * n,
            node=held + P * n + outputs,
        ),
        "J^T U": Cost(
            flops=2 * M * P * n,
            path=2 * M * n + (D + 1) * P * n,
            moved=2 * M * n + N * P * n,
            levels=1 + D,
            tasks=2 * N - 1,
            client=2 * P * n,
            node=held + parts * P * n + outputs,
        ),
        "J J^T u": Cost(
            flops=4 * M * P,
            path=3 * M + 2 * D * P,
            moved=3 * M + 2 * (N - 1) * P,
            levels=2 + D + d,
            tasks=copies - 1 + 3 * N - 1,
            node=held + parts * P,
        ),
        "J J^T": Cost(
            flops=fine * M**2 * W,
            path=(N - 1) / N * M * W / 2 + fine * M**2 / 2,
            moved=(N - 1) / 2 * M * W + fine * (1 + 1 / N) * M**2 / 2,
            levels=1,
            tasks=N * (N + 1) / 2,
            client=fine * M**2,
            node=held + M * W / N + (3 + (N + 1) / 2) * fine * (M / N) ** 2,
        ),
        "factors": Cost(levels=1, path=M * W, moved=M * W, client=M * W, node=held),
    }
    in_bytes = ("path", "moved", "client", "node")
    return {
        name: replace(c, trips=1, **{field: s * getattr(c, field) for field in in_bytes}) for name, c in table.items()
    }


def cost(
    solver: str,
    M: float,
    P: float,
    k: int,
    m: Machine,
    *,
    pairs: int = 0,
    rounds: int = 0,
    W: float | None = None,
) -> Cost:
    """The cost of a step, of the second table; `pairs` are the products p of `svds`, `rounds` more of `randomized`."""
    s, w, n = m.word, math.sqrt(P / LAYERS), k + 10
    width = 2 * LAYERS * w if W is None else W
    one, block, next_block = (operations(M, P, m, columns, W) for columns in (1, n, k + 1))
    probe, theta = one["J V"] + one["J^T U"] + Cost(client=32 * P), Cost(client=4 * P * s)
    if solver == "gram":
        return theta + one["J"] + one["J J^T"] + Cost(lapack=9 * M**3, client=40 * M**2) + one["J^T U"]
    if solver == "svds" and M <= P:
        return theta + one["J"] + probe + pairs * one["J J^T u"] + Cost(client=M * (2 * k + 3) * s) + one["J^T U"]
    if solver == "tsqr":
        in_one = Cost(lapack=4 * M**2 * LAYERS * min(w, M) ** 2, client=24 * M**2 + 12 * M * width)
        return theta + one["J"] + one["factors"] + in_one + one["J^T U"]
    if solver == "randomized":
        cost = theta + one["J"] + probe + block["J V"] + block["J^T U"] + next_block["J V"]
        for r in range(rounds + 1):
            columns = n + r * (k + 1)
            cost += Cost(panel=4 * (M + P) * columns**2, client=4 * P * columns * s)
        return cost + rounds * (next_block["J V"] + next_block["J^T U"])
    if solver == "dense":
        in_one = Cost(panel=8 * M**2 * P, client=3 * M * P * s)
        return theta + one["J"] + operations(M, P, m, M, W)["J^T U"] + in_one
    if solver == "gram, layers sharded":  # not built: a node holds P/N parameters and their layers' factors of all rows
        N, D = m.nodes, math.ceil(math.log2(m.nodes))
        return Cost(
            flops=6 * M * P + 8 / s * M**2 * width,
            lapack=9 * M**3,
            path=2 * D * 8 * M**2 + M * width * s / N,
            moved=2 * N * 8 * M**2 + M * width * s,
            trips=3,
            levels=3 + 2 * D,
            tasks=3 * N,
            client=40 * M**2,
            node=2 * P / N * s + 2 * M * width / N * s + 8 * M**2,
        )
    raise ValueError(f"solver = {solver!r}: has no formula for M = {M:g} and P = {P:g}")
