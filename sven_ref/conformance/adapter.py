"""This package as an adapter, one for each solver: `--module sven_ref.conformance.adapter:svds` and so on.

Each operation is a line or two of the public interface. What a solver refuses because it can't resolve it (SPEC 3.7),
and what it does not converge to, is skipped; every other error is a refusal of the input.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import __version__, natural_gradient
from ..errors import ConvergenceError, SolverFloorError
from ..foreign import as_product_operator
from ..nets.mlp import MLP
from ..pinv import TruncatedPinv, truncated_pinv
from ..problem import Problem
from ..step import step, update
from .loader import arrays
from .protocol import DTYPES, OPS


class Reference:
    """The matrix-free core with one of its solvers."""

    version, ops, dtypes = __version__, OPS, DTYPES

    def __init__(self, solver: str) -> None:
        self.name, self.solver = f"sven_ref, solver {solver}", solver

    def run(self, op: str, dtype: str, input: dict[str, Any]) -> dict[str, Any]:
        """One operation on `input`, its lists made arrays of `dtype`."""
        try:
            with np.errstate(all="ignore"):  # what overflows is refused, not warned of
                result: dict[str, Any] = getattr(self, op)(arrays(input, dtype))
        except (SolverFloorError, ConvergenceError) as error:
            raise NotImplementedError(str(error)) from error
        return result

    def matvec(self, i: dict[str, Any]) -> dict[str, Any]:
        """J v."""
        return {"product": as_product_operator(i["J"]) @ i["v"]}

    def rmatvec(self, i: dict[str, Any]) -> dict[str, Any]:
        """Jᵀ u."""
        return {"product": as_product_operator(i["J"]).H @ i["u"]}

    def pinv(self, J: Any, i: dict[str, Any]) -> TruncatedPinv:
        """J⁺ with the cuts of the input."""
        return truncated_pinv(J, i["k"], i["rtol"], i["atol"], self.solver)

    def pinv_apply(self, i: dict[str, Any]) -> dict[str, Any]:
        """J⁺ R."""
        J_pinv = self.pinv(i["J"], i)
        return {"update": J_pinv @ i["R"], "rank": J_pinv.rank, "singular_values": J_pinv.singular_values}

    def step(self, i: dict[str, Any]) -> dict[str, Any]:
        """θ − η J⁺ R for a J that is given."""
        cuts = {name: i[name] for name in ("lr", "k", "rtol", "atol")}
        theta, J_pinv, _ = update(i["theta"], i["R"], i["J"], columns=i.get("columns"), solver=self.solver, **cuts)
        return {"theta": theta, "rank": J_pinv.rank, "singular_values": J_pinv.singular_values}

    def natural_gradient(self, i: dict[str, Any]) -> dict[str, Any]:
        """F⁻¹ ∇L with ∇L = 2 JᵀR."""
        J = as_product_operator(i["J"])
        return {"update": natural_gradient.natural_gradient(J, 2 * (J.H @ i["R"]))}

    def problem(self, i: dict[str, Any]) -> Problem:
        """The model and the loss of the input."""
        return Problem(
            MLP(i["model"]["sizes"], i["model"]["activation"]),
            i["loss"],
            kappa=i["kappa"],
            rows=i["rows"],
            micro_batch=i["micro_batch"],
        )

    def jacobian(self, i: dict[str, Any]) -> dict[str, Any]:
        """R and J at θ, J made whole by applying it to the identity."""
        R, J = self.problem(i).linearise(i["theta"], (i["x"], i["y"]))
        return {"residuals": R, "jacobian": J @ np.eye(J.shape[1], dtype=J.dtype)}

    def trajectory(self, i: dict[str, Any]) -> dict[str, Any]:
        """θ after each step."""
        problem, theta, thetas = self.problem(i), i["theta"], []
        cuts = {name: i[name] for name in ("lr", "k", "rtol", "atol")}
        for t in range(i["steps"]):
            batch = i["batches"][t % len(i["batches"])]
            theta, _ = step(problem, theta, (batch["x"], batch["y"]), solver=self.solver, **cuts)
            thetas.append(theta)
        return {"thetas": thetas}


svds, dense, gram, tsqr, randomized, auto = map(Reference, ("svds", "dense", "gram", "tsqr", "randomized", "auto"))
