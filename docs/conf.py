"""The site: `sphinx-build -W docs build/site`. Needs the extra `docs`, no network, and serves everything itself."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

import sven_ref

project = "sven_ref"
author = "The sven_ref maintainers"
copyright = author
version = release = sven_ref.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "site_ext",
]
exclude_patterns = ["_ext", "built/figures"]
templates_path: list[str] = []
highlight_language = "text"
nitpicky = False

myst_enable_extensions = ["attrs_block", "colon_fence", "dollarmath", "tasklist"]
myst_heading_anchors = 3
myst_dmath_double_inline = False

autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_class_signature = "mixed"
napoleon_numpy_docstring = True
napoleon_google_docstring = False
napoleon_use_param = False
napoleon_use_rtype = False
napoleon_use_ivar = True

html_theme = "furo"
html_title = "sven_ref"
html_math_renderer = "mathml"
html_static_path = ["_static"]
html_favicon = "_static/favicon.svg"
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_last_updated_fmt = None
html_baseurl = ""
