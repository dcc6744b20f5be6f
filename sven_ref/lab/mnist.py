"""MNIST, by cross-entropy (mnist-ce) and by label regression (mnist-lr): the paper's third and fourth task.

    x = (pixels/255 − 0.1307)/0.3081, 784 numbers;  y a label 0 … 9;  network 784-32-32-32-10

The official training images are split 50,000/10,000 into pool and validation by the permutation of the seed; the
official test images are the test split. The four files are looked for in `data`, else in the directory that the
environment variable SVEN_REF_DATA names, in `mnist/` or at once; else pooch (an extra) fetches them. Y. LeCun, C.
Cortes and C. J. C. Burges, "The MNIST database of handwritten digits".
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import MissingExtraError, check_integer
from .idx import DataError, find, read_idx
from .task import Task, check_dtype, check_size

FILES = {
    "train-images-idx3-ubyte.gz": "0b367032e93c5d0cea0925647cfdb18614af8ee15f83e6f2fc2ad904a6835971",
    "train-labels-idx1-ubyte.gz": "1787548bbe0bff1ec2ecdc0ef292b02df999e2d1a6002d27500982c652b17203",
    "t10k-images-idx3-ubyte.gz": "1a1a05eab793c14bb050b398624a11b0ffd1a2953baed553b1b9bd079e2a20be",
    "t10k-labels-idx1-ubyte.gz": "b91679a0acfe4ba0e50a2437a903084cba1f5f92592b016a25a7dfd00455798b",
}
URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"
N_VAL, MEAN, STD = 10_000, 0.1307, 0.3081


def mnist(
    loss: str,
    seed: int = 0,
    *,
    n_train: int | None = None,
    dtype: Any = np.float32,
    data: str | Path | None = None,
) -> Task:
    """The task for "cross_entropy" or "label_regression"; `DataError` or `MissingExtraError` without the files."""
    check_dtype(dtype)
    seed = check_integer("seed", seed, 0)
    folder = data or os.environ.get("SVEN_REF_DATA")
    images, labels, test_images, test_labels = read(None if folder is None else str(folder))
    order = np.random.default_rng(seed).permutation(len(images))
    n_train = check_size(n_train, len(images) - N_VAL)
    val, train = order[:N_VAL], order[N_VAL:][:n_train]

    def split(images: Any, labels: Any) -> tuple[Any, Any]:
        x = images.reshape(len(images), -1).astype(dtype)
        x *= 1 / (255 * STD)
        x -= MEAN / STD
        return x, labels.astype(np.int64)

    return Task(
        {"cross_entropy": "mnist-ce", "label_regression": "mnist-lr"}[loss],
        split(images[train], labels[train]),
        split(images[val], labels[val]),
        split(test_images, test_labels),
        loss=loss,
        sizes=(784, 32, 32, 32, 10),
    )


@lru_cache(maxsize=1)
def read(folder: str | None) -> list[Any]:
    """The four arrays, uint8, in the order of `FILES`."""
    paths = fetch() if folder is None else [find(Path(folder), name) for name in FILES]
    return [read_idx(path, digest) for path, digest in zip(paths, FILES.values(), strict=True)]


def fetch() -> list[Path]:
    """The four files from pooch's cache, downloaded once."""
    try:
        import pooch
    except ImportError as error:
        raise MissingExtraError(
            "pooch: not installed, and MNIST is fetched by it; pip install 'sven-ref[data]', or name a directory that "
            "holds the four files by data= or SVEN_REF_DATA"
        ) from error
    try:
        return [
            Path(pooch.retrieve(URL + name, f"sha256:{digest}", fname=name, path=pooch.os_cache("sven-ref") / "mnist"))
            for name, digest in FILES.items()
        ]
    except (OSError, ValueError) as error:  # no network; a digest that differs
        raise DataError(f"MNIST can't be fetched from {URL} ({error}); name a directory by SVEN_REF_DATA") from error
