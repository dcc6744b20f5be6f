"""Judge an answer against a case: does it pass, and how far off is it in units of the case's tolerance.

    units = ‖got − expected‖ / ‖expected‖ / tolerance        2-norm of all entries; absolute where expected = 0

An answer passes iff units ≤ 1 in every quantity, its rank is exact and, with `columns`, every other coordinate of θ is
bit-identical. Where a cut leaves more than one answer (SPEC 3.5) the case is `acceptable`:

    any_of     one of several answers, whole
    cluster    tied σ of which only some are kept. For orthonormal rows V that span the tied right singular vectors
               and a₀, a₁ the answers with all of them dropped, kept: a is right iff a − a₀ ∈ span V and
               ⟨a − a₀, a₁ − a⟩ = 0, the sphere with poles a₀ and a₁ (the projection y of z on any subspace has
               ⟨y, z − y⟩ = 0)

`reject` passes iff there was an error.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ArgumentError
from .loader import Case


@dataclass(frozen=True)
class Judgement:
    """passed; units of tolerance of the quantity that is farthest off (inf: no number can say); why, for a person."""

    id: str
    dtype: str
    clause: str
    passed: bool
    units: float
    quantity: str
    message: str


def judge(case: Case, dtype: str, output: Mapping[str, Any] | None = None, error: str | None = None) -> Judgement:
    """Hold an answer, an output or an error, against the case. Raises `ArgumentError` if it is not asked in `dtype`."""
    if dtype not in case.tolerance:
        raise ArgumentError(f"dtype = {dtype!r}: case {case.id} must be asked in {', '.join(case.dtypes)}")
    with np.errstate(over="ignore", invalid="ignore"):  # a wrong answer of 1e308 has an infinite error
        units, quantity, message = _worst(case, dtype, output, error)
    return Judgement(case.id, dtype, case.clause, units <= 1, units, quantity, message)


def _worst(case: Case, dtype: str, output: Any, error: str | None) -> tuple[float, str, str]:
    if case.expected["verdict"] == "reject":
        return (0.0, "error", "") if error is not None else (math.inf, "error", "answered what is to be refused")
    if error is not None:
        return math.inf, "error", f"raised {error}"
    if not isinstance(output, Mapping):
        return math.inf, "output", f"output is a {type(output).__name__}: must be an object"
    answers = case.expected.get("any_of", [case.expected])
    return min((max(_quantities(case, dtype, output, a), key=_units) for a in answers), key=_units)


def _units(item: tuple[float, str, str]) -> float:
    return item[0]


def _quantities(case: Case, dtype: str, output: Mapping[str, Any], answer: dict[str, Any]) -> Any:
    tolerance = case.tolerance[dtype]
    main = next(iter(tolerance))
    for name, expected in answer.items():
        if name == "verdict":
            continue
        key = main if name == "cluster" else name
        if key not in output:
            yield math.inf, key, f"{key} is missing"
        elif name == "rank":
            same = output["rank"] == expected and not isinstance(output["rank"], bool)
            yield (0.0 if same else math.inf), "rank", "" if same else f"rank is {output['rank']}, not {expected}"
        else:
            shape = np.shape(expected["whole"] if name == "cluster" else expected)
            got = _array(output[key])
            if got is None or got.shape != shape:
                yield math.inf, key, f"{key} is no array of real numbers of shape {shape}"
            elif not np.isfinite(got).all():
                yield math.inf, key, f"{key} has values that are not finite"
            else:
                error = _off_cluster(got, expected) if name == "cluster" else relative(got, expected)
                units = error / tolerance[key] if error > 0 and tolerance[key] > 0 else math.inf if error > 0 else 0.0
                yield units, key, f"{key} is off by {error:.2g}, {units:.3g} times the tolerance {tolerance[key]:.2g}"
    if "columns" in case.input and (got := _array(output.get("theta"))) is not None:
        still = np.delete(np.arange(len(case.input["theta"])), case.input["columns"])
        theta = np.array(case.input["theta"], dtype)
        if got.shape == theta.shape and (got[still] != theta[still]).any():
            yield math.inf, "theta", "a coordinate outside columns has moved"


def _array(value: Any) -> Any:
    """An array of float64, or None."""
    try:
        array = np.asarray(value)
        wide = array.dtype == object and all(type(x) in (int, float) for x in array.flat)  # integers beyond 64 bits
        return array.astype(np.float64) if array.dtype.kind in "fiu" or wide or array.size == 0 else None
    except (ValueError, OverflowError):  # ragged; an integer beyond 1e308
        return None


def norm(a: Any) -> float:
    """The 2-norm of all entries, with no overflow or underflow of their squares; inf where one is not finite."""
    size = float(np.abs(a).max(initial=0.0))
    if not math.isfinite(size):
        return math.inf
    return size * float(np.linalg.norm(np.ravel(a) / size)) if size > 0 else 0.0


def relative(got: Any, expected: Any) -> float:
    """‖got − expected‖/‖expected‖; ‖got‖ where expected is 0."""
    scale = norm(np.array(expected, np.float64))
    return norm(got - np.array(expected, np.float64)) / (scale or 1.0)


def _off_cluster(got: Any, cluster: dict[str, Any]) -> float:
    """How far an answer is from those that keep a part of the cluster, relative to the one that keeps all of it."""
    dropped, whole, basis = (np.array(cluster[name], np.float64) for name in ("dropped", "whole", "basis"))
    y = got - dropped
    outside = y - basis.T @ (basis @ y)
    sphere = norm(got - (dropped + whole) / 2) - norm(whole - dropped) / 2
    return max(norm(outside), abs(sphere)) / (norm(whole) or 1.0)
