"""Per-sample losses ℓ of outputs f of shape (B, C), one scalar a sample (SPEC 2.8).

squared error       ℓ = Σ_c (f_c − y_c)²                         y of shape (B, C)
label regression    ℓ = Σ_c (f_c − [c = y])²                     y of shape (B,), integer labels
cross-entropy       ℓ = log(1 + Σ_{c≠y} e^{f_c − f_y})           y of shape (B,), integer labels
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import defvjp, primitive
from autograd.tracer import getval

from .aliases import Array, Product
from .errors import ArgumentError, ShapeError


def check_outputs(f: Array, y: Array) -> int:
    """B, or an error unless f has shape (B, C) for the B samples of y."""
    if np.iscomplexobj(getval(f)):
        raise ArgumentError("model returned complex numbers: must be real")
    shape = np.shape(f)
    if len(shape) != 2 or shape[0] != len(y):
        raise ShapeError(f"model returned shape {shape}: must be (B, C) = ({len(y)}, C), samples first")
    return int(shape[0])


def difference(f: Array, y: Array) -> Array:
    """r = f − y, both (B, C)."""
    if np.shape(y) != np.shape(f):
        raise ShapeError(f"y has shape {np.shape(y)}: must be {np.shape(f)}, that of the model's outputs")
    return f - y


def one_hot(f: Array, y: Array) -> Array:
    """The labels y, integers of shape (B,) in 0 … C−1, as an array like f of shape (B, C)."""
    B, C = np.shape(f)
    if np.shape(y) != (B,) or y.dtype.kind not in "iu":
        raise ShapeError(f"y has shape {np.shape(y)} and dtype {y.dtype}: must be ({B},) integer class labels")
    if y.min() < 0 or y.max() >= C:
        raise ArgumentError(f"y has labels {y.min()} to {y.max()}: must be in 0 … {C - 1}, one per output")
    target = np.zeros((B, C), f.dtype)
    target[np.arange(B), y] = 1
    return target


def cross_entropy(f: Array, y: Array) -> Array:
    """ℓ = −log softmax(f)_y = log(1 + Σ_{c≠y} e^{f_c − f_y}): never below zero, exact where it is tiny."""
    return log_others(f, one_hot(f, y))


def others(f: Array, target: Array) -> tuple[Array, Array]:
    """e_c = e^{a_c − m} with a_c = f_c − f_y, 0 for c = y; with m = max(a, 0) of shape (B, 1) nothing overflows."""
    a = f - (f * target).sum(axis=1, keepdims=True)
    m = anp.maximum(getval(a).max(axis=1, keepdims=True), 0)
    return anp.exp(a - m) * (1 - target), m


@primitive
def log_others(f: Array, target: Array) -> Array:
    """log(1 + Σ_c e^{a_c}) of shape (B,), as one operation on autograd's tape."""
    e, m = others(f, target)
    return (m[:, 0] + anp.log1p(e.sum(axis=1) + anp.expm1(-m[:, 0]))).astype(f.dtype)


def log_others_vjp(ell: Array, f: Array, target: Array) -> Product:
    """∂ℓ/∂f_c = p_c = e_c/(e^{−m} + Σ e) for c ≠ y, ∂ℓ/∂f_y = −Σ_{c≠y} p_c."""
    e, m = others(f, target)
    p = e / (anp.exp(-m) + e.sum(axis=1, keepdims=True))
    return lambda g: g[:, None] * (p - target * p.sum(axis=1, keepdims=True))


defvjp(log_others, log_others_vjp, argnums=(0,))


@primitive
def squared_norms(r: Array) -> Array:
    """Σ_c r_c² of shape (B,), as one operation on autograd's tape."""
    return (r * r).sum(axis=1)


defvjp(squared_norms, lambda ans, r: lambda g: 2 * g[:, None] * r)


# Losses that are squares, by the difference r of shape (B, C) they square: ℓ = Σ_c r_c².
SQUARES: dict[Any, Callable[[Array, Array], Array]] = {
    "squared_error": difference,
    "label_regression": lambda f, y: difference(f, one_hot(f, y)),
}
LOSSES = (*SQUARES, "cross_entropy")


@primitive
def power(base: Array, exponent: float) -> Array:
    """base^exponent for base ≥ 0 and exponent > 0, with derivative 0 at base = 0 where it is singular (SPEC 2.5)."""
    return base**exponent


@primitive
def signed_power(r: Array, exponent: float) -> Array:
    """sign(r)|r|^exponent, exponent > 0; its derivative exponent·|r|^(exponent − 1), or 0 where that is singular."""
    return np.copysign(np.abs(r) ** exponent, r)


def slope(base: Array, exponent: float) -> Array:
    """The derivative of base^exponent, in `autograd.numpy`: base 0 is replaced before 0^−1 can be made."""
    positive = base > 0
    return exponent * anp.where(positive, anp.where(positive, base, 1.0) ** (exponent - 1), float(exponent == 1))


defvjp(power, lambda ans, base, exponent: lambda g: g * slope(base, exponent), argnums=(0,))
defvjp(signed_power, lambda ans, r, exponent: lambda g: g * slope(anp.abs(r), exponent), argnums=(0,))
