"""Tolerances, measured: how much the exact answer moves when the input is rounded.

Every number of an array A is moved by ξ·u·max|A| with ξ uniform in ±1, u = 2⁻⁵³ (float64) or 2⁻²⁴ (float32), and all
arrays at once: the change that the best algorithm makes anyway, being backward stable in the norm, not entry by entry.
Outside the level `strict` the smaller of JJᵀ and JᵀJ is moved in the same way: clause 3.7 allows a solver that squares
J, and knows σ to ε(σ_1/σ)² of itself. Ranks and satisfied conditions are held as they are.

    tolerance = FACTOR · max(largest relative change in SAMPLES draws, u)      0 where the answer is 0 and stays 0

The u is for rounding the answer itself; FACTOR for what an algorithm adds, and for directions that were not drawn. A
dtype is left out of a case where a tolerance exceeds LARGEST, a number leaves its range, or a σ is nearer to a
threshold than MARGIN·u·σ_1.
"""

import random

import truth
from mpmath import mp, mpf

UNITS = {"float64": mpf(2) ** -53, "float32": mpf(2) ** -24}
RANGE = {"float64": (1e-290, 1e290), "float32": (1e-36, 1e36)}
SAMPLES, FACTOR, LARGEST, MARGIN = 4, 100, mpf("0.02"), 1000
REALS = ("theta", "R", "J", "v", "u", "x", "y")


def numbers(value):
    return [x for item in value for x in numbers(item)] if isinstance(value, list) else [value]


def mapped(value, fun):
    return [mapped(item, fun) for item in value] if isinstance(value, list) else fun(value)


def exact(input):
    """The input with its reals as mpf."""
    out = dict(input)
    for name, value in input.items():
        if name == "batches":
            out[name] = [exact(batch) for batch in value]
        elif name in REALS and not is_labels(name, value):
            out[name] = mapped(value, mpf)
    return out


def is_labels(name, value):
    return name == "y" and not isinstance(value[0], list)


def perturbed(input, unit, rng):
    out = dict(input)
    for name, value in input.items():
        if name == "batches":
            out[name] = [perturbed(batch, unit, rng) for batch in value]
        elif name in REALS and not is_labels(name, value):
            size = unit * max(map(abs, numbers(value)))
            out[name] = mapped(value, lambda x, size=size: x + size * mpf(rng.uniform(-1, 1)))
    return out


def symmetric_noise(unit, rng):
    """A function that adds ξ·u·max|G| to a symmetric G."""

    def add(G):
        size, n = unit * max(map(abs, numbers(G))), range(len(G))
        xi = [[mpf(rng.uniform(-1, 1)) for _ in range(i + 1)] for i in n]
        return [[G[i][j] + size * xi[max(i, j)][min(i, j)] for j in n] for i in n]

    return add


def norm(values):
    return mp.sqrt(mp.fsum(x * x for x in numbers(values)))


def change(a, b):
    """‖a − b‖/‖b‖, or ‖a‖ where b = 0."""
    difference = [x - y for x, y in zip(numbers(a), numbers(b), strict=True)]
    return norm(difference) / (norm(b) or 1)


def in_range(input, answer, dtype):
    least, most = RANGE[dtype]
    parts = [v for part in (input, *input.get("batches", ())) for n, v in part.items() if n in REALS]
    sizes = [max(map(abs, numbers(v)), default=0) for v in (*parts, *answer)]
    return all(size == 0 or least < size < most for size in sizes)


def near_threshold(input, answer, unit):
    """Whether rounding decides which σ are kept."""
    if "rtol" not in input:
        return False
    for s in answer.get("spectra") or [truth.singular_values(truth.restricted(input))]:
        limits = (mpf(input["rtol"]) * s[0], mpf(input["atol"]))
        if any(x > 0 and abs(x - limit) < MARGIN * unit * s[0] for x in s[: input["k"]] for limit in limits):
            return True
    return False


def measure(op, id, input, answers, decided, squared, at_threshold):
    """{dtype: {quantity: tolerance}} for an exact input, its answers and what is decided in each.

    squared : move JJᵀ as well; at_threshold : do not ask whether rounding decides the rank
    """
    names = [name for name in answers[0] if name not in ("decisions", "spectra", "rank")]
    out = {}
    for dtype, unit in UNITS.items():
        rng = random.Random(f"{id} {dtype}")
        if not in_range(input, [answers[0][name] for name in names], dtype):
            continue
        if not at_threshold and near_threshold(input, answers[0], unit):
            continue
        largest = dict.fromkeys(names, mpf(0))
        for _ in range(SAMPLES):
            moved = perturbed(input, unit, rng)
            if squared:
                moved["noise"] = symmetric_noise(unit, rng)
            for d, answer in zip(decided, answers, strict=True):
                other = truth.ANSWERS[op](moved, d)
                for name in names:
                    largest[name] = max(largest[name], change(other[name], answer[name]))
        zero = {name: all(norm(a[name]) == 0 for a in answers) for name in names}
        tolerance = {n: 0 if v == 0 and zero[n] else FACTOR * max(v, unit) for n, v in largest.items()}
        if max(tolerance.values()) <= LARGEST:
            out[dtype] = {n: float(mp.nstr(v * mpf("1.005"), 2)) for n, v in tolerance.items()}
    return out
