"""`python -m sven_ref.lab.scale`."""

import sys

from ...streams import lasting
from .tables import main

if __name__ == "__main__":
    with lasting() as output:
        try:
            main()
        except SystemExit as end:  # argparse's, after --help or a usage error
            sys.exit(end.code or output.status())
        sys.exit(output.status())
