"""What each kind of step does to a build's guest and to the context of those that follow.

Fact: templates.build.steps
"""

from __future__ import annotations

import asyncio
import posixpath
import re
import shlex
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from fake_e2b.backend.spawning import go_reason
from fake_e2b.domain.build import BuildFailedError, Context, Step
from fake_e2b.domain.envd_errors import EnvdError
from fake_e2b.domain.file_ports import parents
from fake_e2b.domain.ports import Guest
from fake_e2b.domain.services import SERVICES
from fake_e2b.domain.user import ROOT, User
from fake_e2b.server.builder.archives import Archives
from fake_e2b.server.builder.commands import Hear, run
from fake_e2b.server.builder.inspect_archive import ArchiveError
from fake_e2b.server.builder.unpack import Copy, SourceMissingError, unpack
from fake_e2b.wire.envd_errors import rpc_failure
from fake_e2b.wire.process_events import status_of

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_MODE = re.compile(r"0*[0-7]{0,4}")
_HOMES = re.compile(r"(?m)^([^=\n]+)=(.*)$")


@dataclass(frozen=True, slots=True)
class Kitchen:
    """Where a build's steps are done.

    Attributes:
        number: Of the step, from 1, as the API names it.
        hear: Is told what commands say.
    """

    guest: Guest
    archives: Archives
    team_id: str
    number: str
    hear: Hear

    def fail(self, message: str) -> BuildFailedError:
        """The failure of this step."""
        return BuildFailedError(message, self.number)

    def user(self, name: str) -> User:
        """The guest's user of that name.

        Raises:
            BuildFailedError: There is none.
        """
        found = self.guest.lookup_user(name)
        if found is None:
            raise self.fail(f"user: unknown user {name}")
        return found


async def do(step: Step, context: Context, kitchen: Kitchen) -> Context:
    """Do a step; returns the context of the next one.

    Raises:
        BuildFailedError: It failed.
    """
    doing = _KINDS.get(step.kind.upper())
    if doing is None:
        raise kitchen.fail(
            f"failed to get command for step {step.shown}: command type {step.kind} is not "
            "implemented"
        )
    return await doing(step, context, kitchen)


async def install(services: Iterable[str], context: Context, kitchen: Kitchen) -> Context:
    """Do what the scripts of packages with services would; returns the context with them.

    Raises:
        BuildFailedError: It failed.
    """
    new = [name for name in sorted(services) if name not in context.services]
    for name in new:
        await _succeed(SERVICES[name].install, ROOT, Context(), kitchen)
    return replace(context, services=(*context.services, *new))


def touches_files(step: Step) -> bool:
    """Whether a step may change the guest's files."""
    return step.kind.upper() not in ("ENV", "ARG")


def runs_programs(step: Step) -> bool:
    """Whether a step runs programs of the guest's."""
    return step.kind.upper() in ("RUN", "USER")


async def _run(step: Step, context: Context, kitchen: Kitchen) -> Context:
    if not step.args or not step.args[0]:
        raise kitchen.fail("RUN requires command argument")
    text = step.args[0]
    name = step.args[1] if len(step.args) > 1 and step.args[1] else context.user
    await _succeed(text, kitchen.user(name), context, kitchen)
    return context


async def _succeed(text: str, user: User, context: Context, kitchen: Kitchen) -> None:
    try:
        ended = await run(
            kitchen.guest,
            text,
            user=user,
            workdir=context.workdir,
            env_vars=context.env_vars,
            hear=kitchen.hear,
        )
    except EnvdError as error:
        said = rpc_failure(error).message
        raise kitchen.fail(f"failed to run command '{text}': {said}") from error
    if ended.code != 0:
        raise kitchen.fail(f"failed to run command '{text}': {status_of(ended)}")


