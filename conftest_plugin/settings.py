"""Reads the plugin's settings: marker before command line before ini file."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from conftest_plugin.policies import DEFAULT, WORDS, PolicyError, read_leaks, read_misuse

RUNTIMES = ("auto", "local", "isolated")
CLOCKS = ("real", "manual")
PREFIX = "fake_e2b_"
COMMAND_LINE_PREFIX = "--fake-e2b-"
_INT = "int" if pytest.version_tuple >= (8, 4) else "string"


class WrongValueError(ValueError):
    """A value that an option cannot have; the text says what it takes."""


@dataclass(frozen=True)
class Option:
    """One setting: ``--fake-e2b-<name>``, ``fake_e2b_<name>`` in the ini file, maybe a marker's.

    Attributes:
        read: Makes the value of a text, or of what a marker says.
        ini: pytest's word for the type in the ini file.
        flag: On the command line it has no value.
    """

    name: str
    read: Callable[[Any], Any]
    help: str
    default: Any = None
    metavar: str = "NAME"
    ini: Any = "string"
    flag: bool = False

    @property
    def on_command_line(self) -> str:
        """``--fake-e2b-strict-faults``"""
        return COMMAND_LINE_PREFIX + self.name.replace("_", "-")

    @property
    def key(self) -> str:
        """``fake_e2b_strict_faults``: in the ini file, and where pytest keeps it."""
        return PREFIX + self.name


def _one_of(*words: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in words:
            listed = ", ".join(words)
            raise WrongValueError(f"use one of {listed}{nearest(str(value), words)}")
        return str(value)

    return read


def _whole_number(value: Any) -> int:
    try:
        if isinstance(value, bool | float):
            raise ValueError
        return int(value)
    except (TypeError, ValueError):
        raise WrongValueError("use a whole number") from None


def _yes_or_no(value: Any) -> bool:
    if not isinstance(value, bool):
        raise WrongValueError("use true or false")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise WrongValueError("use a text")
    return value


OPTIONS: Mapping[str, Option] = {
    option.name: option
    for option in (
        Option("runtime", _one_of(*RUNTIMES), "what sandboxes run in (default: auto)"),
        Option("clock", _one_of(*CLOCKS), "manual: time stands still until a test moves it"),
        Option("profile", _text, "a named set of faults that is in force: fake_e2b.profiles"),
        Option("seed", _whole_number, "replays identifiers and dice", metavar="N", ini=_INT),
        Option(
            "strict_faults",
            _yes_or_no,
            "a fault rule that never acted fails its test",
            default=False,
            ini="bool",
            flag=True,
        ),
        Option(
            "leaks",
            read_leaks,
            f"what a test leaves behind is: {', '.join(WORDS)} (default: {DEFAULT}); "
            "for single kinds: warn,stream=ignore",
            default=DEFAULT,
            metavar="POLICY",
        ),
        Option(
            "misuse",
            read_misuse,
            f"what a test does wrong is: {', '.join(WORDS)} (default: {DEFAULT}); "
            "for single kinds: error,gap=ignore",
            default=DEFAULT,
            metavar="POLICY",
        ),
        Option("report", _text, "write one HTML page for each failed test", metavar="DIR"),
    )
}
SERVER_OPTIONS = ("runtime", "clock", "profile", "seed")
"""Those that are options of `FakeE2B` as well."""
OF_THE_TEST = frozenset(OPTIONS) - {*SERVER_OPTIONS, "report"}
"""What a marker says about the test and not about its server."""


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint that names the valid word nearest to `word`; empty when none is near."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {found[0]!r}?" if found else ""


def setting(config: pytest.Config, name: str) -> Any:
    """What holds for the run.

    Raises:
        pytest.UsageError: The command line or the ini file has a value that cannot be.
    """
    option = OPTIONS[name]
    given = config.getoption(option.key)
    if given is not None:
        return _read(option, given, option.on_command_line)
    try:
        given = config.getini(option.key)
    except (TypeError, ValueError, pytest.UsageError) as error:
        raise pytest.UsageError(f"{option.key} in the ini file cannot be: {error}") from None
    if given is None or given == "":
        given = option.default
        if given is None:
            return None
    return _read(option, given, f"{option.key} in the ini file")


def check_settings(config: pytest.Config) -> None:
    """Refuse what is wrong before the first test.

    Raises:
        pytest.UsageError: A value that cannot be, or a name in the ini file that nothing has.
    """
    for name in OPTIONS:
        setting(config, name)
    in_file = getattr(config, "_inicfg", None)
    if in_file is None:  # older releases of pytest; newer ones warn of it
        in_file = getattr(config, "inicfg", {})
    known = {option.key for option in OPTIONS.values()}
    for key in in_file:
        if key.startswith(PREFIX) and key not in known:
            raise pytest.UsageError(
                f"there is no {key!r} for the ini file{nearest(key, known)}; "
                f"there are {', '.join(sorted(known))}"
            )


def check_names(arguments: Iterable[str]) -> None:
    """Refuse an argument that begins as the plugin's options do and is none.

    Raises:
        pytest.UsageError: Naming the nearest.
    """
    known = [option.on_command_line for option in OPTIONS.values()]
    for argument in arguments:
        name = argument.partition("=")[0]
        if name.startswith(COMMAND_LINE_PREFIX) and name not in known:
            raise pytest.UsageError(
                f"there is no option {name}{nearest(name, known)}; there are {', '.join(known)}"
            )


def options_of_marker(node: pytest.Item) -> dict[str, Any]:
    """What ``@pytest.mark.fake_e2b(…)`` says about one test, the nearest marker first.

    Raises:
        pytest.UsageError: It names an option that does not exist, or a value that cannot be.
    """
    from fake_e2b.testing import FakeE2B  # only where a test asks: keeps start-up and coverage

    known = {*inspect.signature(FakeE2B).parameters, *OF_THE_TEST} - {"set_environment"}
    options: dict[str, Any] = {}
    for marker in reversed(list(node.iter_markers("fake_e2b"))):
        wrong = [f"{value!r} without a name" for value in marker.args]
        wrong += [repr(n) + nearest(n, known) for n in marker.kwargs if n not in known]
        if wrong:
            raise pytest.UsageError(
                f"{node.nodeid}: @pytest.mark.fake_e2b does not know {', '.join(wrong)}; "
                f"it takes {', '.join(f'{name}=…' for name in sorted(known))}"
            )
        options.update(marker.kwargs)
    for name, value in options.items():
        if name in OPTIONS:
            options[name] = _read(OPTIONS[name], value, f"{node.nodeid}: {name}")
    return options


def for_test(config: pytest.Config, marked: Mapping[str, Any], name: str) -> Any:
    """What holds for one test: its marker, else the run's setting."""
    return marked[name] if name in marked else setting(config, name)


def _read(option: Option, value: Any, where: str) -> Any:
    try:
        return option.read(value)
    except (WrongValueError, PolicyError) as error:
        raise pytest.UsageError(f"{where} is {value!r}; {error}") from None
