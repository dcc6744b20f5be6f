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
