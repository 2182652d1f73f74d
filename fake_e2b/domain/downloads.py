"""Which commands of a template build would download something. Pure.

Fact: templates.build.network
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

NetworkMode = Literal["record", "allow", "fail"]
"""What becomes of them: said and not done, done, or refused."""

_SYSTEM = frozenset({"apt", "apt-get", "apk", "dnf", "yum", "microdnf", "pacman", "zypper"})
_PACKAGES: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(("pip", "pip3"), frozenset({"install", "download", "wheel"})),
    "uv": frozenset({"pip", "sync", "add", "tool", "python"}),
    "npm": frozenset({"install", "i", "ci", "add", "update", "exec", "install-test"}),
    "npx": frozenset(),
    "yarn": frozenset({"", "install", "add", "global", "dlx"}),
    "pnpm": frozenset({"install", "i", "add", "dlx", "update"}),
    "bun": frozenset({"install", "i", "add", "x"}),
    "cargo": frozenset({"install", "fetch"}),
    "go": frozenset({"install", "get"}),
    "gem": frozenset({"install"}),
}
_ALWAYS = frozenset({"npx"})
_PYTHONS = frozenset({"python", "python3"})
_FETCHERS = frozenset({"curl", "wget"})
_GIT = frozenset({"clone", "fetch", "pull", "ls-remote", "submodule"})
_REMOTE = re.compile(r"(?:[a-z+]+://|[\w.-]+@[\w.-]+:)", re.IGNORECASE)
_OWN = re.compile(r"(?:[a-z]+://)?(?:localhost|127\.[\d.]+|\[::1\]|0\.0\.0\.0)(?:[:/]|$)", re.I)
_HOST = re.compile(r"[\w-]+(?:\.[\w-]+)+(?:[:/]|$)")

PROGRAMS = frozenset({*_SYSTEM, *_PACKAGES, *_PYTHONS, *_FETCHERS, "git"})
"""The programs that are looked at."""


@dataclass(frozen=True, slots=True)
class Download:
    """What a command would bring.

    Attributes:
        file: The file that it would write, relative to its folder; None where it names none.
        folder: The folder that it would make.
    """

    file: str | None = None
    folder: str | None = None


def download_of(argv: Sequence[str]) -> Download | None:
    """What a command would download; None for one that is of this machine alone."""
    name, arguments = argv[0], list(argv[1:])
    if name in _PYTHONS:
        if arguments[:2] != ["-m", "pip"]:
            return None
        name, arguments = "pip", arguments[2:]
    if name in _SYSTEM:
        asks = {"--version", "-v", "--help", "-h"} & set(arguments)
        return None if asks and len(arguments) == 1 else Download()
    if name in _PACKAGES:
        verb = next((each for each in arguments if not each.startswith("-")), "")
        wanted = name in _ALWAYS or verb in _PACKAGES[name]
        return Download() if wanted and "--version" not in arguments else None
    if name in _FETCHERS:
        return _fetched(name, arguments)
    return _cloned(arguments) if name == "git" else None


def _fetched(name: str, arguments: list[str]) -> Download | None:
    urls = [each for each in arguments if _is_remote(each)]
    if not urls:
        return None
    return Download(file=_output(name, arguments, urls[0]))


def _is_remote(text: str) -> bool:
    if text.startswith("-") or _OWN.match(text) or text.startswith("file:"):
        return False
    return bool(_REMOTE.match(text) or _HOST.match(text))


def _output(name: str, arguments: list[str], url: str) -> str | None:
    flags = ("-o", "--output") if name == "curl" else ("-O", "--output-document")
    for at, each in enumerate(arguments):
        flag, equals, value = each.partition("=")
        if flag in flags and equals:
            return None if value == "-" else value
        if re.fullmatch(rf"-[a-zA-Z]*{flags[0][1]}-", each):
            return None
        is_cluster = re.fullmatch(rf"-[a-zA-Z]*{flags[0][1]}", each) is not None
        if (each in flags or is_cluster) and at + 1 < len(arguments):
            value = arguments[at + 1]
            return None if value in ("-", "/dev/null", "/dev/stdout") else value
    last = posixpath.basename(url.partition("?")[0].rstrip("/"))
    writes = name == "wget" or any(
        re.fullmatch(r"-[a-zA-Z]*O", each) or each == "--remote-name" for each in arguments
    )
    return last if writes and last and "." in url else None


def _cloned(arguments: list[str]) -> Download | None:
    verb = next((each for each in arguments if not each.startswith("-")), "")
    if verb not in _GIT:
        return None
    remotes = [at for at, each in enumerate(arguments) if _REMOTE.match(each)]
    if verb != "clone":
        return Download()
    if not remotes:
        return None
    url = arguments[remotes[0]]
    behind = [each for each in arguments[remotes[0] + 1 :] if not each.startswith("-")]
    name = posixpath.basename(url.rstrip("/")).removesuffix(".git")
    return Download(folder=behind[-1] if behind else name.rpartition(":")[2])
