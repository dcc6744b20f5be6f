"""Bugs of residuals, Jacobians and trajectories, and of what is refused. † as in `mutants_update`."""

from itertools import pairwise

import numpy as np
from plain import Plain, killed_by
from scipy.special import softmax

from sven_ref import oracle
from sven_ref.conformance import arrays

# Residuals and Jacobians


@killed_by("jacobian-signed-kappa-2")
class MissingFactor(Plain):
    """The rows of J lack the factor κ."""

    def power(self, base, exponent):
        value, slope = super().power(base, exponent)
        return value, slope / exponent


@killed_by("jacobian-unsigned-kappa-1-4")
class KappaOnOneSide(Plain):
    """R of κ, J of κ = 1."""

    def power(self, base, exponent):
        return super().power(base, exponent)[0], super().power(base, 0.5)[1]


@killed_by("jacobian-unsigned-kappa-1-4")
class KappaNotHalved(Plain):
    """R = ℓ^κ."""

    def power(self, base, exponent):
        return super().power(base, 2 * exponent)


@killed_by("jacobian-satisfied-kappa-1")
class NotANumberAtZero(Plain):
    """0^(κ/2 − 1) is NaN or infinite where the condition is satisfied †."""

    def power(self, base, exponent):
        return base**exponent, exponent * base ** (exponent - 1)


@killed_by("jacobian-satisfied-kappa-1")
class ShiftedAtZero(Plain):
    """(ℓ + 1e-12)^(κ/2), so as never to meet 0."""

    def power(self, base, exponent):
        return super().power(base + 1e-12, exponent)


@killed_by("jacobian-satisfied-signed-kappa-1")
class SatisfiedDropped(Plain):
    """A row of zeros at κ = 1 too, where the power is not singular."""

    def power(self, base, exponent):
        value, slope = super().power(base, exponent)
        return value, np.where(base > 0, slope, 0.0)


@killed_by("jacobian-signed-kappa-2")
class SignOfResidualAlone(Plain):
    """Signed R with the rows of |r|^κ."""

    def rows(self, a, theta):
        R, J = super().rows(a, theta)
        return (R, np.where(R < 0, -1, 1)[:, None] * J) if a["rows"] == "signed" else (R, J)


@killed_by("jacobian-hand-layout")
class LayoutOutIn(Plain):
    """W is read as (out, in)."""

    def outputs(self, model, theta, x):
        index, at, sizes = np.arange(len(theta)), 0, model["sizes"]
        for n_in, n_out in pairwise(sizes):
            index[at : at + n_in * n_out] = index[at : at + n_in * n_out].reshape(n_out, n_in).T.ravel()
            at += (n_in + 1) * n_out
        f, df = super().outputs(model, theta[index], x)
        return f, df[..., np.argsort(index)]


@killed_by("jacobian-outputs-kappa-2")
class MeanOverOutputs(Plain):
    """The mean over outputs in place of the sum."""

    def loss(self, loss, f, df, y):
        value, slope = super().loss(loss, f, df, y)
        C = 1 if loss == "cross_entropy" else f.shape[1]
        return value / C, slope / C


@killed_by("jacobian-unsigned-kappa-2")
class MeanOverBatch(Plain):
    """Every loss is divided by the size of the batch."""

    def loss(self, loss, f, df, y):
        value, slope = super().loss(loss, f, df, y)
        return value / len(f), slope / len(f)


@killed_by("jacobian-micro-batch-2-kappa-2")
class MicroBatchSum(Plain):
    """The sum over a micro-batch in place of the mean."""

    def averaged(self, loss, dloss, m, kappa):
        value, slope = super().averaged(loss, dloss, m, kappa)
        return m * value, m * slope


@killed_by("jacobian-micro-batch-2-kappa-1")
class PowerBeforeMean(Plain):
    """The mean of the powers in place of the power of the mean."""

    def averaged(self, loss, dloss, m, kappa):
        value, slope = self.power(loss, kappa / 2)
        value, slope = super().averaged(value, slope[:, None] * dloss, m, kappa)
        R, dR = value ** (2 / kappa), (2 / kappa) * value[:, None] ** (2 / kappa - 1) * slope
        return R, dR


