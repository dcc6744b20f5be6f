"""The optimizers that Sven is compared with, by name: BASELINES[name](**options), each under the protocol of `Sven`.

`theta, info = opt.step(problem, theta, batch)`: the equations are at the heads of `first_order` (SGD, momentum,
RMSProp, Adam, AdamW, Polyak), `quasi_newton` (L-BFGS) and `second_order` (Gauss–Newton, Levenberg–Marquardt,
half-inverse gradients). What runs on all of the data at once is in `full_batch`.
"""

from __future__ import annotations

from typing import Any

from .first_order import SGD, Adam, AdamW, Momentum, Polyak, RMSProp
from .quasi_newton import LBFGS
from .second_order import HIG, GaussNewton, LevenbergMarquardt

BASELINES: dict[str, Any] = {
    "sgd": SGD,
    "momentum": Momentum,
    "rmsprop": RMSProp,
    "adam": Adam,
    "adamw": AdamW,
    "polyak": Polyak,
    "lbfgs": LBFGS,
    "gauss-newton": GaussNewton,
    "lm": LevenbergMarquardt,
    "hig": HIG,
}
