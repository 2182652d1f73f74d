"""The zygote: a warm shell that forks kernels and never runs a user's cell."""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import tempfile
import traceback
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from .keeper import keep
from .linux import Linux
from .shell import Shell, make_shell, renew, warm
from .worker import run_worker

_FIGURE = """
import matplotlib.pyplot as plt
plt.plot([1, 2])
plt.show()
"""


def main(control_fd: int, options: dict[str, Any]) -> None:
    """Get warm, then fork a kernel for each pair of sockets that comes in.

    Args:
        control_fd: The socket to the server.
        options: `preload`: modules to import ahead, where installed; `close`: descriptors that
            only the start needed.
    """
    for descriptor in options["close"]:
        os.close(descriptor)
    control = socket.socket(fileno=control_fd)
    sys.path[:] = [path for path in sys.path if path]
    try:
        linux = Linux()
        shell = make_shell()
        warm(shell)
    except Exception:
        # Whatever is wrong with this installation of IPython, the server has to hear of it.
        _tell(control, fatal=traceback.format_exc())
        return
    # Keepers vanish without being waited for; only now, as warming up waits for a command.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    _freeze()
    _tell(control, ready=True)
    with _matplotlib_cache() as cache:
        os.environ["MPLCONFIGDIR"] = cache
        steps: Iterator[str] | None = _preload(shell, options["preload"])
        while True:
            # Importing goes on only while nobody wants a kernel.
            if not select.select([control], [], [], None if steps is None else 0)[0]:
                if steps is not None and next(steps, None) is None:
                    steps = None
                    renew(shell)
                    _freeze()
                    _tell(control, preloaded=True)
                continue
            command, fds, _, _ = socket.recv_fds(control, 1, 2)
            if not command:
                return
            _fork(control, shell, linux, *(socket.socket(fileno=fd) for fd in fds))


def _tell(control: socket.socket, **message: object) -> None:
    control.sendall(json.dumps(message).encode() + b"\n")


def _fork(
    control: socket.socket,
    shell: Shell,
    linux: Linux,
    channel: socket.socket,
    keeper_control: socket.socket,
) -> None:
    if os.fork() == 0:
        control.close()

        def start_worker() -> None:
            run_worker(shell, channel, linux)

        keep(keeper_control, linux, start_worker)
    channel.close()
    keeper_control.close()


def _freeze() -> None:
    """Keep the collector off all that exists now: touching it would copy it in every kernel."""
    gc.collect()
    gc.freeze()


def _preload(shell: Shell, modules: list[str]) -> Iterator[str]:
    """Import what is installed, one module a step, then draw a figure."""
    for module in modules:
        if find_spec(module.partition(".")[0]) is not None:
            # A broken package must fail in the user's cell, not here.
            with contextlib.suppress(Exception):
                importlib.import_module(module)
            yield module
    if "matplotlib.pyplot" in sys.modules:
        shell.run_cell(_FIGURE, store_history=False, silent=False)
        yield "figure"


@contextlib.contextmanager
def _matplotlib_cache() -> Iterator[str]:
    """Where matplotlib keeps its list of fonts: its usual place, if that can be written."""
    usual = os.environ.pop("FAKE_E2B_MATPLOTLIB_CACHE", "")
    with contextlib.suppress(OSError):
        os.makedirs(usual, exist_ok=True)
    if os.access(usual, os.W_OK):
        yield usual
        return
    with tempfile.TemporaryDirectory(prefix="fake-e2b-fonts-", ignore_cleanup_errors=True) as made:
        yield made
