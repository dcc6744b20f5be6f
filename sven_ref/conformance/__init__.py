"""Vectors by which any implementation of Sven, in any language, is held against the reference.

`load()` gives the cases, `judge(case, dtype, output)` the verdict. The JSON files beside this module are usable without
either: `schema.json` says what each operation takes and returns, `flags.json` what a failure usually means. They have
their own version (`manifest.json`, `CHANGELOG.md`) and are in the public domain (`LICENSE`, CC0).
"""

from .compare import Judgement, judge
from .loader import LEVELS, Case, Suite, VectorsError, arrays, load

__all__ = ["LEVELS", "Case", "Judgement", "Suite", "VectorsError", "arrays", "judge", "load"]
