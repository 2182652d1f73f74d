"""`fake-e2b export`: writes a file that fills another fake as this one is."""

from __future__ import annotations

import argparse
import base64
import json
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fake_e2b.cli.options import require
from fake_e2b.cli.remote import add_where, ask, running_fake
from fake_e2b.domain.errors import UsageError
from fake_e2b.testing.seed_text import left_out, seed_toml

_WITH_FILES = ("volume", "template", "sandbox")
_INLINE = 4096
"""Bytes of the longest text that stays in the file where a folder takes the others."""
_ROOT = "%2F"
"""Tells `/app` from `app`; no name is quoted so."""


def add_parser(commands: Any) -> None:
    """Add `export` to the commands."""
    parser = commands.add_parser(
        "export",
        help="write a file that fills another fake as a running one is",
        description="Write what is in a running fake as a file for 'fake-e2b seed' and 'serve "
        "--fill'. What no file can say is named on standard error, and on top of the file. "
        "See docs/seeding.md.",
        allow_abbrev=False,
    )
    add_where(parser)
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="where to, as JSON if its name ends so (default: standard output)",
    )
    parser.add_argument(
        "--files",
        type=Path,
        metavar="DIR",
        help=f"a folder beside --output, for files that are no text or longer than {_INLINE} bytes "
        "(default: everything is in the one file)",
    )
    parser.add_argument(
        "--with-files", action="store_true", help="what is in the sandboxes' home folders, too"
    )
    parser.add_argument(
        "--with-secrets",
        action="store_true",
        help="values of secrets, too (default: names of variables that are to have them)",
    )
    parser.set_defaults(execute=execute)


def execute(arguments: argparse.Namespace) -> int:
    """Write it; 0.

    Raises:
        UsageError: No fake answers, or a file cannot be written.
    """
    output: Path | None = arguments.output
    folder = None if arguments.files is None else _beside(arguments.files, output)
    url = running_fake(arguments)
    wanted = {"files": arguments.with_files, "secrets": arguments.with_secrets}
    query = "&".join(f"{name}={str(each).lower()}" for name, each in wanted.items())
    status, document = ask(url, f"/_fake/seed?{query}", timeout_s=None)
    if status != 200:
        raise UsageError(f"the fake at {url} cannot be exported (status {status})")
    try:
        if output is None:
            sys.stdout.write(seed_toml(document))
        else:
            if folder is not None:
                _move_files(document, output.parent, folder)
            _write(output, document)
    except OSError as error:
        raise UsageError(f"cannot write {error.filename}: {error.strerror}") from error
    for sentence in left_out(document):
        print(f"fake-e2b: not exported: {sentence}", file=sys.stderr)
    return 0


def _write(output: Path, document: dict[str, Any]) -> None:
    is_json = output.suffix == ".json"
    text = json.dumps(document, indent=2) + "\n" if is_json else seed_toml(document)
    output.write_text(text, encoding="utf-8")


def _beside(files: Path, output: Path | None) -> Path:
    """The folder of files, relative to that of the output."""
    require(output is not None, "--files goes with --output: its files are named relative to that")
    assert output is not None
    try:
        relative = files.resolve().relative_to(output.parent.resolve())
    except ValueError:
        relative = Path()
    require(relative.parts, f"--files {files} is not below the folder of --output {output}")
    return relative


def _move_files(document: dict[str, Any], root: Path, folder: Path) -> None:
    """Put long contents, and those that are no text, into files that the tables name."""
    for section in _WITH_FILES:
        for table in document.get(section, []):
            team = ["team", table["team"]] if "team" in table else []
            parts = [_file_name(each) for each in (*team, section, table["name"])]
            for path, value in table.get("files", {}).items():
                file = {"text": value} if isinstance(value, str) else dict(value)
                content = _content(file)
                if content is None or ("text" in file and len(content) <= _INLINE):
                    continue
                source = folder.joinpath(*parts, *_names(path, section))
                target = root / source
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
                more = {key: each for key, each in file.items() if key not in ("text", "base64")}
                table["files"][path] = {"source": source.as_posix(), **more}


def _names(path: str, section: str) -> list[str]:
    """A path's components; all of a volume's are from its root, of the others some."""
    names = [_file_name(part) for part in path.split("/") if part]
    return [_ROOT, *names] if path.startswith("/") and section != "volume" else names


def _file_name(name: str) -> str:
    """A name as one component of its own; what is special for a file system is quoted."""
    quoted = quote(name, safe=" @+=,()[]{}~!#$&'").replace("..", "%2E%2E")
    return {"": "%", ".": "%2E"}.get(quoted, quoted)


def _content(file: dict[str, Any]) -> bytes | None:
    if "text" in file:
        return str(file["text"]).encode()
    return base64.b64decode(file["base64"]) if "base64" in file else None
