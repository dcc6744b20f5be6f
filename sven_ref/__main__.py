"""`python -m sven_ref` is `sven-ref`."""

import sys

from .cli import main

sys.exit(main())
