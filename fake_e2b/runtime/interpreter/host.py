"""Kernels on this machine: one zygote, a few warm spares, and what was made of them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import posixpath
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from fake_e2b.domain.kernel import KernelStartError
from fake_e2b.domain.ports import Guest, Joining
from fake_e2b.runtime.interpreter.kernel import PythonKernel
from fake_e2b.runtime.interpreter.link import Link
from fake_e2b.runtime.interpreter.program import locked_program

PRELOADED = ("PIL.Image", "numpy", "pandas", "matplotlib.pyplot", "e2b_charts")
"""Imported ahead where installed, so that a first figure takes milliseconds."""

_PROGRAM = Path(__file__).parent / "worker" / "__main__.py"
_HOME = "/home/user"
_ROOT_HOME = "/root"
_SPARE_REFILL_DELAY_S = 0.02
_STOP_TIMEOUT_S = 5.0

_START_VARIABLES = (
    *("PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"),
    *("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"),
)
"""What the interpreter itself needs to start; kernels do not see them."""

_ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
}
"""Numeric libraries must not start threads in a process that is going to fork."""

_KERNEL_VARIABLES = {
    "LANG": "C.UTF-8",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "TERM": "xterm-color",
    "CLICOLOR": "1",
    "CLICOLOR_FORCE": "1",
    "FORCE_COLOR": "1",
    "PAGER": "cat",
    "GIT_PAGER": "cat",
}
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class KernelHost:
    """Forks Python kernels, see `fake_e2b.domain.kernel.Kernels`.

    Nothing is started before the first `warm` or `start_kernel`.

    Args:
        python: The interpreter that runs the zygote; its packages are the kernels'.
        spares: How many kernels are kept ready, each about 5 MB.
        preload: Modules to import ahead.
    """

    def __init__(
        self,
        *,
        python: str = sys.executable,
        spares: int = 2,
        preload: Sequence[str] = PRELOADED,
    ) -> None:
        self._python = python
        self._spare_count = spares
        self._preload = tuple(preload)
        self._process: subprocess.Popen[bytes] | None = None
        self._zygote: Link | None = None
        self._zygote_socket: socket.socket | None = None
        self._heard = bytearray()
        self._fatal = ""
        self._spares: list[PythonKernel] = []
        self._kernels: set[PythonKernel] = set()
        self._refill: asyncio.TimerHandle | None = None
        self._retired: set[asyncio.Task[None]] = set()

    @property
    def available(self) -> str | None:
        """Why no kernel can run here; None when kernels can."""
        if find_spec("IPython") is None or find_spec("matplotlib_inline") is None:
            return 'IPython is not installed: pip install "fake-e2b[interpreter]"'
        return None

    def findings(self) -> dict[str, bool]:
        """What each optional package adds, and whether it is installed."""
        return {
            "matplotlib: figures": find_spec("matplotlib") is not None,
            "e2b-charts: the data of figures as `chart`": find_spec("e2b_charts") is not None,
            "pandas: tables as `data`": find_spec("pandas") is not None,
            "pillow: images": find_spec("PIL") is not None,
        }

    def missing(self, language: str) -> str | None:
        """Why kernels of `language` cannot run on this machine."""
        if language == "bash" and shutil.which("bash") is None:
            return "bash is not installed"
        return self.available

    def warm(self) -> None:
        """Start the zygote and its first spares; returns at once."""
        if self.available is None:
            self._start_zygote()
            self._fill()

    async def start_kernel(self, guest: Guest, *, language: str, cwd: str) -> PythonKernel:
        """A kernel inside `guest`, from a spare where one is ready."""
        if reason := self.missing(language):
            raise KernelStartError(reason)
        self._start_zygote()
        kernel = self._spares.pop(0) if self._spares else self._fork()
        settled = False
        try:
            await kernel.settle(_place(guest.joining(), language, cwd))
        except KernelStartError as error:
            raise KernelStartError(self._fatal or str(error)) from None
        else:
            settled = True
        finally:
            if not settled:
                self._retire(kernel)
            self._refill_soon()
        return kernel

    async def close(self) -> None:
        """End the zygote and every kernel; another start is possible afterwards."""
        if self._refill is not None:
            self._refill.cancel()
        self._spares.clear()
        process = self._process
        self._drop_zygote()
        await asyncio.gather(*(kernel.close() for kernel in tuple(self._kernels)))
        await asyncio.gather(*self._retired)
        if process is not None:
            await asyncio.to_thread(_wait, process)

    def _start_zygote(self) -> None:
        if self._process is not None and self._zygote is not None:
            return
        ours, theirs = socket.socketpair()
        locked = locked_program(self._python)
        passed = [] if locked is None else [locked]
        with theirs:
            self._process = subprocess.Popen(
                [
                    *(self._python, "-P", str(_PROGRAM), str(theirs.fileno())),
                    json.dumps({"preload": self._preload, "close": passed}),
                ],
                executable=None if locked is None else f"/proc/self/fd/{locked}",
                pass_fds=[theirs.fileno(), *passed],
                cwd="/",
                env=_zygote_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        if locked is not None:
            os.close(locked)
        self._fatal = ""
        self._heard.clear()
        self._zygote_socket = ours
        self._zygote = Link(ours, self._hear)

    def _hear(self, data: bytes) -> None:
        """News from the zygote: a JSON object a line."""
        if not data:
            self._drop_zygote()
            return
        self._heard += data
        while b"\n" in self._heard:
            line, _, rest = self._heard.partition(b"\n")
            self._heard = bytearray(rest)
            news = json.loads(line)
            self._fatal = news.get("fatal", self._fatal)
            if news.get("preloaded"):
                self._renew_spares()

    def _drop_zygote(self) -> None:
        if self._zygote is not None:
            self._zygote.close()
        self._zygote = self._zygote_socket = None

    def _fork(self) -> PythonKernel:
        """A kernel that waits to be settled. It may not have been forked yet: what is sent to
        it waits in its sockets."""
        if self._zygote_socket is None:
            raise KernelStartError(self._fatal or "the kernel process ended")
        channel, their_channel = socket.socketpair()
        control, their_control = socket.socketpair()
        theirs = [their_channel.fileno(), their_control.fileno()]
        # A zygote that is gone shows in the kernel: its sockets close.
        with their_channel, their_control, contextlib.suppress(BrokenPipeError):
            socket.send_fds(self._zygote_socket, [b"f"], theirs)
        kernel = PythonKernel(channel, control, self._forget)
        self._kernels.add(kernel)
        return kernel

    def _forget(self, kernel: PythonKernel) -> None:
        self._kernels.discard(kernel)
        if kernel in self._spares:
            self._spares.remove(kernel)

    def _fill(self) -> None:
        self._refill = None
        if self._zygote is not None:
            while len(self._spares) < self._spare_count:
                self._spares.append(self._fork())

    def _refill_soon(self) -> None:
        """Fork the next spare when the cell that took the last one has had its turn."""
        if self._refill is None:
            loop = asyncio.get_running_loop()
            self._refill = loop.call_later(_SPARE_REFILL_DELAY_S, self._fill)

    def _renew_spares(self) -> None:
        """Replace the spares that were forked before the zygote had imported everything."""
        for kernel in self._spares:
            self._retire(kernel)
        self._spares = []
        self._fill()

    def _retire(self, kernel: PythonKernel) -> None:
        task = asyncio.ensure_future(kernel.close())
        self._retired.add(task)
        task.add_done_callback(self._retired.discard)


def _wait(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _zygote_environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _START_VARIABLES if name in os.environ}
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return {
        **kept,
        **_ONE_THREAD,
        **_KERNEL_VARIABLES,
        "PATH": _kernel_path(),
        "FAKE_E2B_MATPLOTLIB_CACHE": os.path.join(cache, "matplotlib"),
    }


def _kernel_path() -> str:
    return f"{os.path.dirname(sys.executable)}:{_SYSTEM_PATH}"


def _place(joining: Joining, language: str, cwd: str) -> Mapping[str, object]:
    """Where a kernel belongs, in host terms; the first message to its worker."""
    prefix = joining.path_prefix
    environment = {
        **_KERNEL_VARIABLES,
        "PATH": f"{joining.path_first}:{_kernel_path()}",
        "HOME": prefix + _ROOT_HOME,
    }
    paths = []
    if prefix:
        # The kernel shares the machine's files: keep what it installs, and its temporary
        # files, in the sandbox's own folders.
        packages = f"{prefix}{_ROOT_HOME}/.local/lib/packages"
        environment |= {"TMPDIR": f"{prefix}/tmp", "PIP_TARGET": packages}
        paths.append(packages)
    return {
        "language": language,
        "namespaces_of": joining.namespaces_of,
        "group": joining.group,
        "cwd": prefix + posixpath.normpath(posixpath.join(_HOME, cwd)),
        "home_folder": prefix + _HOME,
        "environment": environment,
        "paths": paths,
    }
