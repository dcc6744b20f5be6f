"""A multi-layer perceptron, its forward pass written once.

    x_1 = x,    z_l = x_l W_l + b_l,    x_{l+1} = φ(z_l),    network(θ, x) = z_L

with W_l of shape (in, out) and b_l of shape (out,), so that one layer of θ, [W_l row by row, b_l], is also the
(in + 1, out) matrix [W_l; b_l]. The last layer has no activation. Initialisation is PyTorch's default for
`Linear`: W and b uniform in ±1/√in.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import autograd.numpy as anp
import numpy as np
from autograd.extend import defvjp, primitive
from scipy.special import erf

from ..aliases import Array, DtypeLike, Indices, Matrix, Rng, Shape, Vector
from ..arguments import as_generator, check_choice, check_dtype, check_integer
from ..errors import ArgumentError, ShapeError
from . import flat


@primitive
def affine(x: Matrix, W: Matrix, b: Vector) -> Matrix:
    """x W + b as one operation on autograd's tape."""
    z = x @ W
    z += b
    return z


@primitive
def Phi(z: Array) -> Array:
    """The normal distribution function (1 + erf(z/√2))/2, in z's dtype."""
    cdf = erf(math.sqrt(0.5) * z)
    cdf *= 0.5
    cdf += 0.5
    return cdf


defvjp(
    affine,
    lambda z, x, W, b: lambda g: g @ W.T,
    lambda z, x, W, b: lambda g: x.T @ g,
    lambda z, x, W, b: lambda g: g.sum(axis=0),
)
defvjp(Phi, lambda ans, z: lambda g: g * anp.exp(-0.5 * z * z) * (1 / math.sqrt(2 * math.pi)))

ACTIVATIONS = {  # φ, in autograd.numpy
    "tanh": anp.tanh,
    "relu": lambda z: z * (z > 0),  # derivative 0 at 0, as in PyTorch
    "gelu": lambda z: z * Phi(z),  # exact, not the tanh form
    "sine": anp.sin,
    "identity": lambda z: z,
}


def gelu_and_slope(z: Array) -> tuple[Array, Array]:
    """z Φ(z), and its derivative Φ(z) + z e^{−z²/2}/√(2π)."""
    cdf = Phi.fun(z)
    slope = -0.5 * z
    slope *= z
    np.exp(slope, out=slope)
    slope *= z
    slope *= 1 / math.sqrt(2 * math.pi)
    slope += cdf
    return z * cdf, slope


SLOPES = {  # z -> φ(z), φ′(z)
    "tanh": lambda z: (np.tanh(z), 1 / np.cosh(z) ** 2),  # 1 − tanh² has no digits where tanh is near 1
    "relu": lambda z: (z * (z > 0), (z > 0).astype(z.dtype)),
    "gelu": gelu_and_slope,
    "sine": lambda z: (np.sin(z), np.cos(z)),
    "identity": lambda z: (z, np.ones_like(z)),
}


