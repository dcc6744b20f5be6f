"""Bugs of the cut: which σ are kept. Those with a † were in the authors' code at some time."""

import numpy as np
from plain import Plain, killed_by


@killed_by("pinv-apply-rtol-cut")
class RtolOffByOne(Plain):
    """The last σ above the threshold is dropped †."""

    def count(self, s, k, rtol, atol, J):
        q = super().count(s, k, rtol, atol, J)
        return q - 1 if 0 < q < len(s) and s[q] <= rtol * s[0] else q


@killed_by("pinv-apply-at-threshold-1")
class NotStrict(Plain):
    """σ ≥ rtol σ_1."""

    def count(self, s, k, rtol, atol, J):
        return super().count(s, k, np.nextafter(s.dtype.type(rtol), -1), atol, J)


@killed_by("pinv-apply-rtol-is-relative-1")
class RtolAbsolute(Plain):
    """σ > rtol."""

    def limits(self, s, rtol, atol, J):
        return rtol, atol, 0


@killed_by("pinv-apply-rtol-cut")
class RtolOfSquares(Plain):
    """σ² > rtol σ_1²."""

    def limits(self, s, rtol, atol, J):
        return rtol**0.5 * s[0], atol, 0


@killed_by("pinv-apply-atol-cut")
class AtolIgnored(Plain):
    """atol plays no part."""

    def limits(self, s, rtol, atol, J):
        return super().limits(s, rtol, 0, J)


@killed_by("pinv-apply-tiny-wide")
class AtolAlways(Plain):
    """σ > 1e-10 whatever is asked for †."""

    def limits(self, s, rtol, atol, J):
        return super().limits(s, rtol, max(atol, 1e-10), J)


@killed_by("pinv-apply-rank-2-wide-rtol-0")
class NoFloor(Plain):
    """σ of the size of rounding errors is inverted at rtol = 0."""

    def limits(self, s, rtol, atol, J):
        return rtol * s[0], atol


@killed_by("pinv-apply-wide-k1")
class SmallestKept(Plain):
    """The k smallest σ."""

    def svd(self, J):
        U, s, Vt = super().svd(J)
        return U[:, ::-1], s[::-1], Vt[::-1]

    def limits(self, s, rtol, atol, J):
        return super().limits(s[::-1], rtol, atol, J)


@killed_by("pinv-apply-ascending")
class NotSorted(Plain):
    """σ in the order of an eigensolver, ascending; the threshold is right."""

    svd, limits = SmallestKept.svd, SmallestKept.limits


@killed_by("pinv-apply-wide-k-min")
class LoweredK(Plain):
    """k is lowered to min(M, P) − 1 †."""

    def count(self, s, k, rtol, atol, J):
        return super().count(s, max(1, min(k or len(s), len(s) - 1)), rtol, atol, J)


@killed_by("pinv-apply-row-k5")
class ArpacksRange(Plain):
    """k < min(M, P) is demanded, so that a batch of one fails."""

    def count(self, s, k, rtol, atol, J):
        assert k is None or k < len(s)
        return super().count(s, k, rtol, atol, J)


@killed_by("pinv-apply-wide-k2")
class IgnoredK(Plain):
    """k plays no part."""

    def count(self, s, k, rtol, atol, J):
        return super().count(s, None, rtol, atol, J)


@killed_by("pinv-apply-tie-kept")
class MissedCopy(Plain):
    """A repeated σ is found once, as a Krylov space finds it."""

    def svd(self, J):
        U, s, Vt = super().svd(J)
        new = np.append(True, np.abs(np.diff(s)) > 1e-6 * s[0])
        return U[:, new], s[new], Vt[new]


@killed_by("pinv-apply-cut-in-cluster-2")
class EvenShares(Plain):
    """Of c tied σ of which p are kept each vector gets a share p/c, which no choice of p vectors gives."""

    def solve(self, J, R, k, rtol, atol):
        U, s, Vt = self.svd(J)
        q = self.count(s, k, rtol, atol, J)
        tied = np.abs(s - s[q - 1]) < 1e-6 * s[0] if q else s < 0
        weights = np.where(tied, (q - np.argmax(tied)) / max(tied.sum(), 1), np.arange(len(s)) < q)
        inverse = np.divide(weights, s, out=np.zeros_like(s), where=s > 0)
        return Vt.T @ (inverse * (U.T @ R)), s[:q]
