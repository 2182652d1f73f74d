"""Sandboxes from templates of one's own, by the published SDK, on both runtimes."""

from __future__ import annotations

from pathlib import Path

import pytest
from e2b import AsyncSandbox, PtySize, Sandbox
from e2b.exceptions import SandboxException

from fake_e2b import FakeE2B, SandboxTemplate, TemplateFile, UsageError
from fake_e2b.domain.ports import Capability


def holds(fake: FakeE2B, capability: Capability) -> bool:
    return capability in fake._fake().runtime.capabilities


def test_files_user_and_folder(fake: FakeE2B, tmp_path: Path) -> None:
    (tmp_path / "tool").write_text("#!/bin/sh\necho tool\n")
    (tmp_path / "tool").chmod(0o755)
    (tmp_path / "link").symlink_to("tool")
    fake.add_template(
        SandboxTemplate(
            "mine",
            files={
                "note": "n",
                "tools": tmp_path,
                "/root/secret": TemplateFile("s", mode=0o600, owner="root"),
            },
            workdir="/home/user/work",
        )
    )
    first, second = Sandbox.create("mine"), Sandbox.create("mine")
    run = first.commands.run("pwd; cat note; ./tools/link")
    assert run.stdout.splitlines()[0].endswith("/home/user/work")
    assert run.stdout.splitlines()[1:] == ["ntool"]
    assert first.files.get_info("work/note").owner == "user"
    secret = first.files.get_info("/root/secret", user="root")
    assert (secret.owner, secret.mode) == ("root", 0o600)
    first.files.write("work/note", "changed")
    assert second.files.read("work/note") == "n"
    fake.reset()
    with pytest.raises(SandboxException, match=r"^404"):
        Sandbox.create("mine")


def test_the_templates_user_is_the_default(fake: FakeE2B) -> None:
    fake.add_template(SandboxTemplate("as-root", user="root", files={"r": "r"}))
    sandbox = Sandbox.create("as-root")
    assert sandbox.files.read("/root/r") == "r"
    sandbox.files.write("new", "n")
    assert sandbox.files.get_info("new").owner == "root"
    assert sandbox.files.get_info("new").path == "/root/new"
    if holds(fake, Capability.OWN_USERS):
        assert sandbox.commands.run("whoami; pwd").stdout == "root\n/root\n"
        assert sandbox.commands.run("whoami", user="user").stdout == "user\n"


def test_the_start_command_runs_in_each_sandbox(fake: FakeE2B) -> None:
    fake.add_template(
        SandboxTemplate(
            "started",
            env={"WHAT": "it"},
            workdir="/home/user/work",
            start_command="echo $WHAT > began && echo ready > up && exec sleep 1000",
            ready_command='[ "$WHAT" = it ] && [ -f up ]',
        )
    )
    source = Sandbox.create("started")
    assert source.files.read("work/began") == "it\n"
    (process,) = source.commands.list()
    assert process.args[:2] == ["-l", "-c"]
    # Its variables are its own: commands have those of the request.
    assert source.commands.run("echo -$WHAT-").stdout == "--\n"
    (fork,) = source.fork()
    other = Sandbox.create(source.create_snapshot().snapshot_id)
    for sandbox in (fork, other):
        assert len(sandbox.commands.list()) == 1
    source.pause(mode="filesystem")
    source = source.connect()
    assert source.commands.list() == []


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            # Between two tries: the last one has come to its own end.
            {"ready_command": "echo not yet; false", "ready_timeout_s": 3.0},
            r"ready command failed: .* timed out after 3s: .*exit status 1: not yet",
        ),
        (
            {"ready_command": "sleep 1000", "ready_timeout_s": 0.3},
            "ready command failed: .* timed out .*: signal: killed",
        ),
        (
            {"start_command": "echo oops >&2; exit 3", "ready_command": "false"},
            "start command failed: error running start command: exit status 3: oops",
        ),
        (
            {"start_command": "kill -SEGV $$", "ready_command": "false"},
            "start command failed: error running start command: signal: segmentation fault",
        ),
    ],
)
def test_one_that_never_gets_ready(fake: FakeE2B, options: dict[str, object], text: str) -> None:
    fake.add_template(SandboxTemplate("bad", **options))  # type: ignore[arg-type]
    with pytest.raises(SandboxException, match=f"^500: {text}"):
        Sandbox.create("bad")
    assert fake.sandboxes() == []


def test_a_start_command_that_ends_well_is_ready(fake: FakeE2B) -> None:
    fake.add_template(SandboxTemplate("once", start_command="echo 1 > made", ready_command="false"))
    assert Sandbox.create("once").files.read("made") == "1\n"


def test_a_file_that_went_missing_fails_create_and_nothing_else(
    fake: FakeE2B, tmp_path: Path
) -> None:
    path = tmp_path / "there"
    path.write_text("t")
    fake.add_template(SandboxTemplate("gone", files={"x": path}))
    path.unlink()
    with pytest.raises(SandboxException, match=r"^500: failed to make .*: .*there"):
        Sandbox.create("gone")
    path.write_text("back")
    assert Sandbox.create("gone").files.read("x") == "back"
    with pytest.raises(UsageError, match="no template 'nothing'"):
        fake.add_template(SandboxTemplate("x", from_template="nothing"))


async def test_async_and_templates_on_templates() -> None:
    one = SandboxTemplate("one", files={"a": "1", "b": "1"})
    two = SandboxTemplate("two", from_template="one", files={"b": "2"})
    async with FakeE2B(templates=[one, two]) as fake:
        fake.reset()
        sandbox = await AsyncSandbox.create("two")
        assert [await sandbox.files.read(name) for name in "ab"] == ["1", "2"]
        info = await sandbox.get_info()
        assert info.name == "two"


def test_terminals_start_there_too(fake: FakeE2B) -> None:
    fake.add_template(SandboxTemplate("as-root", user="root", workdir="/root/work"))
    sandbox = Sandbox.create("as-root")
    terminal = sandbox.pty.create(PtySize(rows=24, cols=80))
    sandbox.pty.send_stdin(terminal.pid, b"pwd > where; whoami >> where; exit\n")
    terminal.wait()
    folder, user = sandbox.files.read("work/where").splitlines()
    assert folder.endswith("/root/work")
    if holds(fake, Capability.OWN_USERS):
        assert user == "root"
