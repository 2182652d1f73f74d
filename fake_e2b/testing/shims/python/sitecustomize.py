"""Put first on PYTHONPATH by fake-e2b: leads ``*.localhost`` to this machine.

Such names mean it by definition (RFC 6761), but not every machine's resolver knows them. The names
of a fake with a domain of another kind stand in FAKE_E2B_DOMAIN. Then the sitecustomize runs that
Python would have found without this one.

Every Python that a program starts reads this, older ones too: plain words, few imports.
"""

import os
import sys


def _lead_home() -> None:
    import _socket  # what `socket` asks: that one may be imported later, or never

    ask = _socket.getaddrinfo
    names = ("localhost", os.environ.get("FAKE_E2B_DOMAIN"))
    suffixes = tuple("." + name for name in names if name)

    def is_ours(host: object) -> bool:
        if isinstance(host, bytes):
            host = host.decode("latin-1")
        if not isinstance(host, str):
            return False
        name = host.rstrip(".").lower()
        return name != "localhost" and ("." + name).endswith(suffixes)

    def getaddrinfo(host, port, family=0, *others, **named):  # type: ignore[no-untyped-def]
        if is_ours(host):
            host = "::1" if family == getattr(_socket, "AF_INET6", None) else "127.0.0.1"
        return ask(host, port, family, *others, **named)

    _socket.getaddrinfo = getaddrinfo


def _go_on() -> None:
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != here]
    from importlib.machinery import PathFinder

    spec = PathFinder.find_spec("sitecustomize", sys.path)
    if spec is not None and spec.loader is not None:
        from importlib.util import module_from_spec

        module = module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


_lead_home()
_go_on()
