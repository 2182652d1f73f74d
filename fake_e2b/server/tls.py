"""TLS of one fake: its certificate, the variables of those who are to trust it, their folder."""

from __future__ import annotations

import os
from pathlib import Path

from fake_e2b.runtime.run_folder import RunFolder
from fake_e2b.server.authority import process_authority, server_context
from fake_e2b.server.trust import CA_FILE, trust_variables


class Tls:
    """What one fake needs for TLS; `close` takes its files away.

    Args:
        domain: Whose names the certificate is for, without a port.
        address: The IP address on which the server listens.

    Raises:
        UsageError: No certificate can be made here.
    """

    def __init__(self, domain: str, address: str) -> None:
        self._owner_pid = os.getpid()
        authority = process_authority()
        self.context = server_context(authority, domain, address)
        self._folder = RunFolder()
        try:
            self._folder.sweep()
            self.ca_file = str(Path(self._folder.path, CA_FILE))
            """Holds the authority's certificate alone."""
            self.variables = trust_variables(
                os.environ, authority.certificate_pem, self._folder.path
            )
            """See `fake_e2b.server.trust`; the files they name live until `close`."""
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Remove the files; twice is fine. A forked child leaves them to its parent."""
        if os.getpid() == self._owner_pid:
            self._folder.close()
