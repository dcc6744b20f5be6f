"""A plain NumPy implementation of every operation, right, with a hook wherever a bug can be put."""

import numpy as np
from scipy.special import softmax

import sven_ref as sr
from sven_ref import oracle
from sven_ref.conformance import arrays


class Plain:
    """Right in every operation."""

    def run(self, op, dtype, input):
        a = self.checked(op, arrays(input, dtype))
        return getattr(self, op)(a)

    # what is refused

    def checked(self, op, a):
        reals = [
            v
            for batch in (a, *a.get("batches", ()))
            for n, v in batch.items()
            if n in ("theta", "R", "J", "v", "u", "x", "y")
        ]
        assert all(np.isfinite(v).all() for v in reals)
        if op in ("pinv_apply", "step"):
            assert a["k"] is None or (isinstance(a["k"], int) and a["k"] >= 1)
            assert 0 <= a["rtol"] < 1
            assert a["atol"] >= 0
        if op == "step":
            assert a["theta"].shape == (a["J"].shape[1],)
        if "kappa" in a:
            assert a["kappa"] > 0
        return a

    def finite(self, value):
        assert np.isfinite(value).all()
        return value

    # products

    def matvec(self, a):
        return {"product": self.finite(a["J"] @ a["v"])}

    def rmatvec(self, a):
        return {"product": self.finite(a["J"].T @ a["u"])}

    # the truncated pseudoinverse

    def svd(self, J):
        return np.linalg.svd(J, full_matrices=False)

    def limits(self, s, rtol, atol, J):
        return rtol * s[0], atol, 4 * np.finfo(s.dtype).eps * max(J.shape) ** 0.5 * s[0]

    def count(self, s, k, rtol, atol, J):
        n = len(s) if k is None else min(k, len(s))
        return int((s[:n] > max(self.limits(s, rtol, atol, J))).sum())

    def inverse(self, s):
        return 1 / s

    def solve(self, J, R, k, rtol, atol):
        """x, and the kept σ."""
        U, s, Vt = self.svd(J)
        q = self.count(s, k, rtol, atol, J)
        return Vt[:q].T @ (self.inverse(s[:q]) * (U[:, :q].T @ R)), s[:q]

    def pinv_apply(self, a):
        x, s = self.solve(a["J"], a["R"], a["k"], a["rtol"], a["atol"])
        return {"update": x, "rank": len(s), "singular_values": s}

    def step(self, a):
        S = a.get("columns", np.arange(len(a["theta"])))
        x, s = self.solve(a["J"][:, S], a["R"], a["k"], a["rtol"], a["atol"])
        return {"theta": self.finite(self.moved(a["theta"], S, a["lr"] * x)), "rank": len(s), "singular_values": s}

    def moved(self, theta, S, delta):
        new = theta.copy()
        new[S] -= delta
        return new

    def natural_gradient(self, a):
        return {"update": np.linalg.solve(a["J"].T @ a["J"], 2 * a["J"].T @ a["R"])}

    # models

    def outputs(self, model, theta, x):
        net = sr.MLP(model["sizes"], model["activation"])
        assert theta.shape == (net.n_params,)
        return oracle.outputs_and_jacobian(net, theta, x)

    def errors(self, loss, f, y):
        if loss == "label_regression":
            assert y.max() < f.shape[1]
            return f - np.eye(f.shape[1])[y]
        assert f.shape == y.shape
        return f - y

    def loss(self, loss, f, df, y):
        """ℓ and ∂ℓ/∂θ of each sample."""
        if loss == "cross_entropy":
            p = softmax(f, axis=1)
            return -np.log(p[np.arange(len(y)), y]), np.einsum("bc,bcp->bp", p - np.eye(f.shape[1])[y], df)
        r = self.errors(loss, f, y)
        return (r**2).sum(1), 2 * np.einsum("bc,bcp->bp", r, df)

    def power(self, base, exponent):
        """base^e and its derivative, 0 where that is singular."""
        safe = np.where(base > 0, base, 1)
        slope = exponent * safe ** (exponent - 1)
        at_zero = 1.0 if exponent == 1 else 0.0
        return np.where(base > 0, safe**exponent, 0.0), np.where(base > 0, slope, at_zero)

    def rows(self, a, theta):
        """R and J."""
        f, df = self.outputs(a["model"], theta, a["x"])
        assert len(a["y"]) == len(f)
        if a["rows"] == "per_output":
            return self.flat(self.errors(a["loss"], f, a["y"]), df)
        if a["rows"] == "signed":
            assert f.shape[1] == 1
            r, sign = self.errors(a["loss"], f, a["y"])[:, 0], self.sign(self.errors(a["loss"], f, a["y"])[:, 0])
            value, slope = self.power(np.abs(r), a["kappa"])
            return sign * value, slope[:, None] * df[:, 0]
        loss, dloss = self.averaged(*self.loss(a["loss"], f, df, a["y"]), a["micro_batch"], a["kappa"])
        value, slope = self.power(loss, a["kappa"] / 2)
        return value, slope[:, None] * dloss

    def sign(self, r):
        return np.sign(r)

    def flat(self, r, df):
        return r.ravel(), df.reshape(r.size, -1)

    def averaged(self, loss, dloss, m, kappa):
        return loss.reshape(-1, m).mean(1), dloss.reshape(len(loss) // m, m, -1).mean(1)

    def jacobian(self, a):
        R, J = self.rows(a, a["theta"])
        return {"residuals": R, "jacobian": J}

    def linearised(self, a, theta, t):
        return self.rows({**a, **a["batches"][t % len(a["batches"])]}, theta)

    def trajectory(self, a):
        theta, thetas = a["theta"], []
        for t in range(a["steps"]):
            R, J = self.linearised(a, theta, t)
            x, _ = self.solve(J, R, a["k"], a["rtol"], a["atol"])
            theta = self.finite(theta - a["lr"] * x)
            thetas.append(theta)
        return {"thetas": np.array(thetas)}


MUTANTS = []


def killed_by(id):
    """A mutant of `Plain`, and the case that names it wrong."""

    def register(mutant):
        MUTANTS.append((mutant, id))
        return mutant

    return register
