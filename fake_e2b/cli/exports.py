"""Environment variables as text that a shell, or another program, can read."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping


def render(shell: str, variables: Mapping[str, str]) -> str:
    """One line a variable (JSON: one object), in the syntax of `shell`, a key of `SHELLS`.

    >>> print(render("fish", {"E2B_API_KEY": "it's"}))
    set -gx E2B_API_KEY 'it\\'s'
    """
    return SHELLS[shell](variables)


def _lines(form: Callable[[str, str], str]) -> Callable[[Mapping[str, str]], str]:
    return lambda variables: "\n".join(form(name, value) for name, value in variables.items())


def _posix(name: str, value: str) -> str:
    return f"export {name}={shlex.quote(value)}"


def _fish(name: str, value: str) -> str:
    quoted = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"set -gx {name} '{quoted}'"


def _powershell(name: str, value: str) -> str:
    quoted = value.replace("'", "''")
    return f"$Env:{name} = '{quoted}'"


def _dotenv(name: str, value: str) -> str:
    quoted = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'{name}="{quoted}"'


SHELLS: Mapping[str, Callable[[Mapping[str, str]], str]] = {
    "posix": _lines(_posix),
    "fish": _lines(_fish),
    "powershell": _lines(_powershell),
    "dotenv": _lines(_dotenv),
    "json": lambda variables: json.dumps(dict(variables), indent=2),
}
