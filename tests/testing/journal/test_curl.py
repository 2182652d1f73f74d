"""`record.as_curl()`: a real shell and a real curl make the same request again."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable

import httpx
import pytest
from e2b import PtySize
from e2b_code_interpreter import Sandbox

from fake_e2b import FakeE2B
from fake_e2b.domain.journal import JournalRecord, RecordKind

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")


def run(fake: FakeE2B, record: JournalRecord, sandbox: Sandbox | None = None, **more: str) -> str:
    """Paste the command into a shell that knows the secrets."""
    variables = {**fake.env(), "PATH": "/usr/bin:/bin", **more}
    if sandbox is not None:
        variables["E2B_ENVD_ACCESS_TOKEN"] = sandbox._envd_access_token or ""
    command = record.as_curl().replace("curl ", "curl -sS --max-time 20 ", 1)
    done = subprocess.run(
        ["/bin/sh", "-c", command], env=variables, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, (command, done.stderr)
    return done.stdout


def last(fake: FakeE2B, operation: str) -> JournalRecord:
    return fake.journal.records(operation=operation, last=1)[0]


CALLS: dict[str, Callable[[Sandbox], object]] = {
    "createSandbox": lambda s: Sandbox.create(metadata={"it's": 'a "b" $HOME `x` é'}),
    "listSandboxes": lambda s: Sandbox.list(limit=5).next_items(),
    "getSandbox": lambda s: s.get_info(),
    "setSandboxTimeout": lambda s: s.set_timeout(77),
    "envd.health": lambda s: s.is_running(),
    "Process.Start": lambda s: s.commands.run('echo it\\\'s "$A"; whoami', envs={"A": "é"}),
    "Filesystem.Stat": lambda s: s.files.exists("/tmp/a b"),
    "Filesystem.ListDir": lambda s: s.files.list("/", user="root"),
    "files.download": lambda s: s.files.read("a b.txt"),
    "execute": lambda s: s.run_code("print('a\\tb')\n1 + 1"),
    "killSandbox": lambda s: s.kill(),
}


@pytest.mark.parametrize("operation", CALLS)
def test_a_request_is_made_again(fake: FakeE2B, sandbox: Sandbox, operation: str) -> None:
    sandbox.files.write("a b.txt", "text")
    CALLS[operation](sandbox)
    record = last(fake, operation)
    answer = run(fake, record, sandbox)
    again = last(fake, operation)
    assert again.sequence > record.sequence
    assert (again.method, again.path, again.body) == (record.method, record.path, record.body)
    if operation != "killSandbox":
        assert again.status == record.status, answer
    secret = sandbox._envd_access_token or "-"
    assert fake.api_key not in record.as_curl()
    assert secret not in record.as_curl()


def test_it_reads_as_one_would_write_it(fake: FakeE2B) -> None:
    headers = {"X-API-Key": fake.api_key, "Accept": "application/json", "User-Agent": "me"}
    httpx.post(f"{fake.url}/sandboxes", headers=headers, json={"templateID": "base"})
    [create] = fake.journal.records(kind=RecordKind.REQUEST)
    command, *given = create.as_curl().split(" -H ")
    given[-1], _, body = given[-1].partition(" --data-binary ")
    assert command == f"curl -X POST {fake.url}/sandboxes"
    assert sorted(given) == [
        '"x-api-key: $E2B_API_KEY"',
        "'accept: application/json'",
        "'content-type: application/json'",
        "'user-agent: me'",
    ]
    assert body == """'{"templateID":"base"}'"""


def test_secrets_in_bodies_are_variables(fake: FakeE2B, sandbox: Sandbox) -> None:
    sandbox.commands.run("echo $OPENAI_API_KEY", envs={"OPENAI_API_KEY": "sk-0123456789abcdef"})
    record = last(fake, "Process.Start")
    assert "$OPENAI_API_KEY" in record.as_curl()
    run(fake, record, sandbox, OPENAI_API_KEY="another-secret-of-mine")
    assert last(fake, "Process.Start").stdout == "another-secret-of-mine\n"
    Sandbox.create(envs={"apiToken": "0123456789abcdef"})
    run(fake, last(fake, "createSandbox"), API_TOKEN="another-one-of-mine!")
    made = last(fake, "createSandbox")
    assert made.json["envVars"] == {"apiToken": "****ine!"}


def test_signed_urls_are_made_again(fake: FakeE2B, sandbox: Sandbox) -> None:
    sandbox.files.write("a.txt", "text")
    signed = sandbox.download_url("a.txt", use_signature_expiration=600)
    assert httpx.get(signed).text == "text"
    record = last(fake, "files.download")
    assert '"$E2B_SIGNATURE"' in record.as_curl()
    signature = httpx.URL(signed).params["signature"]
    quoted = signed.partition("signature=")[2].partition("&")[0]
    assert run(fake, record, E2B_SIGNATURE=quoted) == "text", signature


def test_what_cannot_be_made_again_says_so(fake: FakeE2B, sandbox: Sandbox) -> None:
    sandbox.files.write("a.txt", "text")
    upload = last(fake, "files.upload").as_curl()
    assert "--data-binary @BODY" in upload
    assert "# its body was not kept:" in upload
    created = last(fake, "created")
    assert created.as_curl() == "# created is no request"
    terminal = sandbox.pty.create(PtySize(rows=10, cols=20))
    assert "printf '\\000" in last(fake, "Process.Start").as_curl()
    terminal.kill()
    with httpx.Client() as client:
        client.head(f"{fake.url}/health")
    assert last(fake, "getHealth").as_curl().startswith("curl --head ")
