"""From a model and a loss to the residuals whose zeros Sven seeks.

    unsigned      R_α = ℓ_α^{κ/2}                     so that Σ R_α^{2/κ} = Σ ℓ_α for every κ       (SPEC 2.1)
    signed        R_α = sign(r_α)|r_α|^κ              where ℓ_α = r_α² with one scalar r_α          (SPEC 2.2)
    per output    R_{αC+c} = r_{αc}                   κ = 1: the classical Gauss–Newton residual    (SPEC 2.3)
    micro-batch   ℓ_α -> mean of m consecutive ℓ_α,   then unsigned; M = B/m                        (SPEC 2.4)

Where the power is singular (unsigned κ < 2 at ℓ = 0, signed κ < 1 at r = 0) R_α = 0 and its row of J is zero: a
satisfied condition asks for nothing (SPEC 2.5).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd.numpy as np
from autograd.tracer import getval

from .errors import (
    ArgumentError,
    ShapeError,
    as_array,
    check_choice,
    check_finite,
    check_integer,
    check_number,
    check_theta,
)
from .jacobian import check_residuals, jacobian
from .layered import layered_jacobian
from .losses import LOSSES, SQUARES, check_outputs, cross_entropy, power
from .mlp import MLP
from .operators import ProductLinearOperator
from .tape import evaluate, name_of

ROWS = (None, "unsigned", "signed", "per_output")


class Problem:
    """Ties a model to a loss: `losses`, `residuals`, `jacobian` at (θ, batch).

    Parameters
    ----------
    model : MLP, or any callable model(theta, x) -> (B, C) written in `autograd.numpy`
    loss : "squared_error", "label_regression", "cross_entropy", or a callable loss(outputs, y) -> (B,)
        Per-sample losses ≥ 0. Squared error Σ_c (f_c − y_c)²: y of shape (B, C). Label regression Σ_c (f_c − [c = y])²
        and cross-entropy: y of shape (B,), integers.
    kappa : float > 0
        Exponent of the decomposition; 2 as released, 1 is the one the theory is about (SPEC 2.6).
    rows : None, "unsigned", "signed" or "per_output"
        None: signed where the loss is the square of one scalar per sample, else unsigned. Signed and unsigned rows
        give the same update where no residual is zero.
    micro_batch : int ≥ 1
        m: how many consecutive samples share a row; must divide B.
    residuals : callable(theta, batch) -> (M,), instead of model and loss
        Conditions of one's own, written in `autograd.numpy`; ℓ = R² then, and κ is 1.

    A batch is (x, y), arrays with samples first; floats are cast to θ's dtype.
    """

    def __init__(
        self,
        model: Any = None,
        loss: Any = "squared_error",
        *,
        kappa: float | None = None,
        rows: str | None = None,
        micro_batch: int = 1,
        residuals: Any = None,
    ) -> None:
        if (model is None) == (residuals is None):
            raise ArgumentError("model, residuals: give a model and a loss or residuals=fun(theta, batch), one of them")
        if not callable(model if residuals is None else residuals):
            raise ArgumentError(f"model, residuals = {model!r}, {residuals!r}: must be callable")
        if not callable(loss):
            check_choice("loss", loss, LOSSES)
        check_choice("rows", rows, ROWS)
        self.model, self.loss, self.rows, self.residuals_fun = model, loss, rows, residuals
        kappa = (2 if residuals is None else 1) if kappa is None else kappa
        self.kappa = check_number("kappa", kappa, "> 0", lambda x: x > 0)
        self.micro_batch = check_integer("micro_batch", micro_batch)
        defaults = self.kappa == 1 and rows is None and self.micro_batch == 1 and loss == "squared_error"
        if residuals is not None and not defaults:
            raise ArgumentError("loss, kappa, rows, micro_batch: must be left at their defaults with residuals=")
        if rows in ("signed", "per_output") and (self.micro_batch != 1 or callable(loss) or loss not in SQUARES):
            raise ArgumentError(f"rows = {rows!r}: must go with micro_batch = 1 and a loss of {', '.join(SQUARES)}")
        if rows == "per_output" and self.kappa != 1:
            raise ArgumentError(f"kappa = {self.kappa:g}: must be 1 when rows = 'per_output'")

    def losses_of(self, f: Any, y: Any) -> Any:
        """Outputs f of shape (B, C) -> per-sample losses ℓ of shape (B,)."""
        B = check_outputs(f, y)
        if callable(self.loss):
            losses = self.loss(f, y)
            if np.shape(losses) != (B,):
                raise ShapeError(f"loss returned shape {np.shape(losses)}: must be (B,) = ({B},), a loss per sample")
            if np.any(losses < 0):
                raise ArgumentError(f"loss returned {getval(np.min(losses)):g}: per-sample losses must be ≥ 0")
        elif self.loss == "cross_entropy":
            losses = cross_entropy(f, y)
        else:
            losses = np.sum(SQUARES[self.loss](f, y) ** 2, axis=1)
        check_finite("losses", losses)
        return losses

    def residuals_of(self, f: Any, y: Any) -> Any:
        """Outputs f of shape (B, C) -> residuals R of shape (M,): the four lines at the head of this module."""
        B = check_outputs(f, y)
        square, one_output = None if callable(self.loss) else SQUARES.get(self.loss), np.shape(f)[1] == 1
        rows = self.rows or ("signed" if square and one_output and self.micro_batch == 1 else "unsigned")
        if rows == "signed" and not one_output:
            raise ArgumentError(f"rows = 'signed': must go with one output; the model returned shape {np.shape(f)}")
        if square and rows != "unsigned":
            r = np.reshape(square(f, y), (-1,))
            return r if self.kappa == 1 else r * power(np.abs(r), self.kappa - 1)
        losses = self.losses_of(f, y)
        if self.micro_batch > 1:
            if B % self.micro_batch:
                raise ArgumentError(f"micro_batch = {self.micro_batch}: must divide the batch size B = {B}")
            losses = np.mean(np.reshape(losses, (-1, self.micro_batch)), axis=1)
        return losses if self.kappa == 2 else power(losses, self.kappa / 2)

    def function(self, batch: Any) -> Callable[[Any], Any]:
        """θ -> R of shape (M,), in `autograd.numpy`: `jacobian(problem.function(batch), θ)` is J by its definition."""
        own = copied(batch) if self.residuals_fun is not None else batch

        def residuals(theta: Any) -> Any:
            if self.residuals_fun is not None:
                return self.residuals_fun(theta, own)
            x, y = map(np.array, self._arrays(theta, batch))  # copies: a batch's buffer may be filled anew
            return self.residuals_of(self.model(theta, x), y)

        residuals.__qualname__ = self.describe()
        return residuals

    def describe(self) -> str:
        """What messages call the functions that R is made by."""
        if self.residuals_fun is not None:
            return name_of(self.residuals_fun)
        model = repr(self.model) if isinstance(self.model, MLP) else name_of(self.model)
        return f"{model} with loss {name_of(self.loss) if callable(self.loss) else repr(self.loss)}"

    @np.errstate(all="ignore")
    def losses(self, theta: Any, batch: Any) -> Any:
        """ℓ of shape (B,) at θ; with `residuals=`, R² of shape (M,)."""
        theta = check_theta(theta)
        if self.model is None:
            return self.residuals(theta, batch) ** 2
        x, y = map(np.array, self._arrays(theta, batch))

        def losses(theta: Any) -> Any:
            return self.losses_of(self.model(theta, x), y)

        losses.__qualname__ = self.describe()
        return evaluate(losses, theta)

    @np.errstate(all="ignore")
    def residuals(self, theta: Any, batch: Any) -> Any:
        """R of shape (M,) at θ."""
        theta, fun = check_theta(theta), self.function(batch)
        return check_residuals(evaluate(fun, theta), fun)

    @np.errstate(all="ignore")
    def jacobian(self, theta: Any, batch: Any) -> ProductLinearOperator:
        """J of shape (M, P) at θ, a LinearOperator: nothing of that size exists. `J.value` is R, from the same pass.

        An MLP with one residual per sample gives its factors (`layered`); one row per output, a loss of one's own that
        couples samples, and every other model give products by autograd.
        """
        theta = check_theta(theta)
        if type(self.model) is not MLP or self.rows == "per_output":
            return jacobian(self.function(batch), theta)
        x, y = self._arrays(theta, batch)
        trusted = not callable(self.loss)

        def residuals_of(f: Any) -> Any:
            return self.residuals_of(f, y if trusted else np.array(y))  # a loss of one's own may write to it

        residuals_of.__qualname__ = self.describe()
        J = layered_jacobian(self.model, theta, x, residuals_of, self.micro_batch, trusted)
        return jacobian(self.function(batch), theta) if J is None else J

    def _arrays(self, theta: Any, batch: Any) -> tuple[Any, Any]:
        """(x, y) checked, floats in θ's dtype."""
        if not isinstance(batch, tuple | list) or len(batch) != 2:
            raise ShapeError(f"batch is a {type(batch).__name__}: must be a pair (x, y) of arrays, samples first")
        x, y = (as_array(name, a) for name, a in zip("xy", batch, strict=True))
        for name, array in (("x", x), ("y", y)):
            if array.ndim == 0 or len(array) != len(x) or len(array) == 0:
                raise ShapeError(f"x, y have shapes {x.shape}, {y.shape}: must have the same number ≥ 1 of samples")
            check_finite(name, array)
        if x.dtype.kind == "f" or isinstance(self.model, MLP):
            x = x.astype(theta.dtype, copy=False)
        if y.dtype.kind == "f" or self.loss == "squared_error":
            y = y.astype(theta.dtype, copy=False)
        return x, y


def copied(batch: Any) -> Any:
    """Arrays in tuples, lists and dicts, copied: what is recorded refers to them, and a buffer may be filled anew."""
    if type(batch) in (tuple, list):
        return type(batch)(map(copied, batch))
    if type(batch) is dict:
        return {name: copied(value) for name, value in batch.items()}
    return batch.copy() if isinstance(batch, np.ndarray) else batch
