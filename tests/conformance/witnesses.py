"""The dense oracle as answers to a case, `run(op, dtype, input) -> output`, and how an answer is judged.

It checks nothing. The matrix-free core answers by `sven_ref.conformance.adapter.Reference`, which users can ask too.
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
