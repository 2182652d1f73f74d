"""`python -m fake_e2b`: the same as the console script `fake-e2b`."""

import sys

from fake_e2b.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
