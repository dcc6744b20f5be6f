"""θ after six steps of PyTorch's optimizers, in float64: what the baselines must give.

`python tests/lab/torch_peer.py` writes `torch_values.json` beside it; the tests read that, and run this where PyTorch
can be imported. The network, (3, 5, 2) with tanh, and its mean squared error are written out here in PyTorch.
"""

import json
from pathlib import Path

import numpy as np

VALUES = Path(__file__).with_name("torch_values.json")
SIZES, BATCH, STEPS = (3, 5, 2), 6, 6

# name of a baseline first, its options -> PyTorch's class and the same options
CASES = {
    "sgd": ({"lr": 0.05}, "SGD", {"lr": 0.05}),
    "momentum": ({"lr": 0.05}, "SGD", {"lr": 0.05, "momentum": 0.9}),
    "rmsprop": ({"lr": 0.01}, "RMSprop", {"lr": 0.01}),
    "adam": ({"lr": 0.01}, "Adam", {"lr": 0.01}),
    "adamw": ({"lr": 0.01}, "AdamW", {"lr": 0.01}),
    **{
        f"lbfgs {search} {max_iter}": (
            {"lr": lr, "max_iter": max_iter, "history_size": 3, "line_search": search},
            "LBFGS",
            {"lr": lr, "max_iter": max_iter, "history_size": 3, "line_search_fn": search},
        )
        for search, lr, max_iter in (
            (None, 0.3, 1),
            (None, 0.3, 3),
            ("strong_wolfe", 0.1, 1),
            ("strong_wolfe", 0.5, 3),
            ("strong_wolfe", 0.1, 10),
        )
    },
}


def start():
    """θ_0 of shape (32,)."""
    return np.random.default_rng(1).uniform(-0.5, 0.5, 32)


def batches():
    """Six batches, three of them twice: x (6, 3), y (6, 2)."""
    rng = np.random.default_rng(2)
    three = [(rng.standard_normal((BATCH, 3)), rng.standard_normal((BATCH, 2))) for _ in range(3)]
    return three * 2


def torch_run(name):
    """The θ of PyTorch after six steps, and the losses before each."""
    import torch

    theta = torch.tensor(start(), requires_grad=True)
    _, optimizer, options = CASES[name]
    opt, losses = getattr(torch.optim, optimizer)([theta], **options), []
    for x, y in batches():
        x, y = torch.tensor(x), torch.tensor(y)

        def closure(x=x, y=y):
            opt.zero_grad()
            W1, b1, W2, b2 = theta[:15].reshape(3, 5), theta[15:20], theta[20:30].reshape(5, 2), theta[30:]
            f = torch.tanh(x @ W1 + b1) @ W2 + b2
            loss = ((f - y) ** 2).sum(dim=1).mean()
            loss.backward()
            return loss

        losses.append(opt.step(closure).item())
    return {"theta": theta.detach().numpy().tolist(), "losses": losses}


if __name__ == "__main__":
    import torch

    runs = {name: torch_run(name) for name in CASES}
    VALUES.write_text(json.dumps({"torch": torch.__version__, "runs": runs}, indent=1) + "\n")
