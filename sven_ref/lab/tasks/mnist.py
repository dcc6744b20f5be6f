"""MNIST, by cross-entropy (mnist-ce) and by label regression (mnist-lr): the paper's third and fourth task.

    x = (pixels/255 − 0.1307)/0.3081, 784 numbers;  y a label 0 … 9;  network 784-32-32-32-10

The official training images are split 50,000/10,000 into pool and validation by the permutation of the seed; the
official test images are the test split. The four files, packed or not, are looked for in `data`, else in the directory
that the environment variable SVEN_REF_DATA names (`idx.PLACES`); else pooch (an extra) fetches them. They are known by
the SHA-256 of their contents. Y. LeCun, C. Cortes and C. J. C. Burges, "The MNIST database of handwritten digits".
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ...arguments import check_dtype, check_integer
from ...errors import MissingExtraError
from .idx import DataError, find, read_idx
from .task import Task, check_size

FILES = {  # SHA-256 of the contents
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
ARCHIVES = {  # SHA-256 of the files as they are published
    "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}
URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"
VARIABLE = "SVEN_REF_DATA"
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
    images, labels, test_images, test_labels = read(*place(data))
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


def place(data: str | Path | None) -> tuple[str | None, str]:
    """The directory where the files are, and who named it; None where nobody does."""
    folder, by = (str(data), "data") if data else (os.environ.get(VARIABLE) or None, VARIABLE)
    if folder is not None and not Path(os.path.expanduser(folder)).is_dir():
        raise DataError(f"{by} = {folder!r}: must be a directory with MNIST's files; there is none of that name")
    return folder and os.path.expanduser(folder), by if data else f"{by} or --data"


@lru_cache(maxsize=1)
def read(folder: str | None, by: str = "data") -> list[Any]:
    """The four arrays, uint8, in the order of `FILES`; `by` is what errors call the folder."""
    paths = fetch() if folder is None else [find(Path(folder), name, by) for name in FILES]
    return [read_idx(path, digest, FILES) for path, digest in zip(paths, FILES.values(), strict=True)]


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
            for name, digest in ARCHIVES.items()
        ]
    except (OSError, ValueError) as error:  # no network; a digest that differs
        raise DataError(
            f"MNIST can't be fetched from {URL} ({error}); name a directory that holds the files by "
            "--data or SVEN_REF_DATA"
        ) from error
