"""How the site's figures look, and the one font it brings: STIX Two Math, cut down, for formulas."""

from __future__ import annotations

import logging
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

# Okabe & Ito: told apart by every kind of colour vision.
STYLE: dict[str, Any] = {
    "axes.prop_cycle": "cycler('color', ['0072B2', 'D55E00', '009E73', 'CC79A7', 'E69F00', '56B4E9'])",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "font.size": 10,
    "legend.frameon": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "sven_ref",
}


def apply() -> None:
    """Set matplotlib's defaults."""
    import matplotlib

    matplotlib.rcParams.update(STYLE)


def write_fonts(folder: Path) -> None:
    """stix-two-math.woff in `folder`: the glyphs and the MATH table of the copy that ziamath ships (OFL)."""
    from fontTools import subset

    target = folder / "stix-two-math.woff"
    if target.exists():
        return
    package = Path(find_spec("ziamath").origin).parent  # type: ignore[union-attr, arg-type]
    logging.getLogger("fontTools").setLevel(logging.WARNING)
    options = subset.Options(flavor="woff", layout_features=["ssty", "dtls", "mark", "mkmk"], notdef_outline=True)
    font = subset.load_font(str(package / "fonts" / "STIXTwoMath-Regular.ttf"), options)
    cutter = subset.Subsetter(options)
    letters = (0x20, 0x7F), (0xA0, 0x100), (0x300, 0x3FF), (0x2010, 0x2070), (0x2190, 0x2300), (0x27E8, 0x27EA)
    italics = (0x1D434, 0x1D468), (0x1D6E2, 0x1D71C), (0x210E, 0x210F)
    cutter.populate(unicodes=[code for first, last in letters + italics for code in range(first, last)])
    cutter.subset(font)
    subset.save_font(font, str(target), options)
    for licence in (package / "fonts").glob("*OFL*"):
        shutil.copy(licence, folder)
