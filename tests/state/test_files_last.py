"""What has files, over the end of the fake: paused sandboxes, templates, snapshots, volumes."""

from __future__ import annotations

import pytest
from e2b import NotFoundException, Sandbox, SandboxException, Template, Volume, wait_for_timeout
from e2b.exceptions import ServiceBusyException

from fake_e2b import SandboxTemplate, effects
from tests.helpers.waiting import wait_until
from tests.state.asking import ask


def states():
    return {each.sandbox_id: each.state.value for each in Sandbox.list().next_items()}


@pytest.mark.parametrize("keep_memory", [True, False])
def test_a_paused_sandbox_and_its_files(next_fake, keep_memory):
    next_fake()
    sandbox = Sandbox.create(metadata={"job": "7"}, envs={"ONCE": "here"})
    sandbox.files.write("/home/user/folder/a.txt", "a")
    sandbox.commands.run("echo b > b.txt && ln -s b.txt link")
    sandbox.pause(keep_memory=keep_memory)

    next_fake()
    (shown,) = Sandbox.list().next_items()
    assert (shown.sandbox_id, shown.state.value) == (sandbox.sandbox_id, "paused")
    assert shown.metadata == {"job": "7"}
    again = Sandbox.connect(sandbox.sandbox_id)
    assert again.files.read("/home/user/folder/a.txt") == "a"
    assert again.commands.run("cat link; echo $ONCE").stdout == "b\n\n"
    again.kill()
    next_fake()
    assert states() == {}


def test_it_can_be_paused_and_left_again_and_again(next_fake):
    next_fake()
    sandbox = Sandbox.create()
    for number in range(3):
        sandbox.files.write(f"/home/user/{number}", str(number))
        sandbox.pause()
        next_fake()
        sandbox = Sandbox.connect(sandbox.sandbox_id)
        assert [sandbox.files.read(f"/home/user/{n}") for n in range(number + 1)]
    sandbox.kill()


def test_its_programs_are_over_and_its_interpreter_is_new(next_fake):
    next_fake()
    sandbox = Sandbox.create()
    sandbox.commands.run("sleep 1000", background=True)
    sandbox.pause()
    next_fake()
    again = Sandbox.connect(sandbox.sandbox_id)
    assert [each.cmd for each in again.commands.list()] == []


def test_running_sandboxes_end_with_the_fake(next_fake):
    next_fake()
    sandbox = Sandbox.create()
    next_fake()
    assert states() == {}
    with pytest.raises(NotFoundException):
        Sandbox.connect(sandbox.sandbox_id)


def test_a_paused_sandbox_can_be_killed_unseen(next_fake):
    next_fake()
    sandbox = Sandbox.create()
    sandbox.pause()
    next_fake()
    assert Sandbox.kill(sandbox.sandbox_id)
    next_fake()
    assert states() == {}


def test_snapshots_and_what_starts_from_them(next_fake):
    next_fake()
    sandbox = Sandbox.create()
    sandbox.files.write("/home/user/here", "snapped")
    made = sandbox.create_snapshot(name="mine")
    next_fake()
    (shown,) = Sandbox.list_snapshots().next_items()
    assert shown.snapshot_id == made.snapshot_id
    with Sandbox.create("mine") as started:
        assert started.files.read("/home/user/here") == "snapped"
    assert Sandbox.delete_snapshot(made.snapshot_id)
    next_fake()
    assert Sandbox.list_snapshots().next_items() == []


def test_templates_with_their_tags_and_start_commands(next_fake):
    next_fake()
    template = (
        Template()
        .from_base_image()
        .run_cmd("echo built > built")
        .set_start_cmd("echo started > started; exec sleep 1000", wait_for_timeout(1))
    )
    built = Template.build(template, "mine:v1")
    Template.assign_tags("mine:v1", ["stable", "gone"])
    Template.remove_tags("mine", ["gone"])

    next_fake()
    tags = Template.get_tags(built.template_id)
    assert {each.tag for each in tags} == {"v1", "stable"}
    sandbox = Sandbox.create("mine:stable")
    assert sandbox.files.read("built") == "built\n"
    wait_until(lambda: sandbox.files.exists("started"))


def test_a_second_build_finds_what_the_first_fake_has_done(next_fake):
    def build():
        said = []
        template = Template().from_base_image().run_cmd("echo done > done")
        Template.build(template, "mine", on_build_logs=lambda line: said.append(line.message))
        return "\n".join(said)

    next_fake()
    assert "CACHED" not in build()
    next_fake()
    assert "CACHED" in build()


