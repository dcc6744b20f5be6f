"""Bugs of the inverse and of the step. Those with a † were in the authors' code at some time."""

import numpy as np
from plain import Plain, killed_by

# The inverse


@killed_by("pinv-apply-condition-1e6-wide")
class Gram(Plain):
    """Eigenvectors of JJᵀ or JᵀJ in J's own dtype, scaled, with no floor: right until the condition is too large."""

    def solve(self, J, R, k, rtol, atol):
        c = np.abs(J).max() or J.dtype.type(1)
        A = self.cast(J / c)
        left = len(A) <= A.shape[1]
        values, W = np.linalg.eigh(self.squared(A if left else A.T))
        s, W = np.sqrt(np.maximum(values[::-1], 0)), W[:, ::-1]
        q = self.count(s.astype(J.dtype) * c, k, rtol, atol, J)
        x = W[:, :q] @ (self.divided(W[:, :q].T @ (R if left else A.T @ R), s[:q]))
        return ((A.T @ x if left else x) / c).astype(J.dtype), (s[:q] * c).astype(J.dtype)

    def cast(self, A):
        return A

    def squared(self, A):
        return A @ A.T

    def divided(self, y, s):
        return y / s**2


@killed_by("pinv-apply-condition-1e3-wide")
class GramInSinglePrecision(Gram):
    """JJᵀ in float32 where float64 is asked for."""

    def squared(self, A):
        return (A.astype(np.float32) @ A.T.astype(np.float32)).astype(A.dtype)


@killed_by("pinv-apply-wide")
class Unsquared(Gram):
    """Eigenvalues of JJᵀ taken for σ: x = Jᵀ U S⁻¹ UᵀR."""

    def divided(self, y, s):
        return y / s


@killed_by("pinv-apply-hand-rows")
class SquaredReported(Gram):
    """The eigenvalues of JJᵀ are handed out as singular values."""

    def pinv_apply(self, a):
        out = super().pinv_apply(a)
        return {**out, "singular_values": out["singular_values"] ** 2}


@killed_by("pinv-apply-tinier-k2")
class Unscaled(Plain):
    """JJᵀ with no scaling: underflow."""

    def svd(self, J):
        values, U = np.linalg.eigh(J @ J.T)
        s = np.sqrt(np.maximum(values[::-1], 0))
        return U[:, ::-1], s, (U[:, ::-1].T @ J) / s[:, None]


@killed_by("pinv-apply-condition-1e6-wide")
class NormalEquations(Plain):
    """(JJᵀ)⁻¹ or (JᵀJ)⁻¹ where nothing is cut."""

    def solve(self, J, R, k, rtol, atol):
        x, s = super().solve(J, R, k, rtol, atol)
        if 0 < len(s) == min(J.shape):
            c = np.abs(J).max()
            A = J / c
            x = (A.T @ np.linalg.solve(A @ A.T, R) if len(A) <= A.shape[1] else np.linalg.solve(A.T @ A, A.T @ R)) / c
        return x, s


@killed_by("pinv-apply-tall")
class WideOnly(Plain):
    """Jᵀ(JJᵀ)⁻¹ whatever the shape."""

    def solve(self, J, R, k, rtol, atol):
        _, s = super().solve(J, R, k, rtol, atol)
        return J.T @ np.linalg.solve(J @ J.T, R), s


@killed_by("pinv-apply-wide")
class SinglePrecision(Plain):
    """Everything in float32 whatever is asked for."""

    def run(self, op, dtype, input):
        return super().run(op, "float32", input)


@killed_by("pinv-apply-rtol-cut")
class DampedNotCut(Plain):
    """σ/(σ² + (rtol σ_1)²) in place of a cut."""

    def solve(self, J, R, k, rtol, atol):
        U, s, Vt = self.svd(J)
        return Vt.T @ (s / (s**2 + (rtol * s[0]) ** 2 + 1e-300) * (U.T @ R)), s[: self.count(s, k, rtol, atol, J)]


@killed_by("pinv-apply-condition-1e6-wide")
class DampedALittle(Plain):
    """A damping of 1e-8 σ_1 is left in."""

    def inverse(self, s):
        return s / (s**2 + (1e-8 * s[:1]) ** 2)


@killed_by("pinv-apply-wide")
class NoBackTransform(Plain):
    """J is divided by the RMS of its columns and the update not †."""

    def solve(self, J, R, k, rtol, atol):
        rms = np.sqrt((J**2).mean(0))
        return super().solve(J / np.where(rms > 0, rms, 1), R, k, rtol, atol)


@killed_by("pinv-apply-zero-jacobian")
class ZeroNotGuarded(Plain):
    """σ/σ_1 > rtol, which is 0/0 for J = 0 †."""

    def count(self, s, k, rtol, atol, J):
        n = len(s) if k is None else min(k, len(s))
        return max(1, int((s[:n] / s[0] > rtol).sum()))


@killed_by("pinv-apply-square")
class Transposed(Plain):
    """J is read column by column; only a square one gets through."""

    def pinv_apply(self, a):
        return super().pinv_apply({**a, "J": a["J"].T})


@killed_by("matvec-hand-square")
class Exchanged(Plain):
    """J v and Jᵀ u are exchanged."""

    def matvec(self, a):
        return {"product": a["J"].T @ a["v"]}

    def rmatvec(self, a):
        return {"product": a["J"] @ a["u"]}


# The step


@killed_by("step-hand")
class Sign(Plain):
    """θ + lr x."""

    def moved(self, theta, S, delta):
        return super().moved(theta, S, -delta)


@killed_by("step-hand")
class LearningRateInside(Plain):
    """(lr J)⁺ R."""

    def step(self, a):
        return super().step({**a, "J": a["lr"] * a["J"], "lr": 1.0})


@killed_by("step-subset-scattered")
class MaskOrder(Plain):
    """Columns are gathered in one order and scattered in another."""

    def moved(self, theta, S, delta):
        return super().moved(theta, S[::-1], delta)


@killed_by("step-subset-scattered")
class MaskOnJacobianAlone(Plain):
    """The update of |S| numbers goes to the first |S| parameters."""

    def moved(self, theta, S, delta):
        return super().moved(theta, np.arange(len(S)), delta)


@killed_by("step-subset-k1")
class MaskOnUpdateAlone(Plain):
    """The update of the whole J, of which S is applied."""

    def step(self, a):
        S = a.get("columns", np.arange(len(a["theta"])))
        x, s = self.solve(a["J"], a["R"], a["k"], a["rtol"], a["atol"])
        return {"theta": self.moved(a["theta"], S, a["lr"] * x[S]), "rank": len(s), "singular_values": s}


@killed_by("step-subset-last")
class OthersDrift(Plain):
    """Coordinates outside S are not bit-identical."""

    def moved(self, theta, S, delta):
        return super().moved(theta * (1 + np.finfo(theta.dtype).eps), S, delta)


@killed_by("natural-gradient-hand")
class HalfGradient(Plain):
    """∇L = JᵀR."""

    def natural_gradient(self, a):
        return {"update": super().natural_gradient(a)["update"] / 2}
