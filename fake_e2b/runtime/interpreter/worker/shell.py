"""IPython's shell with the kernel's way of showing things: messages instead of a terminal."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn, Protocol

import IPython
from IPython.core import page
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.error import StdinNotImplementedError, UsageError
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.profiledir import ProfileDir
from traitlets import Type
from traitlets.config import Config

from .cells import CellCompiler
from .formats import install_formats, install_image_hooks, to_message

Shell = Any
"""A `KernelShell`; most of what it has from IPython carries no types."""


class Post(Protocol):
    """Where messages go."""

    def __call__(self, message: Iterable[object]) -> None: ...


class _Nowhere:
    """Takes messages while the shell is only being warmed."""

    def __call__(self, message: Iterable[object]) -> None:
        pass


class _Publisher(DisplayPublisher):
    def publish(self, data: Mapping[str, object], *_: Any, **options: Any) -> None:
        """Show a value; updates of earlier ones are not passed on."""
        if not options.get("update"):
            shell: Shell = self.shell
            shell.post(["shown", to_message(data), False])

    def clear_output(self, wait: bool = False) -> None:
        """What was sent cannot be taken back."""


class _Hook(DisplayHook):
    _shown: object = None

    def start_displayhook(self) -> None:
        self._shown = None

    def write_output_prompt(self) -> None:
        pass

    def write_format_data(self, format_dict: Mapping[str, object], md_dict: object = None) -> None:
        self._shown = to_message(format_dict)

    def finish_displayhook(self) -> None:
        if self._shown:
            shell: Shell = self.shell
            shell.post(["shown", self._shown, True])
        self._shown = None


class KernelShell(InteractiveShell):
    """The shell of one kernel. `post` says where its messages go."""

    display_pub_class = Type(_Publisher)
    displayhook_class = Type(_Hook)
    compiler_class = Type(CellCompiler)

    post: Post = _Nowhere()
    failure: tuple[str, str, list[str]] | None = None
    leaving = False

    def init_virtualenv(self) -> None:
        """The kernel runs in the interpreter it was started with."""

    def enable_gui(self, gui: str | None = None) -> None:
        """Figures are inline; there is no screen for anything else."""
        if gui not in (None, "inline"):
            raise UsageError(
                f"Invalid GUI request {gui!r}, valid ones are:dict_keys([None, 'inline'])"
            )

    def ask_exit(self) -> None:
        """End the kernel after this cell."""
        self.leaving = True

    def _showtraceback(self, etype: type, evalue: BaseException, stb: list[str]) -> None:
        self.failure = (etype.__name__, _text_of(evalue), list(stb))
        self.post(["error", *self.failure])


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        # User-defined: its __str__ may raise anything.
        return f"<unprintable {type(error).__name__} object>"


def make_shell() -> Shell:
    """The shell, ready to run cells; it reads no configuration and writes no file."""
    config = Config()
    config.InteractiveShell.colors = "nocolor" if IPython.version_info >= (9,) else "NoColor"
    config.HistoryManager.enabled = False
    config.HistoryManager.hist_file = ":memory:"
    config.PlainTextFormatter.max_seq_length = 0
    # An empty folder name keeps IPython from making its folders in the home folder.
    shell: Shell = KernelShell.instance(config=config, ipython_dir="", profile_dir=ProfileDir())
    shell.db = {}
    show_nothing = page.as_hook(lambda *_, **__: None)  # type: ignore[no-untyped-call]  # IPython's
    shell.set_hook("show_in_pager", show_nothing, 99)
    install_formats(shell)
    install_image_hooks()
    return shell


def warm(shell: Shell) -> None:
    """Pay for what the first cells cost: compiling, showing, rendering a traceback.

    Forked kernels have it all in memory. Leaves the shell as new.
    """
    out, err = sys.stdout, sys.stderr
    with open(os.devnull, "w") as nowhere:
        sys.stdout = sys.stderr = nowhere
        try:
            for code in ("1 + 1", "{'a': [1]}", "1 / 0", "x = ", "!true", "await None"):
                shell.run_cell(code, store_history=False, silent=False)
        finally:
            sys.stdout, sys.stderr = out, err
    renew(shell)


def renew(shell: Shell) -> None:
    """Empty the namespace and begin counting at 1."""
    shell.reset(new_session=True)
    shell.execution_count = 1
    shell.failure = None
    shell.compile.reset_compiler_flags()
    for name in ("last_type", "last_value", "last_traceback", "last_exc"):
        if hasattr(sys, name):
            delattr(sys, name)


def refuse_input() -> None:
    """Make `input` and `getpass` fail as they do where nobody can type.

    Fact: interpreter.python.input
    """

    def refuse(what: str) -> NoReturn:
        raise StdinNotImplementedError(
            f"{what} was called, but this frontend does not support input requests."
        )

    def raw_input(prompt: object = "") -> str:
        refuse("raw_input")

    def ask_password(prompt: str = "", stream: object = None) -> str:
        refuse("getpass")

    import builtins  # next to its only use: everything else must not touch it

    builtins.input = raw_input
    getpass.getpass = ask_password
