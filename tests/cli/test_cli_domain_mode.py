"""`--tls` and `--domain`: what the commands print is all that a client needs."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from fake_e2b.cli.main import main
from fake_e2b.server.trust import TRUST
from tests.cli.test_cli_serve import read_variables
from tests.helpers.script import run_script, started_script
from tests.helpers.waiting import wait_until

URLS = ("E2B_API_URL", "E2B_SANDBOX_URL", "E2B_VOLUME_API_URL")
USE = """
from e2b import Sandbox
sandbox = Sandbox.create()
sandbox.files.write("a", "text")
print(sandbox.commands.run("cat a").stdout, sandbox.get_host(3000), sandbox.download_url("a"))
sandbox.kill()
"""


def used_by(variables):
    """What a program does with the fake that it finds by these variables, and nothing else."""
    ended = subprocess.run(
        [sys.executable, "-c", USE],
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.split()


def test_the_domain_that_serve_prints_is_enough():
    with started_script("serve", "--tls", "--domain", "e2b.localhost", "--port", "0") as process:
        variables = read_variables(process)
        assert variables["E2B_DOMAIN"].startswith("e2b.localhost:")
        assert [variables[name] for name in URLS] == ["", "", ""]
        text, host, link = used_by(
            {name: value for name, value in variables.items() if name not in URLS}
        )
        assert (text, host.partition(".")[2]) == ("text", variables["E2B_DOMAIN"])
        assert link.startswith("https://49983-")
        process.terminate()
        notes = process.communicate(timeout=30)[1]
    assert f"https://api.{variables['E2B_DOMAIN']}" in notes
    assert not [name for name in TRUST if Path(variables[name]).exists()]


def test_what_a_killed_server_left_is_gone_with_the_next_start():
    with started_script("serve", "--tls", "--port", "0") as process:
        left = Path(read_variables(process)["SSL_CERT_FILE"]).parent
        assert left.is_dir()
        process.kill()
        process.wait(30)
    with started_script("serve", "--tls", "--port", "0") as process:
        read_variables(process)
        wait_until(lambda: not left.exists())
        process.terminate()
        process.wait(30)


def test_run_gives_the_same():
    ended = run_script("run", "--tls", "--", sys.executable, "-c", USE)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("text 3000-")


def test_env_asks_a_server_that_takes_both(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("PYTHONPATH", "mine")
    with started_script("serve", "--tls", "--port", "0") as process:
        variables = read_variables(process)
        port = variables["E2B_DOMAIN"].partition(":")[2]
        assert main(["env", "--port", port, "--shell", "json"]) == 0
        said = json.loads(capsys.readouterr().out)
        assert {**said, "PYTHONPATH": ""} == {**variables, "PYTHONPATH": ""}
        assert said["PYTHONPATH"].endswith(os.pathsep + "mine")
        assert used_by(said)[0] == "text"
        # On another machine the server's files are not there.
        monkeypatch.setattr("fake_e2b.cli.env.TRUST", ())
        Path(variables["SSL_CERT_FILE"]).unlink()
        monkeypatch.undo()
        assert main(["env", "--port", port, "--shell", "json"]) == 0
        remote = capsys.readouterr()
        assert "SSL_CERT_FILE" not in json.loads(remote.out)
        assert "will not trust it" in remote.err
        process.terminate()
        process.wait(30)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl_trusts_it():
    with started_script("serve", "--tls", "--port", "0") as process:
        variables = read_variables(process)
        ended = subprocess.run(
            ["curl", "-fsS", "--noproxy", "*", f"https://api.{variables['E2B_DOMAIN']}/health"],
            env={"PATH": os.environ["PATH"], **variables},
            capture_output=True,
            text=True,
            timeout=30,
        )
        process.terminate()
        process.wait(30)
    assert ended.returncode == 0, ended.stderr


def test_a_shell_that_reads_the_lines_trusts_what_it_did(tmp_path):
    with started_script("serve", "--tls", "--port", "0") as process:
        variables = read_variables(process)
        trusted = ssl.create_default_context(cafile=variables["SSL_CERT_FILE"]).get_ca_certs()
        before = ssl.create_default_context().get_ca_certs()
        process.terminate()
        process.wait(30)
    assert len(trusted) == len(before) + 1


@pytest.mark.parametrize("domain", ["localhost", "x_y.z", ""])
def test_what_is_no_domain_is_refused(domain):
    ended = run_script("serve", "--port", "0", "--domain", domain)
    assert ended.returncode == 2
    assert "is no domain" in ended.stderr


def test_without_tls_the_urls_lead():
    ended = run_script("run", "--no-tls", "--domain", "fake.test:8443", "--", "env")
    variables = dict(line.partition("=")[::2] for line in ended.stdout.splitlines())
    assert variables["E2B_DOMAIN"] == "fake.test:8443"
    assert variables["E2B_API_URL"].startswith("http://127.0.0.1:")
    assert shlex.split(variables["NODE_OPTIONS"])
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(variables["E2B_API_URL"], timeout=10)
