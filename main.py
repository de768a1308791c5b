"""PyMAF Live: no arguments open the window; ``python main.py --help`` lists the commands."""

import sys

from ui.entry import main

if __name__ == "__main__":
    sys.exit(main())