async def _copy(step: Step, context: Context, kitchen: Kitchen) -> Context:
    args = [*step.args, "", "", ""]
    if len(step.args) < 2:
        raise kitchen.fail("COPY requires a local path and a container path argument")
    if not step.files_hash:
        raise kitchen.fail("COPY requires files hash to be set")
    if not _MODE.fullmatch(args[3]):
        # The text is ours, after chmod's.
        raise kitchen.fail(f"failed to move files in sandbox: invalid mode: '{args[3]}'")
    mode = int(args[3], 8) if args[3] else None
    owner = kitchen.user(args[2].partition(":")[0] or context.user)
    archive = kitchen.archives.open(kitchen.team_id, step.files_hash)
    if archive is None:
        raise kitchen.fail(
            "failed to open files object from storage: object does not exist: "
            f"{step.files_hash}.tar"
        )
    home = kitchen.user(context.user).home
    target = posixpath.join(context.workdir or home, args[1])
    with archive:
        try:
            copy = Copy(args[0], target, owner, mode)
            await _aside(lambda stopped: unpack(archive, kitchen.guest.files, copy, stopped))
        except SourceMissingError as error:
            kitchen.hear("stderr", f"Error: source path does not exist: {error}")
            raise kitchen.fail("failed to move files in sandbox: exit status 1") from error
        except ArchiveError as error:
            raise kitchen.fail(f"failed to extract files: {error}") from error
        except OSError as error:
            raise kitchen.fail(f"failed to move files in sandbox: {go_reason(error)}") from error
    return context


async def _aside(work: Callable[[Callable[[], bool]], object]) -> None:
    """Do what blocks in a thread; cancelled, it is told so and waited for: it needs the guest."""
    stopped = threading.Event()
    working = asyncio.ensure_future(asyncio.to_thread(work, stopped.is_set))
    try:
        await asyncio.shield(working)
    except asyncio.CancelledError:
        stopped.set()
        await asyncio.wait([working])
        if not working.cancelled():
            working.exception()  # seen: it would be complained of
        raise


async def _env(step: Step, context: Context, kitchen: Kitchen) -> Context:
    if not step.args:
        raise kitchen.fail("ENV does not support passing no arguments")
    if len(step.args) % 2:
        raise kitchen.fail("ENV requires both a key and value arguments")
    pairs = dict(zip(step.args[::2], step.args[1::2], strict=True))
    if any("$" in value for value in pairs.values()):
        known = await _login_environment(kitchen)
        pairs = {name: _expanded(value, known) for name, value in pairs.items()}
    return replace(context, env_vars={**context.env_vars, **pairs})


async def _login_environment(kitchen: Kitchen) -> Mapping[str, str]:
    """What root's login shell knows; earlier steps' variables are not among it."""
    said: list[str] = []
    ended = await run(
        kitchen.guest,
        "env",
        user=ROOT,
        workdir=None,
        env_vars={},
        hear=lambda _, line: said.append(line),
    )
    if ended.code != 0:
        raise kitchen.fail(f"failed to evaluate variables: {status_of(ended)}")
    return dict(_HOMES.findall("\n".join(said)))


def _expanded(value: str, known: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda found: known.get(found[1] or found[2], ""), value)


async def _workdir(step: Step, context: Context, kitchen: Kitchen) -> Context:
    if not step.args or not step.args[0]:
        raise kitchen.fail("WORKDIR requires a path argument")
    path = posixpath.normpath(posixpath.join(context.workdir or "/", step.args[0]))
    owner = kitchen.user(context.user)
    files = kitchen.guest.files
    for folder in [*parents(path), path]:
        try:
            files.mkdir(folder, 0o755, owner)
        except FileExistsError:
            continue
        except OSError as error:
            reason = go_reason(error)
            raise kitchen.fail(f"failed to create workdir {path}: {reason}") from error
    return replace(context, workdir=path)


async def _user(step: Step, context: Context, kitchen: Kitchen) -> Context:
    if not step.args or not step.args[0]:
        raise kitchen.fail("USER requires a username argument")
    name = step.args[0].partition(":")[0]
    if kitchen.guest.lookup_user(name) is None:
        text = f"useradd --create-home --shell /bin/bash {shlex.quote(name)}"
        await _succeed(text, ROOT, Context(), kitchen)
        kitchen.user(name)
    return replace(context, user=name)


_Doing = Callable[[Step, Context, Kitchen], Awaitable[Context]]
_KINDS: Mapping[str, _Doing] = {
    "RUN": _run,
    "COPY": _copy,
    "ADD": _copy,
    "ENV": _env,
    "ARG": _env,
    "WORKDIR": _workdir,
    "USER": _user,
}
