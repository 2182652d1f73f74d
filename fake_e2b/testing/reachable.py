"""How clients find a fake that runs: its address and names, its keys and tokens."""

from __future__ import annotations

import os
from dataclasses import dataclass

from fake_e2b.domain.errors import UsageError
from fake_e2b.server.app import Fake
from fake_e2b.server.host import ServerThread
from fake_e2b.server.settings import Address
from fake_e2b.testing.environment import completed


@dataclass(frozen=True, slots=True)
class Started:
    """A fake's parts, between its start and its stop; `ca_file` is None without TLS."""

    fake: Fake
    thread: ServerThread
    address: Address
    ca_file: str | None


class Reachable:
    """What `FakeE2B` says of the way to it; all of it raises `UsageError` while it is stopped."""

    _running: Started | None = None

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._started().address.port

    @property
    def url(self) -> str:
        """``http://<address>:<port>``, for the API and for sandbox traffic alike."""
        return self._started().address.url

    @property
    def domain(self) -> str:
        """What stands behind ``<port>-<sandboxID>.`` in the host names of sandboxes."""
        return self._started().address.domain

    @property
    def names_below(self) -> tuple[str, ...]:
        """The domains whose names clients here take for this machine."""
        return self._started().address.names_below

    @property
    def ca_file(self) -> str | None:
        """A file with the certificate of the authority that signed this fake's; None without TLS.

        It lives as long as the fake runs. Clients in this block trust it already.
        """
        return self._started().ca_file

    @property
    def api_key(self) -> str:
        """A valid key: `e2b_` and 40 hexadecimal digits."""
        return self._fake().api_key

    @property
    def access_token(self) -> str:
        """A valid personal access token: `sk_e2b_` and 40 hexadecimal digits."""
        return self._fake().access_token

    @property
    def user_token(self) -> str:
        """What a user who has signed in sends as ``Authorization: Bearer``, with `X-Team-ID`."""
        return self._fake().user_token

    @property
    def admin_token(self) -> str:
        """What an administrator sends as `X-Admin-Token`."""
        return self._fake().admin_token

    @property
    def team_id(self) -> str:
        """The ID of the team to which `api_key` belongs."""
        return self._fake().team_id

    def env(self) -> dict[str, str]:
        """The variables by which E2B's clients find this fake, and only this fake.

        `E2B_DOMAIN` leads back here as well, so a client that ignores the URLs fails instead of
        reaching the real service. With TLS it is the only way here, and the variables by which
        programs trust certificates come along, joined with what they hold now. `NODE_OPTIONS` and
        `PYTHONPATH` let the programs that get them find ``*.localhost`` names. Where this process
        uses an HTTP proxy, loopback is added to `NO_PROXY`.
        """
        return completed(self._fake().env, os.environ)

    def _fake(self) -> Fake:
        return self._started().fake

    def _thread(self) -> ServerThread:
        return self._started().thread

    def _fake_and_thread(self) -> tuple[Fake, ServerThread]:
        started = self._started()
        return started.fake, started.thread

    def _started(self) -> Started:
        if self._running is None:
            raise UsageError("this fake is not running; use it between start() and stop()")
        return self._running
