"""The client steps in Python, written once for the plain and the asynchronous SDK.

The two SDKs have the same calls, and those of one are awaited. So each step is a coroutine that
awaits what has to be; with the plain SDK it never waits in the loop's sense and runs in one go.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from e2b import CommandExitException, SandboxQuery, SandboxState
from e2b.sandbox.commands.command_handle import PtySize

from fake_e2b.scenario.drivers.port import DriverError, Outcome, Raised
from fake_e2b.scenario.drivers.watching import Watch
from fake_e2b.scenario.story import Table

OPTIONS: Mapping[str, str] = {
    "E2B_API_KEY": "api_key",
    "E2B_API_URL": "api_url",
    "E2B_SANDBOX_URL": "sandbox_url",
    "E2B_DOMAIN": "domain",
}
"""The SDK's options for the variables by which a server is found."""


@dataclass(slots=True)
class _Listened:
    """A command or terminal, and what it puts out."""

    pid: int
    handle: Any
    watch: Watch


@dataclass(slots=True)
class _Listing:
    paginator: Any
    seen: set[str] = field(default_factory=set)


class PythonSteps:
    """Performs steps with `sandbox_class` of one of the two SDKs.

    Args:
        make_watch: For the output of one command or terminal.
        variables: By which the server is found; what is absent comes from the environment.
    """

    def __init__(
        self, sandbox_class: Any, make_watch: Callable[[], Watch], variables: Mapping[str, str]
    ) -> None:
        self._class = sandbox_class
        self._make_watch = make_watch
        self._server = {
            option: variables[name] for name, option in OPTIONS.items() if variables.get(name)
        }
        self._ids: dict[str, str] = {}
        self._boxes: dict[str, Any] = {}
        self._processes: dict[str, _Listened] = {}
        self._terminals: dict[str, _Listened] = {}
        self._pages: dict[str, _Listing] = {}

    async def perform(self, do: str, arguments: Table) -> Outcome:
        """Play one step.

        Raises:
            DriverError: It stands in a wrong place, or what it waits for never comes.
        """
        step = getattr(self, f"_do_{do}")
        try:
            shown = await step(**arguments)
        except DriverError:
            raise
        except Exception as error:
            classes = [each.__name__ for each in type(error).__mro__ if each is not object]
            return Outcome(raised=Raised(tuple(classes), str(error)))
        return Outcome(shown=shown or {})

    # -- sandboxes -------------------------------------------------------------------------------

    async def _do_adopt(self, sandboxes: Mapping[str, str]) -> None:
        self._ids.update(sandboxes)

    async def _do_clean_up(self) -> None:
        for sandbox_id in self._ids.values():
            await _value(self._class.kill(sandbox_id, **self._server))

    async def _do_create(
        self,
        sandbox: str,
        template: str = "base",
        on_timeout: str | None = None,
        auto_resume: bool | None = None,
        **arguments: Any,
    ) -> Table:
        if on_timeout is not None:
            arguments["lifecycle"] = {"on_timeout": on_timeout}
            if auto_resume is not None:
                arguments["lifecycle"]["auto_resume"] = auto_resume
        box = await _value(self._class.create(template, **{**self._server, **arguments}))
        return self._have(sandbox, box)

    async def _do_connect(self, sandbox: str, **arguments: Any) -> Table:
        box = await _value(self._class.connect(self._id(sandbox), **arguments, **self._server))
        return self._have(sandbox, box)

    async def _do_info(self, sandbox: str) -> Table:
        info = await _value(self._class.get_info(self._id(sandbox), **self._server))
        return {"state": info.state.value, "metadata": dict(info.metadata)}

    async def _do_is_running(self, sandbox: str) -> Table:
        box = await self._box(sandbox)
        return {"running": await _value(box.is_running())}

    async def _do_set_timeout(self, sandbox: str, timeout: int) -> None:
        await _value(self._class.set_timeout(self._id(sandbox), timeout, **self._server))

    async def _do_pause(self, sandbox: str) -> Table:
        return {"paused": await _value(self._class.pause(self._id(sandbox), **self._server))}

    async def _do_kill(self, sandbox: str) -> Table:
        return {"killed": await _value(self._class.kill(self._id(sandbox), **self._server))}

    async def _do_snapshot(self, sandbox: str, name: str | None = None) -> Table:
        kept = await _value(self._class.create_snapshot(self._id(sandbox), name, **self._server))
        return {"snapshot_id": kept.snapshot_id}

    async def _do_page(self, pages: str, limit: int | None = None, **query: Any) -> Table:
        listing = self._pages.get(pages)
        if listing is None:
            listing = _Listing(self._class.list(self._query(**query), limit, **self._server))
            self._pages[pages] = listing
        found = [each.sandbox_id for each in await _value(listing.paginator.next_items())]
        listing.seen.update(found)
        names = {sandbox_id: name for name, sandbox_id in self._ids.items()}
        return {
            "count": len(found),
            "sandboxes": [names.get(sandbox_id, sandbox_id) for sandbox_id in found],
            "more": listing.paginator.has_next,
            "seen": len(listing.seen),
        }

    async def _do_kill_listed(self, **query: Any) -> Table:
        paginator = self._class.list(self._query(**query), **self._server)
        found = []
        while paginator.has_next:
            found += await _value(paginator.next_items())
        killed = [await _value(self._class.kill(each.sandbox_id, **self._server)) for each in found]
        return {"killed": sum(killed)}

    def _query(
        self, metadata: dict[str, str] | None = None, state: list[str] | None = None
    ) -> SandboxQuery:
        states = [SandboxState(each) for each in state] if state else None
        return SandboxQuery(metadata=metadata, state=states)

    def _have(self, name: str, box: Any) -> Table:
        self._boxes[name] = box
        self._ids[name] = box.sandbox_id
        return {"sandbox_id": box.sandbox_id}

    def _id(self, name: str) -> str:
        if name not in self._ids:
            raise DriverError(f"the sandbox {name!r} was not made")
        return self._ids[name]

    async def _box(self, name: str) -> Any:
        if name not in self._boxes:
            await self._do_connect(name)
        return self._boxes[name]

    # -- commands --------------------------------------------------------------------------------

    async def _do_run(self, sandbox: str, command: str, **arguments: Any) -> Table:
        box = await self._box(sandbox)
        return await _result(lambda: box.commands.run(command, **arguments))

    async def _do_start(self, sandbox: str, process: str, command: str, **arguments: Any) -> Table:
        box, watch = await self._box(sandbox), self._make_watch()
        handle = await _value(
            box.commands.run(
                command, background=True, **watch.callbacks(terminal=False), **arguments
            )
        )
        return _listen(self._processes, process, handle, watch)

    async def _do_output(self, sandbox: str, process: str, text: str) -> None:
        await _value(self._process(process).watch.until(text))

    async def _do_send(self, sandbox: str, process: str, text: str) -> None:
        box = await self._box(sandbox)
        await _value(box.commands.send_stdin(self._process(process).pid, text))

    async def _do_close_input(self, sandbox: str, process: str) -> None:
        box = await self._box(sandbox)
        await _value(box.commands.close_stdin(self._process(process).pid))

    async def _do_finish(self, sandbox: str, process: str) -> Table:
        return await _result(self._process(process).handle.wait)

    async def _do_disconnect(self, sandbox: str, process: str) -> None:
        await _value(self._process(process).handle.disconnect())

    async def _do_reconnect(self, sandbox: str, process: str, **arguments: Any) -> None:
        box, watch = await self._box(sandbox), self._make_watch()
        pid = self._process(process).pid
        handle = await _value(
            box.commands.connect(pid, **watch.callbacks(terminal=False), **arguments)
        )
        _listen(self._processes, process, handle, watch)

    async def _do_stop(self, sandbox: str, process: str) -> Table:
        box = await self._box(sandbox)
        return {"killed": await _value(box.commands.kill(self._process(process).pid))}

    async def _do_run_code(self, sandbox: str, code: str, **arguments: Any) -> Table:
        box = await self._box(sandbox)
        if not hasattr(box, "run_code"):
            raise DriverError(
                "run_code needs the code interpreter: pip install e2b-code-interpreter"
            )
        execution = await _value(box.run_code(code, **arguments))
        return {
            "text": execution.text or "",
            "stdout": "".join(execution.logs.stdout),
            "stderr": "".join(execution.logs.stderr),
            "error": execution.error.name if execution.error else "",
            "results": len(execution.results),
        }

    async def _do_processes(self, sandbox: str) -> Table:
        box = await self._box(sandbox)
        found = await _value(box.commands.list())
        return {
            "count": len(found),
            "commands": [each.args[-1] if each.args else each.cmd for each in found],
        }

    def _process(self, name: str) -> _Listened:
        if name not in self._processes:
            raise DriverError(f"the command {name!r} was not started")
        return self._processes[name]

    # -- terminals -------------------------------------------------------------------------------

    async def _do_terminal(
        self, sandbox: str, terminal: str, cols: int, rows: int, **arguments: Any
    ) -> Table:
        box, watch = await self._box(sandbox), self._make_watch()
        handle = await _value(
            box.pty.create(
                size=PtySize(rows=rows, cols=cols), **watch.callbacks(terminal=True), **arguments
            )
        )
        return _listen(self._terminals, terminal, handle, watch)

    async def _do_type(self, sandbox: str, terminal: str, text: str) -> None:
        box = await self._box(sandbox)
        await _value(box.pty.send_stdin(self._tty(terminal).pid, text.encode()))

    async def _do_see(self, sandbox: str, terminal: str, text: str) -> None:
        await _value(self._tty(terminal).watch.until(text))

    async def _do_resize(self, sandbox: str, terminal: str, cols: int, rows: int) -> None:
        box = await self._box(sandbox)
        await _value(box.pty.resize(self._tty(terminal).pid, PtySize(rows=rows, cols=cols)))

    async def _do_leave(self, sandbox: str, terminal: str) -> Table:
        result = await _result(self._tty(terminal).handle.wait)
        return {"exit_code": result["exit_code"]}

    async def _do_detach(self, sandbox: str, terminal: str) -> None:
        await _value(self._tty(terminal).handle.disconnect())

    async def _do_reattach(self, sandbox: str, terminal: str, **arguments: Any) -> None:
        box, watch = await self._box(sandbox), self._make_watch()
        pid = self._tty(terminal).pid
        handle = await _value(box.pty.connect(pid, **watch.callbacks(terminal=True), **arguments))
        _listen(self._terminals, terminal, handle, watch)

    def _tty(self, name: str) -> _Listened:
        if name not in self._terminals:
            raise DriverError(f"the terminal {name!r} was not opened")
        return self._terminals[name]

    # -- files -----------------------------------------------------------------------------------

    async def _do_write(self, sandbox: str, path: str, text: str) -> Table:
        box = await self._box(sandbox)
        return {"path": (await _value(box.files.write(path, text))).path}

    async def _do_read(self, sandbox: str, path: str) -> Table:
        box = await self._box(sandbox)
        return {"text": await _value(box.files.read(path))}

    async def _do_exists(self, sandbox: str, path: str) -> Table:
        box = await self._box(sandbox)
        return {"exists": await _value(box.files.exists(path))}

    async def _do_list_files(self, sandbox: str, path: str) -> Table:
        box = await self._box(sandbox)
        return {"names": [each.name for each in await _value(box.files.list(path))]}

    async def _do_remove(self, sandbox: str, path: str) -> None:
        box = await self._box(sandbox)
        await _value(box.files.remove(path))

    async def _do_download_url(self, sandbox: str, path: str, expires: int | None = None) -> Table:
        box = await self._box(sandbox)
        return {"url": await _value(box.download_url(path, use_signature_expiration=expires))}

    async def _do_upload_url(self, sandbox: str, path: str, expires: int | None = None) -> Table:
        box = await self._box(sandbox)
        return {"url": await _value(box.upload_url(path, use_signature_expiration=expires))}


async def _value(given: Any) -> Any:
    return await given if inspect.isawaitable(given) else given


async def _result(ending: Callable[[], Any]) -> Table:
    """What a command ended with, exit statuses other than 0 included."""
    try:
        ended = await _value(ending())
    except CommandExitException as failed:
        ended = failed
    return {"stdout": ended.stdout, "stderr": ended.stderr, "exit_code": ended.exit_code}


def _listen(there: dict[str, _Listened], name: str, handle: Any, watch: Watch) -> Table:
    watch.listen(handle)
    there[name] = _Listened(handle.pid, handle, watch)
    return {"pid": handle.pid}
