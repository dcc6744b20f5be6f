"""Resident memory over many small steps on Dask's workers: it must not grow with their number (docs/scale.md).

python tests/benchmarks/bench_memory.py [--steps 2000] [--solver gram] [--scheduler ADDRESS]

Dask's scheduler and workers remember every group of tasks there ever was, so tasks of one kind are given keys of one
group. The first quarter of the steps fills what is bounded (Dask's logs and events); the rest may add 2 MiB to each
process.
"""

import argparse
import gc
from pathlib import Path

import numpy as np

import sven_ref as sr
from sven_ref.sharded import ShardedProblem, connect

ALLOWED = 2.0  # MiB


def resident():
    """Resident memory of this process in MiB."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--solver", default="gram")
    parser.add_argument("--scheduler", help="of a cluster of one's own; its process is measured too")
    options = parser.parse_args()
    net = sr.MLP((3, 8, 1), "tanh")
    x = np.random.default_rng(0).standard_normal((12, 3))
    theta, batch = net.init(0), (x, np.sin(x[:, :1]))
    where = {"scheduler": options.scheduler} if options.scheduler else {"workers": 2}
    with connect(**where) as client:
        problem, marks = ShardedProblem(sr.Problem(net, kappa=1.0), client), []
        print("step: MiB of client, scheduler, workers")
        for t in range(options.steps + 1):
            if t % max(1, options.steps // 8) == 0:
                gc.collect()
                marks.append([resident(), client.run_on_scheduler(resident), *client.run(resident).values()])
                print(f"{t}: {', '.join(f'{m:.1f}' for m in marks[-1])}", flush=True)
            theta, _ = sr.step(problem, theta, batch, lr=1e-3, k=2, solver=options.solver)
    gained = np.subtract(marks[-1], marks[2])
    print(f"gained after the first quarter: {', '.join(f'{g:.1f}' for g in gained)}; allowed: {ALLOWED} each")
    raise SystemExit(int(max(gained) > ALLOWED))


if __name__ == "__main__":
    main()