def test_a_second_build_does_anew_what_was_done_under_another_build_network(next_fake):
    def build():
        said = []
        template = Template().from_base_image().run_cmd("echo done > done")
        Template.build(template, "mine", on_build_logs=lambda line: said.append(line.message))
        return "CACHED" in "\n".join(said)

    next_fake()
    assert not build()
    next_fake(build_network="allow")
    assert not build()
    next_fake(build_network="allow")
    assert build()
    next_fake()
    assert not build()


def test_volumes_with_what_is_in_them(next_fake):
    next_fake()
    volume = Volume.create("data")
    volume.make_dir("/folder", uid=123, gid=456, mode=0o750)
    volume.write_file("/folder/a", b"content", mode=0o600)
    sandbox = Sandbox.create(volume_mounts={"/mnt/data": volume})
    sandbox.files.write("/mnt/data/b", "by the sandbox")
    sandbox.pause()

    next_fake()
    assert volume.read_file("/folder/a") == "content"  # by the token of before
    (info,) = Volume.list()
    again = Volume.connect(info.volume_id)
    entry = again.get_info("/folder")
    assert (entry.uid, entry.gid, entry.mode) == (123, 456, 0o750)
    assert again.read_file("/b") == "by the sandbox"
    sandbox = Sandbox.connect(sandbox.sandbox_id)
    again.write_file("/c", "seen")
    assert sandbox.files.read("/mnt/data/c") == "seen"
    sandbox.kill()
    assert Volume.destroy(info.volume_id)
    next_fake()
    assert Volume.list() == []


def test_new_names_never_meet_old_ones(next_fake):
    """The seed comes back with the state; the IDs that it has made do not."""
    seen: set[str] = set()
    for _ in range(3):
        fake = next_fake()
        made = [Sandbox.create().sandbox_id, Volume.create(f"v{len(seen)}").volume_id]
        sandbox = Sandbox.create()
        made.append(sandbox.create_snapshot().snapshot_id)
        assert not seen & set(made)
        seen |= set(made)
    fake.reset()


def test_reset_forgets_the_state_as_well(next_fake):
    fake = next_fake()
    sandbox = Sandbox.create()
    sandbox.create_snapshot(name="snap")
    sandbox.pause()
    Volume.create("v")
    key = fake.api_key
    fake.reset()
    fake = next_fake()
    assert states() == {}
    assert Sandbox.list_snapshots().next_items() == []
    assert Volume.list() == []
    assert fake.api_key == key
    assert ask(fake, "GET", "/_fake/health")["status"] == "ok"


def test_a_template_that_is_deleted_during_its_build_stays_deleted(next_fake):
    fake = next_fake()
    template = Template().from_base_image().run_cmd("sleep 1000")
    build = Template.build_in_background(template, "mine")
    wait_until(lambda: Template.get_build_status(build).status.value == "building")
    ask(fake, "DELETE", f"/templates/{build.template_id}")
    fake = next_fake()
    assert ask(fake, "GET", "/templates") == []


@pytest.mark.parametrize("keep_memory", [True, False])
def test_a_resume_that_is_refused_leaves_the_files(next_fake, runtime_name, keep_memory):
    limit = {"disk_limit_mb": 24} if runtime_name == "isolated" else {}
    fake = next_fake(templates=[SandboxTemplate("mine", **limit)])
    sandbox = Sandbox.create("mine")
    sandbox.files.write("a", "kept")
    sandbox.pause(keep_memory=keep_memory)
    admin = {"X-Admin-Token": fake.admin_token}
    (node,) = ask(fake, "GET", "/nodes", None, admin)
    ask(fake, "POST", f"/nodes/{node['id']}", {"status": "draining"}, admin)
    with pytest.raises(ServiceBusyException):
        sandbox.connect()
    next_fake(templates=[SandboxTemplate("mine", **limit)])
    assert Sandbox.connect(sandbox.sandbox_id).files.read("a") == "kept"


def test_one_that_has_lost_its_files_for_good_can_still_be_killed(next_fake):
    fake = next_fake()
    volume = Volume.create("data")
    sandbox = Sandbox.create(volume_mounts={"/mnt/data": volume})
    fake.faults.add("connectSandbox", effects.FilesLost())
    sandbox.pause()
    sandbox.connect()
    sandbox.pause()
    Volume.destroy(volume.volume_id)
    for _ in range(2):
        with pytest.raises(SandboxException):
            sandbox.connect()
    assert states() == {sandbox.sandbox_id: "paused"}
    assert sandbox.kill()
    assert states() == {}
