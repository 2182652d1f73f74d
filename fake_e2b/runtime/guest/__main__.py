"""Start of the helper: `python -I -S …/guest/__main__.py FD FOLDER LOCK IDS`."""

import json
import os
import sys

# `-I` keeps the script's folder off the path. It goes to the end: the folder beside this one
# holds names of the standard library, which must win.
sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from guest.zygote import main  # type: ignore[import-not-found]  # found by the path just set

main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), json.loads(sys.argv[4]))
