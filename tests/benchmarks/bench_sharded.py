"""What shards cost: bytes and round trips a step against the formula, scaling, memory, full-batch MNIST.

    export OPENBLAS_NUM_THREADS=1
    python tests/benchmarks/bench_sharded.py bytes
    python tests/benchmarks/bench_sharded.py tree
    python tests/benchmarks/bench_sharded.py scaling
    python tests/benchmarks/bench_sharded.py memory
    python tests/benchmarks/bench_sharded.py model
    SVEN_REF_DATA=FOLDER python tests/benchmarks/bench_sharded.py mnist [--rows per_output] [--workers 0] …

Bytes are those that Dask writes to its sockets, counted in every process by a counter around `TCP.write`. Needs the
extra `dask`.
"""

import argparse
import gzip
import os
import re
from contextlib import nullcontext
from fractions import Fraction
from pathlib import Path
from time import perf_counter

import numpy as np

import sven_ref as sr
from sven_ref.lab.scale import step_cost
from sven_ref.sharded import ShardedProblem, connect
from sven_ref.sharded.shard import held
from sven_ref.sharded.workers import Workers

MNIST_NET = (784, 32, 32, 32, 10)
MODEL = [
    (64, 256, 8, step_cost.SOLVERS[:5]),
    (128, 256, 8, ("gram", "svds", "tsqr")),
    (128, 256, 64, ("gram", "svds")),
    (128, 2048, 8, ("gram", "svds")),
]
MODEL += [(512, 512, 8, ("gram", "svds"))]


def case(sizes, B, dtype=np.float64, kappa=1.0, seed=0):
    """(problem, θ, batch): label regression on random images."""
    rng, net = np.random.default_rng(seed), sr.MLP(sizes)
    x, y = rng.standard_normal((B, sizes[0])).astype(dtype), rng.integers(0, sizes[-1], B)
    return sr.Problem(net, "label_regression", kappa=kappa), net.init(rng, dtype), (x, y)


def count_writes():
    """Count what this process writes to Dask's sockets from now on; the bytes so far come back."""
    from distributed.comm import tcp

    if not hasattr(tcp, "written"):
        tcp.written, write = 0, tcp.TCP.write

        async def counted(self, *args, **kwargs):
            n = await write(self, *args, **kwargs)
            tcp.written += n
            return n

        tcp.TCP.write = counted
    return tcp.written


def written(client):
    """Bytes written so far: by the client with its scheduler, and by all workers."""
    return np.array([count_writes(), sum(client.run(count_writes).values())])


def rss():
    """Peak resident memory of this process in MiB (Linux; `ru_maxrss` would be the parent's where that is larger)."""
    return int(re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())[1]) / 1024


def row(*cells):
    """A row of a table in Markdown."""
    print("|", " | ".join(map(str, cells)), "|", flush=True)


def head(*cells):
    """Its first two rows."""
    row(*cells)
    print("|" + "---|" * len(cells))


def median_seconds(run, rounds=5):
    run()
    times = []
    for _ in range(rounds):
        start = perf_counter()
        run()
        times.append(perf_counter() - start)
    return float(np.median(times))


