"""`python -m keystroke.cli`: the command line without its script."""

import sys

from keystroke.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
