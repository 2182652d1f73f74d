"""The program's entry, as a module of the package or as a folder given to Python."""

import sys
from types import ModuleType

if not __package__:
    # Run as a folder: a package without its parent, whose modules must hide no others.
    package = ModuleType("websocat")
    package.__path__ = [sys.path.pop(0)]
    sys.modules["websocat"] = package
    __package__ = "websocat"

from .command import main

main(sys.argv[1:])