@killed_by("trajectory-micro-batch")
class NoCrossTerms(Plain):
    """JJᵀ of micro-batches without the products of different samples of a row with one another."""

    def trajectory(self, a):
        theta, thetas, m = a["theta"], [], a["micro_batch"]
        for t in range(a["steps"]):
            batch = {**a, **a["batches"][t % len(a["batches"])]}
            R, J = self.rows(batch, theta)
            if m > 1:
                slopes = self.rows({**batch, "micro_batch": 1}, theta)[1]
                per_sample = slopes.reshape(len(R), m, -1) / m  # exact at κ = 2
                G = np.einsum("ajp,bjp->ab", per_sample, per_sample)
                x = J.T @ np.linalg.solve(G, R)
            else:
                x, _ = self.solve(J, R, a["k"], a["rtol"], a["atol"])
            theta = theta - a["lr"] * x
            thetas.append(theta)
        return {"thetas": np.array(thetas)}


@killed_by("jacobian-per-output")
class OutputMajor(Plain):
    """Row cB + α in place of αC + c."""

    def flat(self, r, df):
        return r.T.ravel(), df.transpose(1, 0, 2).reshape(r.size, -1)


@killed_by("jacobian-label-regression-kappa-2")
class SoftmaxOfLabels(Plain):
    """A softmax before the label regression."""

    def loss(self, loss, f, df, y):
        if loss == "label_regression":
            p = softmax(f, axis=1)
            df = p[:, :, None] * (df - np.einsum("bc,bcp->bp", p, df)[:, None])
            f = p
        return super().loss(loss, f, df, y)


@killed_by("jacobian-gelu")
class ApproximateGelu(Plain):
    """GELU by its tanh approximation."""

    def outputs(self, model, theta, x):
        if model["activation"] != "gelu":
            return super().outputs(model, theta, x)
        c = np.sqrt(2 / np.pi)
        exact = oracle.ACTIVATIONS["gelu"]

        def approximate(z):
            return z * (1 + np.tanh(c * (z + 0.044715 * z**3))) / 2

        def slope(z):
            t = np.tanh(c * (z + 0.044715 * z**3))
            return (1 + t) / 2 + z * (1 - t**2) * c * (1 + 3 * 0.044715 * z**2) / 2

        oracle.ACTIVATIONS["gelu"] = (approximate, slope)
        try:
            return super().outputs(model, theta, x)
        finally:
            oracle.ACTIVATIONS["gelu"] = exact


@killed_by("trajectory-signed")
class StaleJacobian(Plain):
    """J of the first step in all of them."""

    def linearised(self, a, theta, t):
        return super().linearised(a, theta, t)[0], super().linearised(a, a["theta"], t)[1]


@killed_by("trajectory-mini-batches")
class StaleBatch(Plain):
    """R of this batch, J of the one before."""

    def linearised(self, a, theta, t):
        return super().linearised(a, theta, t)[0], super().linearised(a, theta, max(t - 1, 0))[1]


# What is refused


@killed_by("reject-pinv-apply-nan")
class NanSwallowed(Plain):
    """NaN becomes 0."""

    def run(self, op, dtype, input):
        a = arrays(input, dtype)
        clean = {n: np.nan_to_num(v) if isinstance(v, np.ndarray) and v.dtype.kind == "f" else v for n, v in a.items()}
        return getattr(self, op)(clean)


@killed_by("reject-pinv-apply-rtol-nan")
class NotChecked(Plain):
    """No argument is looked at; NaN compares as false."""

    def checked(self, op, a):
        return a


@killed_by("reject-pinv-apply-k-0")
class Clipped(Plain):
    """k and rtol are clipped to their range."""

    def checked(self, op, a):
        if a.get("k") is not None:
            a["k"] = max(1, int(a["k"]))
        if "rtol" in a:
            a["rtol"] = min(max(a["rtol"], 0.0), 0.999)
        return super().checked(op, a)


@killed_by("reject-step-overflow")
class InfinityHandedOut(Plain):
    """θ is not looked at after the step."""

    def finite(self, value):
        return value


@killed_by("reject-pinv-apply-shape")
class Broadcast(Plain):
    """R is cut to the rows there are."""

    def pinv_apply(self, a):
        return super().pinv_apply({**a, "R": np.resize(a["R"], len(a["J"]))})


@killed_by("reject-jacobian-micro-batch")
class RemainderDropped(Plain):
    """Samples beyond the last full micro-batch are left out."""

    def averaged(self, loss, dloss, m, kappa):
        n = len(loss) // m * m
        return super().averaged(loss[:n], dloss[:n], m, kappa)


@killed_by("reject-step-column-out-of-range")
class WrappedColumns(Plain):
    """Indices are taken modulo P."""

    def step(self, a):
        if "columns" in a:
            a = {**a, "columns": a["columns"] % len(a["theta"])}
        return super().step(a)
