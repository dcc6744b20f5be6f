"""What shards cost: bytes and round trips a step against the formula, scaling, memory, full-batch MNIST.

    export OPENBLAS_NUM_THREADS=1
    python tests/benchmarks/bench_sharded.py bytes
    python tests/benchmarks/bench_sharded.py scaling
    python tests/benchmarks/bench_sharded.py memory
    SVEN_REF_DATA=FOLDER python tests/benchmarks/bench_sharded.py mnist [--rows per_output]

Bytes are those that Dask writes to its sockets, counted in every process by a counter around `TCP.write`. Needs the
extra `dask`.
"""

import argparse
import gzip
import os
import re
from pathlib import Path
from time import perf_counter

import numpy as np

import sven_ref as sr
from sven_ref.sharded import ShardedProblem, connect

MNIST_NET = (784, 32, 32, 32, 10)


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
    """Peak resident memory of this process in MB (Linux; `ru_maxrss` would be the parent's where that is larger)."""
    return int(re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())[1]) / 1024


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
        "J J^T": (0, moved * width * word + sum(rows[i] * rows[j] for i, j in pairs) * 8),
    }


def run_bytes(_):
    """Varying M, the width of the net, the columns of a block and the shards, on two workers."""
    narrow, wide = (64, 32, 32, 10), (64, 256, 256, 10)
    cases = [(narrow, 1024, 8, 2), (narrow, 2048, 8, 2), (wide, 1024, 8, 2), (wide, 1024, 32, 2)]
    cases += [(wide, 1024, 8, 1), (wide, 1024, 8, 4), (wide, 1024, 8, 8)]
    print("M P n S operation | trips | client+scheduler MB: measured formula | workers MB: measured formula")
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
                    {"J V": lambda: J @ V, "J^T U": lambda: J.T @ U, "J J^T": lambda: J.gram()}[name]()  # noqa: B023
                (ours, theirs), (a, b) = (written(client) - before) / 1e6, np.array(sizes_of) / 1e6
                trips = sharded.round_trips - trips
                print(
                    f"{B} {theta.size} {n} {S} {name:5} | {trips} | {ours:.2f} {a:.2f} | {theirs:.2f} {b:.2f}",
                    flush=True,
                )


def run_scaling(_):
    """Seconds with one and with two workers, shards = workers: the same work, and half of it with one worker."""
    operations = {
        "J, R": lambda J, p, t, b: p.jacobian(t, b),
        "J V, 16 columns": lambda J, p, t, b: J @ np.ones((t.size, 16), t.dtype),
        "J^T U, 16 columns": lambda J, p, t, b: J.T @ np.ones((J.shape[0], 16), t.dtype),
        "J v": lambda J, p, t, b: J @ np.ones(t.size, t.dtype),
        "J J^T": lambda J, p, t, b: J.gram(),
        "J J^T, one process": lambda J, p, t, b: p.problem.jacobian(t, p.whole).gram(),
    }
    seconds = {}
    for workers, B in ((1, 4096), (2, 4096), (1, 2048)):
        problem, theta, batch = case(MNIST_NET, B, np.float32)
        with connect(workers) as client:
            sharded = ShardedProblem(problem, client)
            sharded.whole, parts = batch, sharded.scatter(batch)
            J = sharded.jacobian(theta, parts)
            for name, run in operations.items():
                seconds[name, workers, B] = median_seconds(lambda run=run: run(J, sharded, theta, parts), 5)  # noqa: B023
    print("operation | s: 1 worker, M = 4096; 2 workers, 4096; 1 worker, 2048 | strong speed-up | weak efficiency")
    for name in operations:
        a, b, c = (seconds[name, *key] for key in ((1, 4096), (2, 4096), (1, 2048)))
        print(f"{name} | {a:.3f} {b:.3f} {c:.3f} | {a / b:.2f} | {c / b:.2f}")


def resident():
    """Resident MB of this process now."""
    return int(re.search(r"VmRSS:\s*(\d+)", Path("/proc/self/status").read_text())[1]) / 1024


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
        print(f"M = {J.shape[0]:,}, width {width}: factors {4 * 20_000 * width / 2**20:.0f} MB a worker by the formula")
        print("resident MB gained a worker:", ", ".join(f"{m:.0f}" for m in gained))
        print("peak resident MB:", ", ".join(f"{m:.0f}" for m in client.run(rss).values()))


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
    with connect(options.workers, memory_limit="2GiB") as client:
        sharded = ShardedProblem(problem, client, options.shards)
        batch = sharded.scatter((x, y))
        del x, y
        for t in range(options.steps):
            trips, start = sharded.round_trips, perf_counter()
            theta, info = sr.step(sharded, theta, batch, lr=options.lr, k=options.k, rtol=1e-3, rng=[0, t], actual=True)
            seconds = perf_counter() - start
            print(
                f"step {t}: M = {len(info.residuals):,}, P = {theta.size:,}, rank {info.rank}, solver {info.solver}, "
                f"{info.n_jvp} + {info.n_vjp} products in {sharded.round_trips - trips} round trips, {seconds:.1f} s; "
                f"|R| {info.residual_norm:.6g} -> {info.actual_norm:.6g} (first order {info.predicted_norm:.6g}), "
                f"sigma_k/sigma_1 {info.singular_values[-1] / info.singular_values[0]:.3g}",
                flush=True,
            )
        peaks = ", ".join(f"{m:.0f}" for m in client.run(rss).values())
        print(f"peak resident MB: client with scheduler {rss():.0f}; workers {peaks}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for name, run in (("bytes", run_bytes), ("scaling", run_scaling), ("memory", run_memory)):
        commands.add_parser(name).set_defaults(run=run)
    p = commands.add_parser("mnist")
    p.add_argument("--rows", choices=["unsigned", "per_output"], default="unsigned")
    p.add_argument("--samples", type=int, default=60_000)
    p.add_argument("--workers", type=int, default=2)
    p.add_argument("--shards", type=int, default=4)
    p.add_argument("--steps", type=int, default=1)
    p.add_argument("--k", type=int, default=64)
    p.add_argument("--lr", type=float, default=0.1)
    p.set_defaults(run=run_mnist)
    options = parser.parse_args()
    options.run(options)
