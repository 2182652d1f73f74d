"""Entry point: `python -P __main__.py <file descriptor> <options as JSON>`.

The folder is loaded as a package under a name of its own, so that nothing of `fake_e2b` (and of
what that imports) gets into the kernels.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import sys

_PACKAGE = "fake_e2b_kernel"


def _load_package() -> None:
    folder = os.path.dirname(os.path.abspath(__file__))
    spec = importlib.util.spec_from_file_location(
        _PACKAGE, os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot load the kernel program from {folder}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[_PACKAGE] = module
    spec.loader.exec_module(module)


if __name__ == "__main__":
    _load_package()
    importlib.import_module(f"{_PACKAGE}.zygote").main(int(sys.argv[1]), json.loads(sys.argv[2]))
    os._exit(0)  # taking all the modules down in order would only cost time
