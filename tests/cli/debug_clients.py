"""Serves a fake with debug ports and runs a client, in a network of their own.

python debug_clients.py with-urls|alone CLIENT…
"""

import os
import shlex
import signal
import subprocess
import sys

SERVE = [sys.executable, "-m", "fake_e2b", "serve", "--debug-ports"]


def main(kind, *client):
    with subprocess.Popen(SERVE, stdout=subprocess.PIPE, text=True) as server:
        variables = {}
        while "E2B_DEBUG" not in variables:
            name, _, value = shlex.split(server.stdout.readline())[1].partition("=")
            variables[name] = value
        if kind == "alone":
            variables = {"E2B_API_KEY": variables["E2B_API_KEY"]}
        environment = {"PATH": os.environ["PATH"], **variables, "E2B_DEBUG": "true"}
        status = subprocess.run(client, env=environment, timeout=60).returncode
        server.send_signal(signal.SIGTERM)
        return status or server.wait(30)


sys.exit(main(*sys.argv[1:]))
