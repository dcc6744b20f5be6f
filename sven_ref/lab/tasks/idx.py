"""Files of images and labels: the IDX format, packed or not, checked by the SHA-256 of what is in them.

    0, 0, 8 (unsigned bytes), the number of dimensions; each dimension as a big-endian 32-bit integer; the data

The digest is of the contents and not of the file: the same numbers are packed in many ways. A missing, truncated,
altered or exchanged file is a `DataError` which names it.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import math
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import SvenError

PACKED = {b"\x1f\x8b": gzip.decompress, b"BZh": bz2.decompress, b"\xfd7zXZ": lzma.decompress}  # by their first bytes
SUFFIXES = (".gz", "", ".bz2", ".xz")
PLACES = ("mnist", "", "MNIST/raw", "raw", "mnist/MNIST/raw")  # in the middle what torchvision makes


class DataError(SvenError):
    """A data file is missing, truncated, altered or can't be had."""


def read_idx(path: Any, sha256: str | None = None, known: Mapping[str, str] | None = None) -> Any:
    """The uint8 array in an IDX file, packed or not, whose contents must have the digest `sha256` if that is given.

    `known` has the digests of other files by name: what was exchanged for this one is named.
    """
    must = "it must be a whole IDX file" + ("" if sha256 is None else f", with SHA-256 {sha256} when unpacked")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: can't be read ({error.strerror}); {must}") from None
    raw = unpacked(path, data, must)
    if sha256 is not None and (found := hashlib.sha256(raw).hexdigest()) != sha256:
        other = next((name for name, digest in (known or {}).items() if digest == found), None)
        what = f"these are the contents of {other}" if other else "it is truncated, altered or of another data set"
        raise DataError(f"{path}: holds {len(raw)} bytes with SHA-256 {found} when unpacked: {what}; {must}")
    head = 4 + 4 * raw[3] if len(raw) >= 4 else 4
    if raw[:3] != b"\0\0\x08" or len(raw) < head:
        raise DataError(f"{path}: begins {raw[:4].hex()!r}: must be an IDX file of unsigned bytes, '000008..'")
    shape = [int.from_bytes(raw[i : i + 4], "big") for i in range(4, head, 4)]
    if len(raw) - head != math.prod(shape):
        raise DataError(f"{path}: holds {len(raw) - head} values: must be {math.prod(shape)} for the shape {shape}")
    return np.frombuffer(raw, np.uint8, offset=head).reshape(shape)


def unpacked(path: Any, data: bytes, must: str) -> bytes:
    """What is in a file of these bytes; the bytes themselves if they are not packed."""
    for magic, unpack in PACKED.items():
        if data.startswith(magic):
            try:
                return unpack(data)
            except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError) as error:
                raise DataError(f"{path}: can't be unpacked ({error}), so it is truncated or altered; {must}") from None
    return data


def find(folder: Path, name: str, by: str = "data") -> Path:
    """The file `name`, packed or not, also as "train-images.idx3-ubyte", in one of the `PLACES` of `folder`.

    `by` is what named the folder.
    """
    for place in PLACES:
        for stem in (name, name.replace("-idx", ".idx")):
            for suffix in SUFFIXES:
                path = folder / place / (stem + suffix)
                if path.is_file():
                    return path
    raise DataError(
        f"{by} = {str(folder)!r}: must be a directory with {name}, as it is or as .gz, .bz2 or .xz, in itself, in its "
        f"mnist/ or in its MNIST/raw/"
    )
