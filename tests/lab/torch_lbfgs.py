"""Mini-batch L-BFGS on the toy task: PyTorch's and ours on the same batches from the same θ.

`python tests/lab/torch_lbfgs.py [SEEDS]` (wants PyTorch), settings as in `protocols.toml`, prints for each seed

    in float64    ‖θ − θ'‖_∞ / ‖θ‖_∞ after some batches of the first epoch: one algorithm, whose rounding grows
    in float32    both validation losses after some epochs: where each stops moving
"""

import sys

import numpy as np

import sven_ref as sr
from sven_ref.lab.optimizers import BASELINES
from sven_ref.lab.paper import protocols
from sven_ref.lab.tasks import TASKS
from sven_ref.lab.training.loop import evaluate

BATCHES, EPOCHS = (1, 8, 31, 61, 101), (1, 2, 5, 10, 20)
PROTOCOL = protocols.read()[1]["toy"]


class Peer:
    """`torch.optim.LBFGS` with the laboratory's step, on θ of the same layout."""

    def __init__(self, net, theta, *, line_search, **options):
        import torch

        torch.set_num_threads(1)
        self.torch, self.net = torch, net
        self.theta = torch.tensor(theta, requires_grad=True)
        self.opt = torch.optim.LBFGS([self.theta], line_search_fn=line_search, **options)

    def step(self, problem, theta, batch):
        x, y = map(self.torch.tensor, batch)

        def closure():
            self.opt.zero_grad()
            loss = ((self.outputs(x) - y) ** 2).sum(dim=1).mean()
            loss.backward()
            return loss

        self.opt.step(closure)
        return self.theta.detach().numpy(), None

    def outputs(self, z):
        start, last = 0, len(self.net.shapes) - 2
        for i in range(0, last + 1, 2):
            W, b = self.net.shapes[i : i + 2]
            stop = start + W[0] * W[1]
            z = z @ self.theta[start:stop].reshape(W) + self.theta[stop : stop + b[0]]
            z = z if i == last else self.torch.nn.functional.gelu(z)
            start = stop + b[0]
        return z


def batches(task, seed, epoch, dtype):
    """The laboratory's batches, the last shorter one dropped."""
    x, y = (a.astype(dtype) for a in task.train)
    order = np.random.default_rng([seed, epoch]).permutation(len(x))
    for i in range(0, len(x) - PROTOCOL.batch_size + 1, PROTOCOL.batch_size):
        rows = order[i : i + PROTOCOL.batch_size]
        yield x[rows], y[rows]


def main(seeds=5):
    options, task = PROTOCOL.methods["lbfgs"].options, TASKS["toy"](PROTOCOL.data_seed)
    net = sr.MLP(task.sizes, task.activation)
    problem = sr.Problem(net, task.loss)
    for seed in range(PROTOCOL.seed, PROTOCOL.seed + seeds):
        start = net.init(seed, np.float32)
        theta = theirs = start.astype(np.float64)
        ours, peer, apart = BASELINES["lbfgs"](**options), Peer(net, theta, **options), []
        for n, batch in enumerate(batches(task, seed, 1, np.float64), 1):
            theta, theirs = ours.step(problem, theta, batch)[0], peer.step(problem, theirs, batch)[0]
            if n in BATCHES:
                apart.append(np.abs(theta - theirs).max() / np.abs(theta).max())
            if n == BATCHES[-1]:
                break
        print(seed, "float64, apart  ", *(f"{a:9.1e}" for a in apart), flush=True)

        for name, opt in (("ours", BASELINES["lbfgs"](**options)), ("PyTorch", Peer(net, start, **options))):
            theta, losses = start, []
            for epoch in range(1, EPOCHS[-1] + 1):
                for batch in batches(task, seed, epoch, np.float32):
                    theta = opt.step(problem, theta, batch)[0]
                losses.append(evaluate(problem, theta, task.val) if np.isfinite(theta).all() else np.nan)
            print(seed, f"float32, {name:8}", *(f"{losses[e - 1]:9.2e}" for e in EPOCHS), flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
