"""The data of the page to play with: a net of 25 parameters, 12 samples, three moments of a run, five values of κ.

For each moment: θ. For each κ at that moment: R (12), and the SVD of J, so U (12, 12), s (12) and Vt (12, 25), which is
all that k, rtol and η act on. The page computes the rest; tests/browser compares it with `sr.step`.

    python docs/_ext/play.py            prints the JSON
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

import sven_ref as sr

SIZES = (1, 8, 1)
KAPPAS = (0.5, 1, 1.5, 2, 3)
MOMENTS = (("untrained", 0), ("after 10 steps", 10), ("after 100 steps", 100))


def problem(kappa: float) -> sr.Problem:
    """The problem of the page for one κ, signed rows."""
    return sr.Problem(sr.MLP(SIZES, activation="tanh"), kappa=kappa)


def batch() -> tuple[Any, Any]:
    """x and y of shape (12, 1)."""
    x = np.linspace(-2, 2, 12)[:, None]
    return x, np.sin(2 * x)


def thetas() -> list[Any]:
    """θ at each moment of a run with κ = 1, η = 0.2, rtol = 0.02."""
    theta, found, taken = sr.MLP(SIZES, activation="tanh").init(rng=4), [], 0
    for _, n in MOMENTS:
        while taken < n:
            theta, _ = sr.step(problem(1), theta, batch(), lr=0.2, rtol=0.02, solver="dense")
            taken += 1
        found.append(theta)
    return found


def data() -> dict[str, Any]:
    """What the page is given."""
    x, y = batch()
    moments = []
    for (name, _), theta in zip(MOMENTS, thetas(), strict=True):
        rows = []
        for kappa in KAPPAS:
            R, J = problem(kappa).linearise(theta, (x, y))
            U, s, Vt = np.linalg.svd(J @ np.eye(len(theta)), full_matrices=False)
            rows.append({"R": short(R), "U": short(U), "s": short(s), "Vt": short(Vt)})
        moments.append({"name": name, "theta": short(theta), "rows": rows})
    return {"x": short(x[:, 0]), "y": short(y[:, 0]), "hidden": SIZES[1], "kappas": KAPPAS, "moments": moments}


def short(a: Any) -> Any:
    """Nested lists with eight significant digits."""
    return [short(x) for x in a] if np.ndim(a) else float(f"{a:.8g}")


def dumps() -> str:
    """`data` as JSON on one line."""
    return json.dumps(data(), separators=(",", ":"))


if __name__ == "__main__":
    print(dumps())
