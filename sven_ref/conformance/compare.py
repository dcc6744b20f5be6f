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
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ArgumentError
from .loader import Case
from .protocol import DEPTH, shorten


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
            yield math.inf, key, f"{key} is missing: the output has {shorten(sorted(output))}"
        elif name == "rank":
            number = isinstance(output["rank"], int | float | np.number) and not isinstance(output["rank"], bool)
            same = number and output["rank"] == expected
            message = "" if same else f"rank is {kind(output['rank']).removeprefix('the number ')}, not {expected}"
            yield (0.0 if same else math.inf), "rank", message
        else:
            shape = np.shape(expected["whole"] if name == "cluster" else expected)
            try:
                got = real_array(key, output[key])
            except ValueError as complaint:
                yield math.inf, key, f"{complaint}: must be real numbers of shape {shape}"
                continue
            if got.shape != shape:
                what = f"has shape {got.shape}" if got.ndim else f"is {kind(got.item())}"
                yield math.inf, key, f"{key} {what}: must be real numbers of shape {shape}"
            elif not np.isfinite(got).all():
                bad = np.argwhere(~np.isfinite(got))
                first = f"{key}{''.join(f'[{i}]' for i in bad[0])} is {got[tuple(bad[0])]}"
                yield math.inf, key, f"{key} has {len(bad)} of {got.size} values that are not finite, {first}"
            else:
                error = _off_cluster(got, expected) if name == "cluster" else relative(got, expected)
                units = error / tolerance[key] if error > 0 and tolerance[key] > 0 else math.inf if error > 0 else 0.0
                yield units, key, f"{key} is off by {error:.2g}, {units:.3g} times the tolerance {tolerance[key]:.2g}"
    if "columns" in case.input and _moved(case, dtype, output.get("theta")):
        yield math.inf, "theta", "a coordinate outside columns has moved"


def _moved(case: Case, dtype: str, value: Any) -> bool:
    """Whether a coordinate that `columns` leaves out is not bit-identical; what is no θ is told elsewhere."""
    theta = np.array(case.input["theta"], dtype)
    still = np.delete(np.arange(theta.size), case.input["columns"])
    try:
        got = real_array("theta", value)
    except ValueError:  # what is no array is told elsewhere
        return False
    return got.shape == theta.shape and bool((got[still] != theta[still]).any())


def real_array(name: str, value: Any) -> Any:
    """Numbers in nested lists, or an array, as an array of float64; raises ValueError that names what is none."""
    shape_of(name, value)
    return np.asarray(value, np.float64)


def shape_of(name: str, value: Any) -> tuple[int, ...]:
    """The shape of nested lists of real numbers; raises ValueError that names the entry that is none."""
    if hasattr(value, "dtype"):
        array = np.asarray(value)
        if array.dtype.kind not in "fiu":
            raise ValueError(f"{name} is an array of {array.dtype}")
        return array.shape
    if isinstance(value, int | float) and not isinstance(value, bool):
        if isinstance(value, int) and abs(value) > sys.float_info.max:
            raise ValueError(f"{name} is a number beyond the largest of float64")
        return ()
    if not isinstance(value, list | tuple):
        raise ValueError(f"{name} is {kind(value)}")
    if name.count("[") > DEPTH:
        raise ValueError(f"{name.partition('[')[0]} is nested deeper than {DEPTH} levels")
    shapes = [shape_of(f"{name}[{i}]", entry) for i, entry in enumerate(value)]
    for i, shape in enumerate(shapes):
        if shape != shapes[0]:
            if shape and shapes[0]:
                raise ValueError(f"{name}[{i}] has shape {shape} where {name}[0] has {shapes[0]}")
            raise ValueError(f"{name}[{i}] is {kind(value[i])} where {name}[0] is {kind(value[0])}")
    return (len(value), *(shapes[0] if shapes else ()))


def kind(value: Any) -> str:
    """What a value of JSON is, in words."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return f"the string {shorten(value, 40)}"
    if isinstance(value, Mapping):
        return f"an object with fields {shorten(sorted(value), 60)}"
    if isinstance(value, list | tuple):
        return f"a list of {len(value)}"
    return f"the number {shorten(value, 40)}" if isinstance(value, int | float) else shorten(value, 40)


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