class MLP:
    """MLP(sizes, activation): `net.init(rng)` -> θ of shape (P,); `net(theta, x)` -> outputs of shape (B, C).

    Parameters
    ----------
    sizes : sequence of int
        Widths from input to output, e.g. (1, 16, 16, 16, 1); at least two.
    activation : str
        "tanh", "relu", "gelu" (exact, by erf), "sine" or "identity".

    Raises
    ------
    ArgumentError
        A width that is not a positive integer, fewer than two widths, an unknown activation.

    Attributes
    ----------
    n_params : int
        P, the length of θ.
    shapes : list of tuple
        The shapes of W_1, b_1, W_2, b_2, …

    Examples
    --------
    >>> net = sr.MLP((2, 3, 1), "tanh")
    >>> theta = net.init(rng=0)
    >>> theta.shape, net(theta, np.ones((5, 2))).shape
    ((13,), (5, 1))
    """

    def __init__(self, sizes: Sequence[int], activation: str = "gelu") -> None:
        if not isinstance(sizes, Sequence | np.ndarray) or len(sizes) < 2:
            raise ArgumentError(f"sizes = {sizes!r}: must have at least two entries, input and output width")
        check_choice("activation", activation, ACTIVATIONS)
        self.sizes = tuple(check_integer(f"sizes[{i}]", n) for i, n in enumerate(sizes))
        self.activation = activation
        self.shapes: list[Shape] = [s for n_in, n_out in pairwise(self.sizes) for s in ((n_in, n_out), (n_out,))]
        self.n_params = flat.size(self.shapes)

    def __repr__(self) -> str:
        return f"MLP({self.sizes}, activation={self.activation!r})"

    def init(self, rng: Rng = 0, dtype: DtypeLike = np.float64) -> Vector:
        """θ of shape (P,): W_l and b_l uniform in ±1/√in, drawn layer by layer (PyTorch's default).

        Parameters
        ----------
        rng : seed or Generator
        dtype : float64 or float32

        Returns
        -------
        array of shape (P,)

        Raises
        ------
        ArgumentError
            `rng` is no seed, or `dtype` is neither of the two.
        """
        dtype = check_dtype(dtype)
        rng = as_generator(rng)
        bounds = [1 / math.sqrt(n_in) for n_in in self.sizes[:-1] for _ in "Wb"]
        draws = [rng.uniform(-b, b, shape) for b, shape in zip(bounds, self.shapes, strict=True)]
        return flat.ravel(draws).astype(dtype)

    def arrays(self, theta: Vector) -> list[Array]:
        """[W_1, b_1, W_2, b_2, …] of θ."""
        if np.shape(theta) != (self.n_params,):
            raise ShapeError(f"theta has shape {np.shape(theta)}: must be ({self.n_params},) for {self!r}")
        return flat.unravel(theta, self.shapes)

    def layers(self, theta: Array) -> list[Array]:
        """[W_1; b_1], … of shape (in + 1, out): the layers of θ as matrices."""
        if np.shape(theta) != (self.n_params,):
            raise ShapeError(f"theta has shape {np.shape(theta)}: must be ({self.n_params},) for {self!r}")
        layers = []
        start = 0
        for n_in, n_out in pairwise(self.sizes):
            stop = start + (n_in + 1) * n_out
            layers.append(theta[start:stop].reshape(n_in + 1, n_out))
            start = stop
        return layers

    def unit_columns(self) -> list[Indices]:
        """Indices into θ of shape (in + 1, out), a layer each: column o is output unit o, its weights and its bias."""
        return self.layers(np.arange(self.n_params))

    @np.errstate(all="ignore")  # underflow is harmless, and what is not finite is for the caller to refuse
    def __call__(self, theta: Vector, x: Matrix) -> Matrix:
        """Outputs z_L of shape (B, C) for inputs x of shape (B, sizes[0])."""
        return self.forward(theta, x)[0]

    def forward(self, theta: Vector, x: Matrix) -> tuple[Matrix, list[Matrix]]:
        """The outputs z_L, and the layers' inputs [x_1, …, x_L]; in `autograd.numpy`."""
        if np.ndim(x) != 2 or np.shape(x)[1] != self.sizes[0]:
            raise ShapeError(f"x has shape {np.shape(x)}: must be (B, {self.sizes[0]}), samples first")
        arrays = self.arrays(theta)
        phi = ACTIVATIONS[self.activation]
        inputs = [x]
        z = affine(x, *arrays[:2])
        for W, b in zip(arrays[2::2], arrays[3::2], strict=True):
            inputs.append(phi(z))
            z = affine(inputs[-1], W, b)
        return z, inputs

    @np.errstate(all="ignore")
    def forward_with_slopes(self, theta: Vector, x: Matrix) -> tuple[Matrix, list[Matrix], list[Matrix]]:
        """In plain NumPy: z_L, the inputs x̃_l = [x_l, 1] of shape (B, in + 1), and φ′(z_l) of the hidden layers."""
        if np.ndim(x) != 2 or np.shape(x)[1] != self.sizes[0]:
            raise ShapeError(f"x has shape {np.shape(x)}: must be (B, {self.sizes[0]}), samples first")
        phi_and_slope = SLOPES[self.activation]
        inputs: list[Matrix] = []
        slopes: list[Matrix] = []
        z = x
        for layer in self.layers(theta):
            extended = np.ones((len(x), len(layer)), theta.dtype)
            if inputs:
                extended[:, :-1], slope = phi_and_slope(z)
                slopes.append(slope)
            else:
                extended[:, :-1] = x
            inputs.append(extended)
            z = extended[:, :-1] @ layer[:-1]
            z += layer[-1]
        return z, inputs, slopes

    @np.errstate(all="ignore")
    def backpropagate(self, theta: Vector, slopes: list[Matrix], g: Matrix) -> list[Matrix]:
        """g_1, …, g_L from g_L = g of shape (B·C, out), C rows a sample: g_{l−1} = (g_l W_lᵀ) ∘ φ′(z_{l−1})."""
        signals = [g]
        for layer, slope in zip(reversed(self.layers(theta)), reversed(slopes), strict=False):
            g = g @ layer[:-1].T
            if len(g) == len(slope):
                g *= slope
            else:
                g = (g.reshape(len(slope), -1, g.shape[1]) * slope[:, None, :]).reshape(g.shape)
            signals.append(g)
        return signals[::-1]
