"""From a model and a loss to the residuals whose zeros Sven seeks.

    unsigned      R_α = ℓ_α^{κ/2}                     so that Σ R_α^{2/κ} = Σ ℓ_α for every κ       (SPEC 2.1)
    signed        R_α = sign(r_α)|r_α|^κ              where ℓ_α = r_α² with one scalar r_α          (SPEC 2.2)
    per output    R_{αC+c} = r_{αc}                   κ = 1: the classical Gauss–Newton residual    (SPEC 2.3)
    micro-batch   ℓ_α -> mean of m consecutive ℓ_α,   then unsigned; M = B/m                        (SPEC 2.4)

Where the power is singular (unsigned κ < 2 at ℓ = 0, signed κ < 1 at r = 0) R_α = 0 and its row of J is zero: a
satisfied condition asks for nothing (SPEC 2.5).

Conditions of one's own, without a model, are their own residuals: `Conditions(fun)`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.tracer import getval, isbox

from .aliases import Array, ArrayLike, Function, Vector
from .arguments import check_choice, check_finite, check_integer, check_number, check_theta, renamed
from .batches import copied, takes, x_and_y
from .errors import ArgumentError, ShapeError
from .factored import factored_jacobian
from .jacobian import linearise
from .losses import LOSSES, SQUARES, check_outputs, cross_entropy, power, signed_power, squared_norms
from .nets.mlp import MLP
from .operators import ProductLinearOperator
from .residuals import Residuals
from .tape import described, evaluate, name_of, returned, users_code, vjp_and_value

Model = Callable[[Vector, Array], Array]  # (θ, x) -> outputs of shape (B, C)
Loss = Callable[[Array, Array], Vector]  # (outputs, y) -> ℓ of shape (B,)
ROWS = (None, "unsigned", "signed", "per_output")


class Conditions(Residuals):
    """Conditions of one's own, R(θ) = 0, with losses ℓ = R².

    Parameters
    ----------
    fun : callable(theta, batch) -> (M,), or callable(theta) -> (M,)
        Written in `autograd.numpy`. `batch` is whatever the function takes, and is handed on as it is; where it is
        None, a default of the function's own stays.

    Raises
    ------
    ArgumentError
        `fun` is not callable, or takes neither (theta, batch) nor theta alone.

    Examples
    --------
    >>> import autograd.numpy as anp
    >>> circle_and_line = sr.Conditions(lambda theta: anp.array([theta @ theta - 1, theta[0] - theta[1]]))
    >>> theta, info = sr.step(circle_and_line, [1.0, 0.5], None, lr=1)
    >>> info.rank
    2
    """

    def __init__(self, fun: Callable[..., Vector]) -> None:
        if not callable(fun):
            raise ArgumentError(f"fun = {fun!r}: must be a function of (theta, batch) that returns residuals")
        if not (takes(fun, 2) or takes(fun, 1)):
            raise ArgumentError(f"fun = {name_of(fun)}: must take (theta, batch), or theta alone")
        self.fun = fun
        self.needs_batch = not takes(fun, 1)
        self.takes_batch = takes(fun, 2)

    def residual_function(self, batch: Any) -> Function:
        """θ -> R of shape (M,)."""
        own = copied(batch)

        def residuals(theta: Vector) -> Vector:
            given = self.needs_batch or (self.takes_batch and own is not None)  # a default stays where batch is None
            return self.fun(theta, own) if given else self.fun(theta)

        return described(residuals, self.describe)

    def describe(self) -> str:
        """What messages call the function: its name."""
        return name_of(self.fun)


class Problem(Residuals):
    """A model and a loss: `residuals`, `losses`, `linearise`, `loss_and_gradient` at (θ, batch).

    Parameters
    ----------
    model : MLP or callable
        Any model(theta, x) -> (B, C) written in `autograd.numpy`.
    loss : str or callable
        "squared_error", Σ_c (f_c − y_c)² with y of shape (B, C); "label_regression", Σ_c (f_c − [c = y])², and
        "cross_entropy", with integer y of shape (B,); or loss(outputs, y) -> (B,), per-sample losses ≥ 0.
    kappa : float > 0, exponent of the decomposition; 2 as released, 1 is the one the theory is about (SPEC 2.6).
    rows : None, "unsigned", "signed" or "per_output"
        None: signed where the loss is the square of one scalar per sample, else unsigned. Signed and unsigned rows
        give the same update where no residual is zero.
    micro_batch : int ≥ 1, m, how many consecutive samples share a row; must divide B.

    A batch is (x, y), arrays with samples first; floats are cast to θ's dtype.

    Raises
    ------
    ArgumentError
        An option is not allowed, or options do not go together.

    Examples
    --------
    >>> problem = sr.Problem(sr.MLP((1, 8, 1)), "squared_error")
    >>> x = np.linspace(-1, 1, 4)[:, None]
    >>> R, J = problem.linearise(problem.model.init(rng=0), (x, x**2))
    >>> R.shape, J.shape
    ((4,), (4, 25))
    """

    def __new__(cls, model: object = None, *args: object, residuals: Any = None, **options: object) -> Any:
        """`Problem(residuals=fun)` is the old name of `Conditions(fun)`."""
        if residuals is None:
            return super().__new__(cls)
        if model is not None or args or options:
            raise ArgumentError("model, loss, kappa, rows, micro_batch: must not be given with residuals=")
        renamed("Problem(residuals=fun)", "Conditions(fun)")
        return Conditions(residuals)

    def __init__(
        self,
        model: Model | None = None,
        loss: str | Loss = "squared_error",
        *,
        kappa: float = 2,
        rows: str | None = None,
        micro_batch: int = 1,
    ) -> None:
        if isinstance(model, type):
            raise ArgumentError(f"model = {model.__name__}: must be an instance of it, which has parameters")
        if callable(model) and not takes(model, 2):
            raise ArgumentError(f"model = {name_of(model)}: must take (theta, x)")
        if callable(loss) and not takes(loss, 2):
            raise ArgumentError(f"loss = {name_of(loss)}: must take (outputs, y)")
        if not callable(model):
            raise ArgumentError(
                f"model = {model!r}: must be callable; residuals of one's own, without a model, are Conditions(fun)"
            )
        if not callable(loss):
            check_choice("loss", loss, LOSSES)
        check_choice("rows", rows, ROWS)
        self.model = model
        self.loss = loss
        self.rows = rows
        self.kappa = check_number("kappa", kappa, "> 0", lambda x: x > 0)
        self.micro_batch = check_integer("micro_batch", micro_batch)
        if rows in ("signed", "per_output") and (self.micro_batch != 1 or callable(loss) or loss not in SQUARES):
            raise ArgumentError(f"rows = {rows!r}: must go with micro_batch = 1 and a loss of {', '.join(SQUARES)}")
        if rows == "per_output" and self.kappa != 1:
            raise ArgumentError(f"kappa = {self.kappa:g}: must be 1 when rows = 'per_output'")

    def losses_of(self, f: Array, y: Array) -> Vector:
        """Outputs f of shape (B, C) -> per-sample losses ℓ of shape (B,)."""
        B = check_outputs(f, y)
        if callable(self.loss):
            losses = self.loss(f, y)
            losses = losses if isbox(losses) else returned(self.loss, losses)
            if np.shape(losses) != (B,):
                raise ShapeError(f"loss returned shape {np.shape(losses)}: must be (B,) = ({B},), a loss per sample")
            if np.any(losses < 0):
                low = np.min(getval(losses))
                outputs = getval(f)
                rounding = 100 * float(np.finfo(outputs.dtype).eps) * max(1.0, float(np.abs(outputs).max()))
                if low < -rounding:
                    raise ArgumentError(f"loss returned {low:g}: per-sample losses must be ≥ 0")
                losses = anp.where(losses > 0, losses, 0.0)  # zero but for rounding: a sample that is satisfied
        elif self.loss == "cross_entropy":
            losses = cross_entropy(f, y)
        else:
            losses = squared_norms(SQUARES[self.loss](f, y))
        check_finite("losses", losses)
        return losses

    def residuals_of(self, f: Array, y: Array) -> Vector:
        """Outputs f of shape (B, C) -> residuals R of shape (M,): the four lines at the head of this module."""
        B = check_outputs(f, y)
        square = None if callable(self.loss) else SQUARES.get(self.loss)
        one_output = np.shape(f)[1] == 1
        rows = self.rows or ("signed" if square and one_output and self.micro_batch == 1 else "unsigned")
        if rows == "signed" and not one_output:
            raise ArgumentError(f"rows = 'signed': must go with one output; the model returned shape {np.shape(f)}")
        if square and rows != "unsigned":
            r = square(f, y).reshape(-1)
            return r if self.kappa == 1 else signed_power(r, self.kappa)
        losses = self.losses_of(f, y)
        if self.micro_batch > 1:
            if B % self.micro_batch:
                raise ArgumentError(f"micro_batch = {self.micro_batch}: must divide the batch size B = {B}")
            losses = anp.mean(anp.reshape(losses, (-1, self.micro_batch)), axis=1)
        return losses if self.kappa == 2 else power(losses, self.kappa / 2)

    def residual_function(self, batch: Any) -> Function:
        """θ -> R of shape (M,), in `autograd.numpy`: `jacobian(problem.residual_function(batch), θ)` defines J."""

        def residuals(theta: Vector) -> Vector:
            x, y = map(np.array, self.arrays(theta, batch))  # copies: a batch's buffer may be filled anew
            return self.residuals_of(self.model(theta, x), y)

        residuals.singular = self.kappa < 2  # type: ignore[attr-defined]  # where a loss is zero; see `satisfied_too`
        return described(residuals, self.describe)

    def function(self, batch: Any) -> Function:
        """The old name of `residual_function`."""
        renamed("Problem.function", "Problem.residual_function")
        return self.residual_function(batch)

    def loss_function(self, batch: Any) -> Function:
        """θ -> L, the mean of ℓ over the batch, in `autograd.numpy`."""

        def loss(theta: Vector) -> Array:
            x, y = map(np.array, self.arrays(theta, batch))
            return anp.mean(self.losses_of(self.model(theta, x), y))

        return described(loss, self.describe)

    def describe(self) -> str:
        """What messages call the functions that R is made by."""
        model = repr(self.model) if isinstance(self.model, MLP) else name_of(self.model)
        return f"{model} with loss {name_of(self.loss) if callable(self.loss) else repr(self.loss)}"

    @np.errstate(all="ignore")
    def losses(self, theta: ArrayLike, batch: Any) -> Vector:
        """ℓ of shape (B,) at θ."""
        theta = check_theta(theta)
        x, y = map(np.array, self.arrays(theta, batch))

        def losses(theta: Vector) -> Vector:
            return self.losses_of(self.model(theta, x), y)

        return evaluate(described(losses, self.describe), theta)

    @np.errstate(all="ignore")
    def linearise(self, theta: ArrayLike, batch: Any) -> tuple[Vector, ProductLinearOperator]:
        """R of shape (M,) at θ and J of shape (M, P), a LinearOperator, from one pass.

        An MLP gives J's factors (`factored`); a loss of one's own that couples samples, and every other model, give
        products by autograd.
        """
        theta = check_theta(theta)
        if type(self.model) is not MLP:
            return linearise(self.residual_function(batch), theta)
        x, y = self.arrays(theta, batch)
        trusted = not callable(self.loss)

        def residuals_of(f: Array) -> Vector:
            return self.residuals_of(f, y if trusted else np.array(y))  # a loss of one's own may write to it

        residuals_of.describe = self.describe  # type: ignore[attr-defined]  # a call less on the short way
        per_output = self.rows == "per_output"
        R, J = factored_jacobian(self.model, theta, x, residuals_of, self.micro_batch, per_output, trusted)
        return (R, J) if J is not None else linearise(self.residual_function(batch), theta)

    @np.errstate(all="ignore")
    def loss_and_gradient(self, theta: ArrayLike, batch: Any) -> tuple[float, Vector]:
        """L, the mean of ℓ over the batch, and ∇L of shape (P,) in θ's dtype; both finite or a `NonFiniteError`."""
        theta = check_theta(theta)
        if type(self.model) is not MLP:
            return super().loss_and_gradient(theta, batch)
        x, y = self.arrays(theta, batch)

        def loss_of(f: Array) -> Array:
            return anp.mean(self.losses_of(f, np.array(y) if callable(self.loss) else y))

        f, inputs, slopes = self.model.forward_with_slopes(theta, x)
        vjp, loss, on_tape = vjp_and_value(described(loss_of, self.describe), f, theta)
        with users_code(loss_of, theta, of_vjp=True):
            g = vjp(np.ones_like(loss))
        signals = self.model.backpropagate(theta, slopes, g)
        gradient = np.concatenate([(x.T @ g).ravel() for x, g in zip(inputs, signals, strict=True)])
        return self._loss_and_gradient(theta, loss, gradient, on_tape)

    def arrays(self, theta: Vector, batch: Any) -> tuple[Array, Array]:
        """(x, y) checked, floats in θ's dtype; and so are integers that are inputs of a net, or targets of a square."""
        return x_and_y(batch, theta.dtype, isinstance(self.model, MLP), self.loss == "squared_error")
