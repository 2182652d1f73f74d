"""Lets this process find ``*.localhost`` names, and those of a fake's own domain, while it runs.

`get_host()` of every SDK gives ``<port>-<id>.e2b.localhost:<port>``. Such names are this machine by
definition (RFC 6761), yet many C libraries ask a name server for them. While at least one fake is
active, `socket.getaddrinfo` answers them with the loopback addresses; every other name goes to the
function that was there before.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any


class LocalhostNames:
    """One fake's hold on `socket.getaddrinfo`; holds may end in any order.

    Args:
        below: The domains whose names, and themselves unless it is `localhost`, mean this machine.
    """

    def __init__(self, below: Sequence[str] = ("localhost",)) -> None:
        self._suffixes = tuple(f".{domain}" for domain in below)
        self._before: Any = None
        self._active = False

    def install(self) -> None:
        """Put this in front of the present `socket.getaddrinfo`."""
        self._before = socket.getaddrinfo
        self._active = True
        socket.getaddrinfo = self

    def uninstall(self) -> None:
        """Take it away again; covered by a later one, it steps aside until that one goes."""
        self._active = False
        top = socket.getaddrinfo
        while isinstance(top, LocalhostNames) and not top._active:
            top = socket.getaddrinfo = top._before

    def __call__(self, host: Any, port: Any, family: Any = 0, *args: Any, **named: Any) -> Any:
        """As `socket.getaddrinfo`."""
        if self._active and self._means_this_machine(host):
            host = "::1" if family == socket.AF_INET6 else "127.0.0.1"
        return self._before(host, port, family, *args, **named)

    def _means_this_machine(self, host: object) -> bool:
        if isinstance(host, (bytes, bytearray)):
            host = host.decode("latin-1")
        if not isinstance(host, str):
            return False
        name = host.rstrip(".").lower()
        return name != "localhost" and f".{name}".endswith(self._suffixes)
