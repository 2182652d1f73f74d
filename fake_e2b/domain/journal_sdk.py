"""A recorded request as the call of the Python SDK that makes it."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

from fake_e2b.domain.command_line import shell_command
from fake_e2b.domain.journal_curl import MASKED

if TYPE_CHECKING:
    from fake_e2b.domain.journal import JournalRecord

_DEFAULT_TEMPLATES = frozenset({"base", "code-interpreter-v1"})
_DEFAULT_TIMEOUT_MS = 60_000
_PTY_VARIABLES = {"TERM": "xterm-256color", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
_SIGKILL = ("SIGNAL_SIGKILL", 9)

Body = Mapping[str, Any]


def sdk_call(record: JournalRecord) -> str:
    """The call; ``sandbox`` is the sandbox that it was for, all other names are the SDK's.

    A comment where no method of the SDK makes such a request. Masked values are read from the
    environment: ``os.environ["OPENAI_API_KEY"]``.
    """
    if not record.method:
        return f"# {record.operation} is no request"
    make = _CALLS.get(record.operation)
    if make is None:
        return f"# no method of the Python SDK makes {record.operation}"
    body = record.json
    if record.received and body is None and record.operation != "files.upload":
        return f"# {record.operation}: its body was not kept ({record.received} bytes)"
    try:
        made = make(record, {} if body is None else body)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        made = None  # A body that no SDK would send.
    return made or f"# no method of the Python SDK makes this {record.operation}"


# -- writing Python ------------------------------------------------------------------------------


def _call(name: str, /, *given: Any, **named: Any) -> str:
    """A call; arguments that are None are left out."""
    words = [_value(each) for each in given]
    words += [f"{key}={_value(each, key)}" for key, each in named.items() if each is not None]
    return f"{name}({', '.join(words)})"


class _Code(str):
    """Python that stands for itself."""

    __slots__ = ()


def _value(value: Any, name: str = "") -> str:
    if isinstance(value, _Code):
        return value
    if isinstance(value, str) and value.startswith(MASKED):
        return f'os.environ["{_variable(name)}"]'
    if isinstance(value, Mapping):
        pairs = (f"{_value(key)}: {_value(each, str(key))}" for key, each in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_value(each, name) for each in value) + "]"
    if isinstance(value, str) and "'" not in value and '"' not in value:
        return '"' + repr(value)[1:-1] + '"'
    return repr(value)


def _variable(name: str) -> str:
    return re.sub(r"\W+", "_", name, flags=re.ASCII).upper() or "SECRET"


def _only(body: Body, *known: str) -> bool:
    """Whether the body has no other fields: those a method has no argument for."""
    return body.keys() <= set(known)


# -- what requests say beside their bodies ---------------------------------------------------------


def _header(record: JournalRecord, wanted: str) -> str | None:
    return next((value for name, value in record.headers if name == wanted), None)


def _user(record: JournalRecord) -> str | None:
    """The user of a Basic header, or of the query."""
    scheme, _, credentials = (_header(record, "authorization") or "").partition(" ")
    if scheme.lower() == "basic" and not credentials.startswith(MASKED):
        return base64.b64decode(credentials).decode().partition(":")[0]
    return _query(record).get("username")


def _timeout(record: JournalRecord) -> float | int | None:
    """Seconds, where they are not what the SDK grants by itself."""
    text = _header(record, "connect-timeout-ms")
    if text is None:
        return 0
    milliseconds = int(text)
    if milliseconds == _DEFAULT_TIMEOUT_MS:
        return None
    return milliseconds // 1000 if milliseconds % 1000 == 0 else milliseconds / 1000


def _query(record: JournalRecord) -> dict[str, str]:
    return dict(parse_qsl(record.path.partition("?")[2], keep_blank_values=True))


def _segment(record: JournalRecord, at: int) -> str:
    return unquote(record.path.partition("?")[0].split("/")[at])


# -- the control plane -----------------------------------------------------------------------------


def _create(record: JournalRecord, body: Body) -> str | None:
    template = body.get("templateID")
    given = [] if template in _DEFAULT_TEMPLATES or template is None else [template]
    lifecycle: dict[str, Any] | None = None
    if "autoPause" in body or "autoPauseMemory" in body or "autoResume" in body:
        lifecycle = {}
        if "autoPause" in body:
            action = "pause" if body["autoPause"] else "kill"
            memory = body.get("autoPauseMemory")
            mode = {True: "full", False: "filesystem"}.get(memory) if memory is not None else None
            lifecycle["on_timeout"] = {"action": action, "mode": mode} if mode else action
        if isinstance(body.get("autoResume"), Mapping):
            lifecycle["auto_resume"] = body["autoResume"].get("enabled")
    network = body.get("network")
    return _call(
        "Sandbox.create",
        *given,
        timeout=body.get("timeout"),
        metadata=body.get("metadata") or None,
        envs=body.get("envVars") or None,
        allow_internet_access=body.get("allow_internet_access"),
        mcp=body.get("mcp"),
        network=None if network is None else _snake(network),
        lifecycle=lifecycle or None,
        volume_mounts=_mounts(body.get("volumeMounts")),
        idempotency_key=_header(record, "idempotency-key"),
    )


def _mounts(mounts: Any) -> dict[str, str] | None:
    return {each["path"]: each["name"] for each in mounts} if mounts else None


def _snake(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    return {
        re.sub(r"(?<=[a-z])([A-Z])", r"_\1", name).lower(): each for name, each in value.items()
    }


def _list(record: JournalRecord, body: Body) -> str:
    given = _query(record)
    query: dict[str, Any] = {}
    if "metadata" in given:
        # The SDK quotes names and values before it joins them.
        pairs = parse_qsl(given["metadata"], keep_blank_values=True)
        query["metadata"] = {unquote(name): unquote(value) for name, value in pairs}
    if "state" in given:
        query["state"] = [
            _Code(f"SandboxState.{state.upper()}") for state in given["state"].split(",")
        ]
    shown = _Code(_call("SandboxQuery", **query)) if query else None
    limit = int(given["limit"]) if "limit" in given else None
    paginator = _call("Sandbox.list", query=shown, limit=limit, next_token=given.get("nextToken"))
    return f"{paginator}.next_items()"


def _connect(record: JournalRecord, body: Body) -> str | None:
    if not _only(body, "timeout"):
        return None
    return _call("Sandbox.connect", record.sandbox_id, timeout=body.get("timeout"))


def _pause(record: JournalRecord, body: Body) -> str | None:
    if not _only(body, "memory"):
        return None
    memory = body.get("memory")
    mode = None if memory is None else "full" if memory else "filesystem"
    return _call("sandbox.pause", mode=mode)


def _metrics(record: JournalRecord, body: Body) -> str | None:
    return "sandbox.get_metrics()" if not _query(record) else None


def _list_snapshots(record: JournalRecord, body: Body) -> str:
    given = _query(record)
    paginator = _call(
        "Sandbox.list_snapshots",
        sandbox_id=given.get("sandboxID"),
        limit=int(given["limit"]) if "limit" in given else None,
        next_token=given.get("nextToken"),
    )
    return f"{paginator}.next_items()"


# -- processes -------------------------------------------------------------------------------------


def _start(record: JournalRecord, body: Body) -> str | None:
    process: Body = body["process"]
    envs, cwd = process.get("envs"), process.get("cwd") or None
    if "pty" in body:
        given = {
            name: value for name, value in (envs or {}).items() if _PTY_VARIABLES.get(name) != value
        }
        return _call(
            "sandbox.pty.create",
            _size(body["pty"]),
            user=_user(record),
            cwd=cwd,
            envs=given or None,
            timeout=_timeout(record),
        )
    command = shell_command([process["cmd"], *process.get("args", ())])
    if command is None or process.get("args", ())[:2] != ["-l", "-c"] or "tag" in body:
        return None
    stream = record.stream
    left = not record.is_open and stream is not None and "start" in stream.frames
    background = left and stream is not None and not stream.frames.keys() & {"end", "failure"}
    return _call(
        "sandbox.commands.run",
        command,
        background=True if background else None,
        envs=envs or None,
        user=_user(record),
        cwd=cwd,
        stdin=True if body.get("stdin", True) else None,
        timeout=_timeout(record),
    )


def _size(pty: Body) -> _Code:
    size = pty["size"]
    return _Code(_call("PtySize", rows=size.get("rows", 0), cols=size.get("cols", 0)))


def _pid(body: Body) -> int:
    return int(body["process"]["pid"])


def _connect_process(record: JournalRecord, body: Body) -> str:
    return _call("sandbox.commands.connect", _pid(body), timeout=_timeout(record))


def _send_input(record: JournalRecord, body: Body) -> str:
    given: Body = body["input"]
    if "pty" in given:
        return _call("sandbox.pty.send_stdin", _pid(body), base64.b64decode(given["pty"]))
    data = base64.b64decode(given["stdin"])
    try:
        return _call("sandbox.commands.send_stdin", _pid(body), data.decode())
    except UnicodeDecodeError:
        return _call("sandbox.commands.send_stdin", _pid(body), data)


def _send_signal(record: JournalRecord, body: Body) -> str | None:
    if body.get("signal") not in _SIGKILL:
        return None
    return _call("sandbox.commands.kill", _pid(body))


def _update(record: JournalRecord, body: Body) -> str:
    return _call("sandbox.pty.resize", _pid(body), _size(body["pty"]))


# -- files and code --------------------------------------------------------------------------------


def _of_path(method: str) -> Callable[[JournalRecord, Body], str]:
    def make(record: JournalRecord, body: Body) -> str:
        return _call(f"sandbox.files.{method}", body["path"], user=_user(record))

    return make


def _list_dir(record: JournalRecord, body: Body) -> str:
    depth = body.get("depth", 0)
    return _call(
        "sandbox.files.list",
        body["path"],
        depth=None if depth == 1 else depth,
        user=_user(record),
    )


def _move(record: JournalRecord, body: Body) -> str:
    return _call("sandbox.files.rename", body["source"], body["destination"], user=_user(record))


def _watch(record: JournalRecord, body: Body) -> str:
    return _call(
        "sandbox.files.watch_dir",
        body["path"],
        user=_user(record),
        recursive=body.get("recursive"),
        include_entry=body.get("includeEntry"),
        allow_network_mounts=body.get("allowNetworkMounts"),
    )


def _watch_async(record: JournalRecord, body: Body) -> str:
    watch = _watch(record, body)
    return f"await {watch[:-1]}, on_event=...)"


def _download(record: JournalRecord, body: Body) -> str:
    return _call("sandbox.files.read", _query(record)["path"], user=_user(record))


def _upload(record: JournalRecord, body: Body) -> str:
    given = _query(record)
    if "path" not in given:
        return "sandbox.files.write_files([...])"
    return _call("sandbox.files.write", given["path"], _Code("..."), user=_user(record))


def _execute(record: JournalRecord, body: Body) -> str:
    context = body.get("context_id")
    return _call(
        "sandbox.run_code",
        body["code"],
        language=body.get("language"),
        context=None if context is None else _Code(f'Context("{context}", language="", cwd="")'),
        envs=body.get("env_vars"),
    )


def _create_context(record: JournalRecord, body: Body) -> str:
    return _call("sandbox.create_code_context", cwd=body.get("cwd"), language=body.get("language"))


def _plain(text: str) -> Callable[[JournalRecord, Body], str]:
    return lambda record, body: text


_CALLS: Mapping[str, Callable[[JournalRecord, Body], str | None]] = {
    "createSandbox": _create,
    "listSandboxes": _list,
    "getSandbox": _plain("sandbox.get_info()"),
    "killSandbox": _plain("sandbox.kill()"),
    "connectSandbox": _connect,
    "pauseSandbox": _pause,
    "setSandboxTimeout": lambda record, body: _call("sandbox.set_timeout", body["timeout"]),
    "getSandboxMetrics": _metrics,
    "forkSandbox": lambda record, body: _call(
        "sandbox.fork", timeout=body.get("timeout"), count=body.get("count")
    ),
    "createSnapshot": lambda record, body: _call("sandbox.create_snapshot", name=body.get("name")),
    "listSnapshots": _list_snapshots,
    "deleteTemplate": lambda record, body: _call("Sandbox.delete_snapshot", _segment(record, 2)),
    "envd.health": _plain("sandbox.is_running()"),
    "Process.Start": _start,
    "Process.Connect": _connect_process,
    "Process.List": _plain("sandbox.commands.list()"),
    "Process.SendInput": _send_input,
    "Process.SendSignal": _send_signal,
    "Process.CloseStdin": lambda record, body: _call("sandbox.commands.close_stdin", _pid(body)),
    "Process.Update": _update,
    "Filesystem.Stat": _of_path("get_info"),
    "Filesystem.MakeDir": _of_path("make_dir"),
    "Filesystem.Remove": _of_path("remove"),
    "Filesystem.ListDir": _list_dir,
    "Filesystem.Move": _move,
    "Filesystem.CreateWatcher": _watch,
    "Filesystem.WatchDir": _watch_async,
    "Filesystem.GetWatcherEvents": _plain("watcher.get_new_events()"),
    "Filesystem.RemoveWatcher": _plain("watcher.stop()"),
    "files.download": _download,
    "files.upload": _upload,
    "execute": _execute,
    "listContexts": _plain("sandbox.list_code_contexts()"),
    "createContext": _create_context,
    "removeContext": lambda record, body: _call("sandbox.remove_code_context", _segment(record, 2)),
    "restartContext": lambda record, body: _call(
        "sandbox.restart_code_context", _segment(record, 2)
    ),
}
