"""The package's two implementations as answers to a case: `run(op, dtype, input) -> output`, raising to reject.

`Oracle` is dense and checks nothing; `Core(solver)` is what users call. A solver that squares J refuses what lies below
its floor, and a sketch a spectrum that does not decay: `NotImplementedError`, no answer.
"""

import numpy as np

import sven_ref as sr
from sven_ref import oracle
from sven_ref.conformance import arrays, judge


class Oracle:
    """`sven_ref.oracle`, in float64 and float32."""

    def run(self, op, dtype, input):
        return getattr(self, op)(arrays(input, dtype))

    def matvec(self, a):
        return {"product": a["J"] @ a["v"]}

    def rmatvec(self, a):
        return {"product": a["J"].T @ a["u"]}

    def pinv(self, J, a):
        return oracle.truncated_pinv(J, a["k"], a["rtol"], a["atol"])

    def pinv_apply(self, a):
        pinv, s = self.pinv(a["J"], a)
        return {"update": pinv @ a["R"], "rank": len(s), "singular_values": s}

    def step(self, a):
        theta, S = a["theta"].copy(), a.get("columns", slice(None))
        pinv, s = self.pinv(a["J"][:, S], a)
        theta[S] -= a["lr"] * (pinv @ a["R"])
        return {"theta": theta, "rank": len(s), "singular_values": s}

    def natural_gradient(self, a):
        return {"update": oracle.natural_gradient(a["J"], a["R"])}

    def at(self, theta, a):
        net = sr.MLP(a["model"]["sizes"], a["model"]["activation"])
        how = a["loss"], a["kappa"], a["rows"], a["micro_batch"]
        return oracle.residuals_and_jacobian(net, theta, a["x"], a["y"], *how)

    def jacobian(self, a):
        R, J = self.at(a["theta"], a)
        return {"residuals": R, "jacobian": J}

    def trajectory(self, a):
        theta, thetas = a["theta"], []
        for t in range(a["steps"]):
            R, J = self.at(theta, {**a, **a["batches"][t % len(a["batches"])]})
            theta = theta - a["lr"] * (self.pinv(J, a)[0] @ R)
            thetas.append(theta)
        return {"thetas": np.array(thetas)}


class Core:
    """The matrix-free core with one solver."""

    def __init__(self, solver):
        self.solver = solver

    def run(self, op, dtype, input):
        try:
            return getattr(self, op)(arrays(input, dtype))
        except (sr.errors.SolverFloorError, sr.errors.ConvergenceError) as error:
            raise NotImplementedError(str(error)) from error

    def matvec(self, a):
        return {"product": sr.as_product_operator(a["J"]) @ a["v"]}

    def rmatvec(self, a):
        return {"product": sr.as_product_operator(a["J"]).rmatvec(a["u"])}

    def pinv(self, J, a):
        return sr.truncated_pinv(J, a["k"], a["rtol"], a["atol"], self.solver)

    def pinv_apply(self, a):
        pinv = self.pinv(a["J"], a)
        return {"update": pinv @ a["R"], "rank": pinv.rank, "singular_values": pinv.singular_values}

    def step(self, a):
        J, R, theta = a["J"], a["R"], a["theta"]
        sr.errors.check_theta(theta, J.shape[1])
        S = a.get("columns", np.arange(len(theta)))
        if S.max() >= len(theta):
            raise sr.errors.ArgumentError(f"columns = {S}: must be below {len(theta)}")
        pinv, new = self.pinv(sr.as_product_operator(J).restrict(S), a), theta.copy()
        with np.errstate(over="ignore"):
            new[S] -= a["lr"] * (pinv @ R)
        sr.errors.check_finite("theta", new)
        return {"theta": new, "rank": pinv.rank, "singular_values": pinv.singular_values}

    def natural_gradient(self, a):
        return {"update": sr.natural_gradient.natural_gradient(a["J"], 2 * a["J"].T @ a["R"])}

    def problem(self, a):
        net = sr.MLP(a["model"]["sizes"], a["model"]["activation"])
        return sr.Problem(net, a["loss"], kappa=a["kappa"], rows=a["rows"], micro_batch=a["micro_batch"])

    def jacobian(self, a):
        J = self.problem(a).jacobian(a["theta"], (a["x"], a["y"]))
        return {"residuals": J.value, "jacobian": J.rmatmat(np.eye(J.shape[0], dtype=J.dtype)).T}

    def trajectory(self, a):
        problem, theta, thetas = self.problem(a), a["theta"], []
        for t in range(a["steps"]):
            batch = a["batches"][t % len(a["batches"])]
            cuts = {name: a[name] for name in ("lr", "k", "rtol", "atol")}
            with np.errstate(over="ignore"):
                theta, _ = sr.step(problem, theta, (batch["x"], batch["y"]), **cuts, solver=self.solver)
            thetas.append(theta)
        return {"thetas": np.array(thetas)}


def attempt(implementation, case, dtype):
    """The judgement of one answer; None where there is none (`NotImplementedError`), which is right for `reject`."""
    op, input = (case.input["call"], case.input["input"]) if case.op == "reject" else (case.op, case.input)
    output = error = None
    with np.errstate(all="ignore"):
        try:
            output = implementation.run(op, dtype, input)
        except NotImplementedError as reason:
            if case.op != "reject":
                return None
            error = str(reason)
        except Exception as raised:  # to raise is how an implementation refuses; `judge` says whether it was right to
            error = repr(raised)
    return judge(case, dtype, output, error)
