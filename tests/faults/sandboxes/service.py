"""A web server inside a sandbox."""

from __future__ import annotations

from e2b import Sandbox

_SERVER = (
    "import http.server as h; s = h.HTTPServer(('127.0.0.1', 0), h.SimpleHTTPRequestHandler);"
    " print(s.server_port, flush=True); s.serve_forever()"
)


def serve() -> tuple[Sandbox, int]:
    """A new sandbox that serves its files, and the port."""
    sandbox = Sandbox.create()
    command = sandbox.commands.run(f'python3 -c "{_SERVER}"', background=True)
    for stdout, _, _ in command:
        if stdout:
            return sandbox, int(stdout)
    raise AssertionError("the server ended")
