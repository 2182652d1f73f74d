"""The in-sandbox daemon's state during one boot: users, paths, environment, token."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping

from fake_e2b.backend.processes import ProcessListener, ProcessTable
from fake_e2b.backend.spawning import as_known
from fake_e2b.backend.watchers import Watchers
from fake_e2b.domain.clock import Clock
from fake_e2b.domain.envd_errors import EnvdError, EnvdKind
from fake_e2b.domain.ids import IdSource
from fake_e2b.domain.ports import Guest
from fake_e2b.domain.setup import PLAIN, Setup
from fake_e2b.domain.user import ROOT, User

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""The daemon's own PATH, which commands start with."""
_RUN = "/run/e2b"
_IDENTITY = {"E2B_SANDBOX": 0o444, "E2B_SANDBOX_ID": 0o666, "E2B_TEMPLATE_ID": 0o666}
"""Variables that stand in files as well, and the modes of these."""


class Envd:
    """One daemon.

    Args:
        guest: The machine it runs on.
        access_token: What `X-Access-Token` must hold; None leaves every route open.
        env_vars: The variables given when the sandbox was created; every command gets them.
        setup: Whom requests mean that name nobody, and where commands start.
        on_process: Hears of every process.
        shown_clock: What it takes for the time of day, where that is not the right one.

    Attributes:
        env_vars: The global variables: those given, and the daemon's own `E2B_…`, which win.
        default_user: Whom RPCs without a Basic header run as.
        default_workdir: What the empty path means.
    """

    def __init__(
        self,
        guest: Guest,
        clock: Clock,
        ids: IdSource,
        *,
        sandbox_id: str,
        template_id: str,
        access_token: str | None,
        env_vars: Mapping[str, str],
        setup: Setup = PLAIN,
        on_process: ProcessListener | None = None,
        shown_clock: Clock | None = None,
    ) -> None:
        self.guest = guest
        self.clock = shown_clock or clock
        self.ids = ids
        self.access_token = access_token
        self.env_vars: dict[str, str] = {
            **env_vars,
            "E2B_SANDBOX": "true",
            "E2B_SANDBOX_ID": sandbox_id,
            "E2B_TEMPLATE_ID": template_id,
        }
        self.default_user = setup.user
        self.default_workdir = setup.workdir or self.user(None).home
        self.processes = ProcessTable(guest, clock, on_process)
        self.watchers = Watchers(guest.files, ids)

    def write_identity(self) -> None:
        """Write `/run/e2b/.E2B_…`, where programs without the daemon's variables find them.

        Raises:
            OSError: The guest's `/run` is in no state to hold them.

        Fact: envd.boot.identity-files
        """
        root, files = self.user(ROOT.name), self.guest.files
        try:
            files.mkdir(_RUN, 0o755, root)
        except FileNotFoundError:
            files.mkdir("/run", 0o755, root)
            files.mkdir(_RUN, 0o755, root)
        except FileExistsError:
            # An earlier boot's: on a real machine `/run` is in memory and gone.
            files.remove(_RUN)
            files.mkdir(_RUN, 0o755, root)
        for name, mode in _IDENTITY.items():
            with files.open_write(f"{_RUN}/.{name}", owner=root, mode=mode) as file:
                file.write(self.env_vars[name].encode())

    def user(self, name: str | None) -> User:
        """The user of that name; None means the default one.

        Raises:
            EnvdError: No such user, `UNKNOWN_USER`.

        Fact: envd.user.lookup
        """
        wanted = self.default_user if name is None else name
        user = self.guest.lookup_user(wanted)
        if user is None:
            raise EnvdError(EnvdKind.UNKNOWN_USER, name=wanted)
        return user

    def resolve_path(self, path: str, user: User) -> str:
        """The absolute path that a request's path means.

        Absolute paths stay as they are, uncleaned; relative ones start at the user's home, even
        where a default folder is set. Only the empty path means that folder.

        Raises:
            EnvdError: `path` names another user's home (``~name``), `FOREIGN_HOME`.

        Fact: envd.path.resolution
        """
        if path == "":
            path = self.default_workdir
        if path.startswith("/"):
            return path
        if path.startswith("~"):
            if path != "~" and not path.startswith("~/"):
                raise EnvdError(EnvdKind.FOREIGN_HOME, user=user.name)
            path = path[2:]
        return posixpath.normpath(f"{user.home}/{path}")

    def environment(self, user: User, request_envs: Mapping[str, str]) -> dict[str, str]:
        """A command's whole environment; nothing of the machine's own comes in.

        Fact: envd.process.environment.order
        """
        own = {"PATH": SYSTEM_PATH, "HOME": user.home, "USER": user.name, "LOGNAME": user.name}
        return as_known({**own, **self.env_vars, **request_envs})

    @property
    def watcher_count(self) -> int:
        """How many watchers collect events until they are asked for."""
        return len(self.watchers)

    async def close(self) -> None:
        """Close every watcher and forget every process; the guest ends the processes itself."""
        self.watchers.close()
        self.processes.clear()
