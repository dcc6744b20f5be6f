"""Files of images and labels: the IDX format, gzipped, checked by SHA-256 before they are read.

    0, 0, 8 (unsigned bytes), the number of dimensions; each dimension as a big-endian 32-bit integer; the data

A missing, truncated or altered file is a `DataError` which names it.
"""

from __future__ import annotations

import gzip
import hashlib
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import SvenError


class DataError(SvenError):
    """A data file is missing, truncated, altered or can't be had."""


def read_idx(path: Any, sha256: str | None = None) -> Any:
    """The uint8 array in a gzipped IDX file, whose digest must be `sha256` if that is given."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror}); it must be a gzipped IDX file") from None
    if sha256 is not None and (found := hashlib.sha256(data).hexdigest()) != sha256:
        raise DataError(f"{path}: {len(data)} bytes with SHA-256 {found}: truncated or altered; must be {sha256}")
    try:
        raw = gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: not a whole gzip file ({error})") from None
    head = 4 + 4 * raw[3] if len(raw) >= 4 else 4
    if raw[:3] != b"\0\0\x08" or len(raw) < head:
        raise DataError(f"{path}: begins {raw[:4].hex()!r}: must be an IDX file of unsigned bytes, '000008..'")
    shape = [int.from_bytes(raw[i : i + 4], "big") for i in range(4, head, 4)]
    if len(raw) - head != math.prod(shape):
        raise DataError(f"{path}: holds {len(raw) - head} values: must be {math.prod(shape)} for the shape {shape}")
    return np.frombuffer(raw, np.uint8, offset=head).reshape(shape)


def find(folder: Path, name: str) -> Path:
    """`name` in `folder` or in its `mnist/`."""
    for place in (folder / "mnist" / name, folder / name):
        if place.exists():
            return place
    raise DataError(f"data = {str(folder)!r}: must be a directory with {name}, in itself or in its mnist/")
