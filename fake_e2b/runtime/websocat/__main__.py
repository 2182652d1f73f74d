"""The program's entry, as a module of the package or as a folder given to Python."""

import sys
from importlib import import_module
from types import ModuleType

name = __package__
if not name:
    # Run as a folder: a package without its parent, whose modules must hide no others.
    name = "websocat"
    package = ModuleType(name)
    package.__path__ = [sys.path.pop(0)]
    sys.modules[name] = package

import_module(f"{name}.command").main(sys.argv[1:])