def expected(sizes, B, n, S, N, word=8):
    """{operation: (bytes written by client and scheduler, by workers)}, as docs/scale.md has them."""
    net = sr.MLP(sizes)
    P, width, M = net.n_params, sum(i + 1 + o for i, o in net.shapes[::2]), B
    at, rows = [i * N // S for i in range(S)], [len(a) for a in np.array_split(np.arange(B), S)]
    pairs = [(i, j) for i in range(S) for j in range(i, S)]
    moved = {(at[i if (i + j) % 2 else j], m) for i, j in pairs for m in (i, j)}
    moved = sum(rows[m] for worker, m in moved if at[m] != worker)
    sums, crossing = list(range(S)), 0
    while len(sums) > 1:
        crossing += sum(at[i] != at[j] for i, j in zip(sums[::2], sums[1::2], strict=False))
        sums = sums[::2]
    others = min(N, S) - 1
    return {
        "J, R": (2 * P * word, others * P * word + M * word),
        "J V": (2 * P * n * word, others * P * n * word + M * n * word),
        "J^T U": (2 * M * n * word, (crossing + 1) * P * n * word),
        "J J^T u": (2 * M * word, (crossing + others) * P * word + M * word),
        "J J^T": (0, moved * width * word + sum(rows[i] * rows[j] for i, j in pairs) * 8),
    }


def run_bytes(_):
    """Varying M, the width of the net, the columns of a block and the shards, on two workers."""
    narrow, wide = (64, 32, 32, 10), (64, 256, 256, 10)
    cases = [(narrow, 1024, 8, 2), (narrow, 2048, 8, 2), (wide, 1024, 8, 2), (wide, 1024, 32, 2)]
    cases += [(wide, 1024, 8, 1), (wide, 1024, 8, 4), (wide, 1024, 8, 8)]
    head("M", "P", "n", "S", "operation", "trips", "client and scheduler, MB", "formula", "workers, MB", "formula")
    with connect(2) as client:
        written(client)
        for sizes, B, n, S in cases:
            problem, theta, batch = case(sizes, B)
            sharded = ShardedProblem(problem, client, S)
            parts, rng = sharded.scatter(batch), np.random.default_rng(0)
            V, U = rng.standard_normal((theta.size, n)), rng.standard_normal((B, n))
            sharded.losses(theta, parts)  # the samples have arrived
            J = None
            for name, sizes_of in expected(sizes, B, n, S, 2).items():
                before, trips = written(client), sharded.round_trips
                if name == "J, R":
                    J = sharded.jacobian(theta, parts)
                else:
                    products = {"J V": lambda: J @ V, "J^T U": lambda: J.T @ U}  # noqa: B023
                    products |= {"J J^T u": lambda: J.gram_matvec(U[:, 0]), "J J^T": lambda: J.gram()}  # noqa: B023
                    products[name]()
                (ours, theirs), (a, b) = (written(client) - before) / 1e6, np.array(sizes_of) / 1e6
                trips = sharded.round_trips - trips
                amounts = (f"{x:.2f}" for x in (ours, a, theirs, b))
                row(f"{B:,}", f"{theta.size:,}", n, S, name, trips, *amounts)


def run_tree(_):
    """How often a vector leaves the worker that sends it most, on its way to all N: by Dask alone, and handed on."""
    head("N", "Dask by itself", "by a tree of tasks")
    for N in (2, 4, 8, 16):
        with connect(N) as client:
            workers, x = Workers(client), np.ones(1 << 20)
            written(client)

            def busiest(hand_on, client=client, workers=workers, x=x):
                first = workers.submit(0, held, x)
                workers.fetch(workers.submit(0, len, first))
                before = client.run(count_writes)
                workers.fetch(workers.map(len, hand_on(first)))
                return max(n - before[w] for w, n in client.run(count_writes).items()) / x.nbytes

            alone, tree = busiest(lambda x, N=N: [x] * N), busiest(lambda x, N=N, w=workers: w.everywhere(x, N))
            row(N, f"{alone:.2f}", f"{tree:.2f}")


def run_scaling(_):
    """Seconds with one and with two workers, shards = workers: the same work, and half of it with one worker."""
    products = {
        "J, R": lambda J, p, t, b: p.jacobian(t, b),
        "J V, 16 columns": lambda J, p, t, b: J @ np.ones((t.size, 16), t.dtype),
        "J^T U, 16 columns": lambda J, p, t, b: J.T @ np.ones((J.shape[0], 16), t.dtype),
        "J v": lambda J, p, t, b: J @ np.ones(t.size, t.dtype),
        "J J^T u": lambda J, p, t, b: J.gram_matvec(np.ones(J.shape[0], t.dtype)),
        "svds step, k = 8": lambda J, p, t, b: sr.step(p, t, b, lr=0.1, k=8, solver="svds"),
    }
    matrix = {
        "J J^T": lambda J, p, t, b: J.gram(),
        "J J^T, one process": lambda J, p, t, b: p.problem.jacobian(t, p.whole).gram(),
    }
    head("operation", "M", "1 worker: s", "2 workers", "1 worker, M/2", "strong: speed-up", "weak: efficiency")
    for operations, M in ((products, 32_768), (matrix, 4096)):
        seconds = {}
        for workers, B in ((1, M), (2, M), (1, M // 2)):
            problem, theta, batch = case(MNIST_NET, B, np.float32)
            with connect(workers) as client:
                sharded = ShardedProblem(problem, client)
                sharded.whole, parts = batch, sharded.scatter(batch)
                J = sharded.jacobian(theta, parts)
                for name, run in operations.items():
                    seconds[name, workers, B] = median_seconds(lambda run=run: run(J, sharded, theta, parts))  # noqa: B023
        for name in operations:
            a, b, c = (seconds[name, *key] for key in ((1, M), (2, M), (1, M // 2)))
            row(name, f"{M:,}", *(f"{x:.3g}" for x in (a, b, c)), f"{a / b:.2f}", f"{c / b:.2f}")


def resident():
    """Resident MiB of this process now."""
    return int(re.search(r"VmRSS:\s*(\d+)", Path("/proc/self/status").read_text())[1]) / 1024


def forget_peak():
    """From now on the peak is that of what comes (Linux); resident MiB of this process now."""
    Path("/proc/self/clear_refs").write_text("5")
    return rss()


def run_memory(_):
    """Resident memory that a worker gains by holding its shard, against M_i × width numbers."""
    problem, theta, batch = case(MNIST_NET, 40_000, np.float32)
    width = sum(i + 1 + o for i, o in problem.model.shapes[::2])
    with connect(2) as client:
        sharded = ShardedProblem(problem, client, 2)
        parts = sharded.scatter(batch)
        sharded.residuals(theta, parts)
        before = client.run(resident)
        J = sharded.jacobian(theta, parts)
        gained = [m - before[w] for w, m in client.run(resident).items()]
        print(
            f"M = {J.shape[0]:,}, width {width}: factors {4 * 20_000 * width / 2**20:.0f} MiB a worker by the formula"
        )
        print("resident MiB gained a worker:", ", ".join(f"{m:.0f}" for m in gained))
        print("peak resident MiB:", ", ".join(f"{m:.0f}" for m in client.run(rss).values()))
    head("M", "P", "solver", "a worker, MiB", "model", "client and scheduler, MiB", "model")
    for w, M in ((724, 64), (128, 4096)):
        for solver in ("gram", "svds"):
            problem, theta, batch = square_net(w, M)
            with connect(2) as client:
                m, sharded = step_cost.Machine(nodes=2), ShardedProblem(problem, client)
                parts = sharded.scatter(batch)
                small = square_net(8, 64)
                sr.step(ShardedProblem(small[0], client), *small[1:], lr=0.1, k=4, solver=solver)  # all is imported
                before, before_here = client.run(forget_peak), forget_peak()
                info = sr.step(sharded, theta, parts, lr=0.1, k=4, rtol=0, solver=solver)[1]
                gained = max(peak - before[w] for w, peak in client.run(rss).items())
                W = sum(i + 1 + o for i, o in problem.model.shapes[::2])
                c = step_cost.cost(solver, M, theta.size, 4, m, pairs=info.n_jvp - 1, W=W)
                amounts = (gained, c.node / 2**20, rss() - before_here, c.client / 2**20)
                row(f"{M:,}", f"{theta.size:,}", solver, *(f"{x:.0f}" for x in amounts))


def square_net(w, M):
    """(problem, θ, batch) of the net of `sven_ref.lab.scale.step_cost`: 24 square layers, P = 24 w (w + 1), float32."""
    rng, net = np.random.default_rng(0), sr.MLP((w,) * (step_cost.LAYERS + 1), "tanh")
    x, y = (rng.standard_normal((M, w)).astype(np.float32) for _ in range(2))
    return sr.Problem(net, kappa=1.0), net.init(rng, np.float32), (x, y)


def this_machine(client):
    """What the model has to know of it, each measured alone: `Machine` for as many nodes as the client has workers."""
    problem, theta, batch = square_net(128, 1024)
    J, workers = problem.jacobian(theta, batch), Workers(client)
    (M, P), G = J.shape, J.gram()
    v, x = np.ones(P, np.float32), np.ones(1 << 24, np.float32)
    N = len(workers.addresses)

    def chain(levels):
        future = workers.submit(0, held, 1)
        for level in range(1, levels):
            future = workers.submit(Fraction(level % N, N), held, future)
        workers.fetch(future)

    trip, trip_of_11 = (median_seconds(lambda: chain(levels), 20) for levels in (1, 11))  # noqa: B023
    moved = median_seconds(lambda: workers.fetch(workers.submit(0, len, x)), 5) - trip
    start, tasks = perf_counter(), [workers.submit(0, abs, 1) for _ in range(500)]
    task = (perf_counter() - start) / len(tasks)
    workers.fetch(tasks)
    tall = np.random.default_rng(0).standard_normal((100_000, 128))
    return step_cost.Machine(
        nodes=N,
        flops=2 * M * P / median_seconds(lambda: J @ v, 9),
        lapack=9 * M**3 / median_seconds(lambda: np.linalg.eigh(G), 3),
        panel=4 * tall.size * tall.shape[1] / median_seconds(lambda: np.linalg.qr(tall), 3),
        network=2 * x.nbytes / moved,
        trip=trip,
        hop=(trip_of_11 - trip) / 10,
        task=task,
    )


def run_model(_):
    """Whole steps against `sven_ref.lab.scale.step_cost`, with the rates of this machine, each measured alone."""
    for N in (1, 2):
        with connect(N) as client:
            written(client)
            m = this_machine(client)
            rates = {name: f"{value:.3g}" for name, value in vars(m).items() if name not in ("memory", "word")}
            print(f"\n{N} workers: {rates}\n")
            head("N", "solver", "M", "P", "k", "trips", "model", "MB moved", "model", "s", "model", "s / model")
            for w, M, k, solvers in MODEL:
                problem, theta, batch = square_net(w, M)
                sharded = ShardedProblem(problem, client)
                parts = sharded.scatter(batch)
                sharded.losses(theta, parts)  # the samples have arrived
                for solver in solvers:

                    def step(solver=solver, k=k, sharded=sharded, theta=theta, parts=parts):
                        return sr.step(sharded, theta, parts, lr=0.1, k=k, rtol=0, solver=solver)[1]

                    before, trips, start = written(client), sharded.round_trips, perf_counter()
                    info = step()
                    seconds = perf_counter() - start
                    moved, trips = float((written(client) - before).sum()), sharded.round_trips - trips
                    seconds = seconds if seconds > 5 else median_seconds(step, 3)
                    pairs = info.n_jvp - 1 if solver == "svds" else 0
                    rounds = (info.n_jvp - k - 11) // (k + 1) - 1 if solver == "randomized" else 0
                    W = sum(i + 1 + o for i, o in problem.model.shapes[::2])
                    c = step_cost.cost(solver, M, theta.size, k, m, pairs=pairs, rounds=rounds, W=W)
                    model = c.seconds(m)
                    amounts = (moved / 1e6, c.moved / 1e6, seconds, model)
                    sizes = (f"{M:,}", f"{theta.size:,}", k, trips, c.trips)
                    row(N, info.solver, *sizes, *(f"{x:.3g}" for x in amounts), f"{seconds / model:.2f}")


def mnist(folder):
    """The 60,000 training images in [0, 1], float32, and their labels."""
    with gzip.open(folder / "train-images-idx3-ubyte.gz") as f:
        x = np.frombuffer(f.read(), np.uint8, offset=16).reshape(-1, 784)
    with gzip.open(folder / "train-labels-idx1-ubyte.gz") as f:
        y = np.frombuffer(f.read(), np.uint8, offset=8).astype(np.int64)
    return (x / np.float32(255)).astype(np.float32), y


def run_mnist(options):
    folder = os.environ.get("SVEN_REF_DATA")
    if not folder:
        raise SystemExit("SVEN_REF_DATA must name the folder that holds mnist/train-*-ubyte.gz")
    net = sr.MLP(MNIST_NET)
    theta = net.init(0, np.float32)
    problem = sr.Problem(net, "label_regression", kappa=1.0, rows=options.rows)
    x, y = mnist(Path(folder) / "mnist")
    x, y = x[: options.samples], y[: options.samples]
    with connect(options.workers, memory_limit="2GiB") if options.workers else nullcontext() as client:
        sharded = ShardedProblem(problem, client, options.shards) if client else problem
        batch = sharded.scatter((x, y)) if client else (x, y)
        del x, y
        for t in range(options.steps):
            trips, start = getattr(sharded, "round_trips", 0), perf_counter()
            theta, info = sr.step(sharded, theta, batch, lr=options.lr, k=options.k, rtol=1e-3, rng=[0, t], actual=True)
            seconds = perf_counter() - start
            print(
                f"step {t}: M = {len(info.residuals):,}, P = {theta.size:,}, rank {info.rank}, solver {info.solver}, "
                f"{info.n_jvp} + {info.n_vjp} products in {getattr(sharded, 'round_trips', 0) - trips} round trips, "
                f"{seconds:.1f} s; |R| {info.residual_norm:.6g} -> {info.actual_norm:.6g} "
                f"(first order {info.predicted_norm:.6g})",
                flush=True,
            )
        peaks = [f"{m:.0f}" for m in client.run(rss).values()] if client else []
        print(f"peak resident MiB: this process, with the scheduler, {rss():.0f}; workers {', '.join(peaks) or 'none'}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for name, run in (
        ("bytes", run_bytes),
        ("tree", run_tree),
        ("scaling", run_scaling),
        ("memory", run_memory),
        ("model", run_model),
    ):
        commands.add_parser(name).set_defaults(run=run)
    p = commands.add_parser("mnist")
    p.add_argument("--rows", choices=["unsigned", "per_output"], default="unsigned")
    p.add_argument("--samples", type=int, default=60_000)
    p.add_argument("--workers", type=int, default=2, help="0: this process alone")
    p.add_argument("--shards", type=int, default=4)
    p.add_argument("--steps", type=int, default=1)
    p.add_argument("--k", type=int, default=64)
    p.add_argument("--lr", type=float, default=0.1)
    p.set_defaults(run=run_mnist)
    options = parser.parse_args()
    options.run(options)
