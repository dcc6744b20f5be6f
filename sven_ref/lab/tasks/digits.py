"""The 8 × 8 digits, a small real classification task that ships with the package (source and licence: data/README.md).

    x = (pixels/16 − 0.3053)/0.3760, 64 numbers;  y a label 0 … 9;  network 64-32-32-10

1,797 images, split 1,197/300/300 into pool, validation and test by the permutation of the seed.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from ...arguments import check_dtype, check_integer
from .idx import read_idx
from .task import Task, check_size

FILES = {  # SHA-256 of the contents
    "digits-images-idx3-ubyte.gz": "359cd13f0f514122884198b78a131df597421cbf5e93a76678fa96fc548f0d96",
    "digits-labels-idx1-ubyte.gz": "ce71631c1f31ce56fa54f31d1d498fafacff59b001e6c30c4a5e29508aa277ad",
}
N_VAL, N_TEST, MEAN, STD = 300, 300, 0.3053, 0.3760


def digits(loss: str, seed: int = 0, *, n_train: int | None = None, dtype: Any = np.float32) -> Task:
    """The task for "cross_entropy" or "label_regression"."""
    check_dtype(dtype)
    images, labels = read()
    order = np.random.default_rng(check_integer("seed", seed, 0)).permutation(len(images))
    n_train = check_size(n_train, len(images) - N_VAL - N_TEST)
    x = ((images.reshape(len(images), -1) / 16 - MEAN) / STD).astype(dtype)
    y = labels.astype(np.int64)
    val, test, train = order[:N_VAL], order[N_VAL : N_VAL + N_TEST], order[N_VAL + N_TEST :][:n_train]
    name = {"cross_entropy": "digits", "label_regression": "digits-lr"}[loss]
    pool, validation, held_out = ((x[rows], y[rows]) for rows in (train, val, test))
    return Task(name, pool, validation, held_out, loss=loss, sizes=(64, 32, 32, 10))


@cache
def read() -> list[Any]:
    """Images of shape (1797, 8, 8) with values 0 … 16, and labels, uint8."""
    return [read_idx(files(__package__) / "data" / name, digest) for name, digest in FILES.items()]
