"""Templates built by the SDK's builder, and sandboxes that start from them."""

from __future__ import annotations

import asyncio
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from e2b import (
    AsyncTemplate,
    Sandbox,
    Template,
    TemplateBuildStatus,
    wait_for_file,
    wait_for_port,
    wait_for_process,
    wait_for_timeout,
    wait_for_url,
)
from e2b.exceptions import BuildException, FileUploadException, RateLimitException
from e2b.template.types import BuildInfo

from fake_e2b import FakeE2B, UsageError, effects
from fake_e2b.domain.ports import Capability, Guest, LayerID
from fake_e2b.server.builder import cache
from tests.helpers.waiting import wait_until
from tests.sdk.python.conftest import needs

PORT = 8471


class Build:
    """Builds, and keeps what the builds told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def __call__(self, template: object, name: str = "mine", **options: object) -> BuildInfo:
        self.told = []
        return Template.build(
            template,  # type: ignore[arg-type]
            name,
            on_build_logs=lambda entry: self.told.append(entry.message),
            **options,  # type: ignore[arg-type]
        )

    @property
    def text(self) -> str:
        return "\n".join(self.told)


@pytest.fixture
def build(fake: FakeE2B) -> Build:
    return Build()


@pytest.fixture
def own_root(fake: FakeE2B) -> FakeE2B:
    """Where absolute paths are the sandbox's own."""
    needs(fake, Capability.SAME_PATHS)
    return fake


@pytest.fixture
def context(tmp_path: Path) -> Path:
    """A folder of files to copy."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "one.txt").write_text("one\n")
    (tmp_path / "app" / "two.sh").write_text("#!/bin/sh\necho two\n")
    (tmp_path / "app" / "two.sh").chmod(0o755)
    (tmp_path / "app" / "link").symlink_to("one.txt")
    (tmp_path / "single.txt").write_text("single\n")
    return tmp_path


def out_of(sandbox: Sandbox, command: str) -> str:
    return sandbox.commands.run(command).stdout


@pytest.fixture
def api(fake: FakeE2B) -> Iterator[httpx.Client]:
    with _api(fake) as client:
        yield client


def test_every_kind_of_step(own_root: FakeE2B, context: Path) -> None:
    build = Build()
    template = (
        Template(file_context_path=context)
        .from_python_image("3")
        .copy("app/*", "/srv/app/")
        .copy("single.txt", "renamed.txt", mode=0o600)
        .set_envs({"GREETING": "hello", "HOMES": "$HOME and ${PATH}", "QUOTED": "`id` $(id)"})
        .run_cmd('echo "$GREETING|$HOMES|$QUOTED" > said; whoami > who; pwd >> who')
        .run_cmd("whoami > /srv/root; id -u >> /srv/root", user="root")
        .set_workdir("/opt/work")
        .set_workdir("below")
        .run_cmd("pwd > here")
    )
    build(template)
    sandbox = Sandbox.create("mine")
    assert out_of(sandbox, "cat /srv/app/one.txt; /srv/app/two.sh; readlink /srv/app/link") == (
        "one\ntwo\none.txt\n"
    )
    assert out_of(sandbox, "stat -c '%U %a' ~/renamed.txt; cat ~/renamed.txt") == (
        "user 600\nsingle\n"
    )
    greeting, homes, quoted = out_of(sandbox, "cat ~/said").strip().split("|")
    assert (greeting, quoted) == ("hello", "`id` $(id)")
    assert homes.startswith("/root and /")
    assert out_of(sandbox, "cat ~/who") == "user\n/home/user\n"
    assert out_of(sandbox, "cat /srv/root") == "root\n0\n"
    # The last folder is where commands start, and belongs to who made it.
    assert out_of(sandbox, "pwd; cat here; stat -c %U .") == (
        "/opt/work/below\n/opt/work/below\nuser\n"
    )


def test_a_user_is_made_and_stays(own_root: FakeE2B) -> None:
    build = Build()
    try:
        build(Template().from_base_image().set_user("worker").run_cmd("whoami > ~/me"))
    except BuildException as error:
        if "useradd" in str(error):
            pytest.skip(f"no user can be made with a single id: {error}")
        raise
    sandbox = Sandbox.create("mine")
    assert out_of(sandbox, "whoami; cat ~/me; pwd") == "worker\nworker\n/home/worker\n"


def test_the_same_again_does_nothing(fake: FakeE2B, build: Build, context: Path) -> None:
    def template(word: str, *, skip: bool = False) -> object:
        made = Template(file_context_path=context).from_image("ubuntu:22.04")
        made = made.copy("app", "app").run_cmd("date +%N > first")
        made = made.skip_cache() if skip else made
        return made.run_cmd(f"echo {word} > second; date +%N >> second")

    def seen() -> tuple[str, str]:
        with Sandbox.create("mine") as sandbox:
            return sandbox.files.read("first"), sandbox.files.read("second")

    first = build(template("a"))
    before = seen()
    again = build(template("a"))
    assert build.text.count("CACHED [builder") == 3
    assert "Skipping upload of 'app', already cached" in build.text
    assert again.build_id != first.build_id
    assert seen() == before
    build(template("b"))
    assert build.text.count("CACHED [builder") == 2
    changed = seen()
    assert (changed[0], changed[1][:2]) == (before[0], "b\n")
    build(template("b", skip=True))
    assert build.text.count("CACHED [builder") == 2
    forced = seen()
    assert forced[0] == before[0]
    assert forced[1] != changed[1]


def test_from_another_template(fake: FakeE2B, build: Build) -> None:
    build(Template().from_image("x").set_envs({"A": "1"}).set_workdir("/tmp/w").run_cmd("touch a"))
    build(Template().from_template("mine").run_cmd('echo "$A" > b'), "other:v2")
    sandbox = Sandbox.create("other:v2")
    assert sorted(each.name for each in sandbox.files.list("/tmp/w")) == ["a", "b"]
    assert sandbox.files.read("/tmp/w/b") == "1\n"
    assert "CACHED [base] FROM TEMPLATE mine" in build.text
    with pytest.raises(BuildException, match="template 'nothing' not found") as failed:
        build(Template().from_template("nothing"), "third")
    assert _line_of(failed.value) == 'build(Template().from_template("nothing"), "third")'
    with pytest.raises(BuildException, match="tag 'v9' does not exist for template 'fake/mine'"):
        build(Template().from_template("mine:v9"), "third")


def _line_of(error: BaseException) -> str:
    """The innermost line of the traceback: of the user's code, for build errors."""
    return traceback.extract_tb(error.__traceback__)[-1].line or ""


def test_a_step_that_a_signal_ends_says_so_as_envd_does(build: Build) -> None:
    text = "failed to run command .*: signal: CPU time limit exceeded"
    with pytest.raises(BuildException, match=text):
        build(Template().from_image("x").run_cmd("kill -XCPU $$"))


def test_a_step_that_fails_points_at_its_line(fake: FakeE2B, build: Build) -> None:
    template = Template().from_image("x")
    template = template.run_cmd("echo fine")
    template = template.run_cmd("echo told >&2; exit 3")  # this one
    template = template.run_cmd("echo never")
    with pytest.raises(BuildException) as failed:
        build(template)
    assert str(failed.value) == "failed to run command 'echo told >&2; exit 3': exit status 3"
    assert _line_of(failed.value).endswith("# this one")
    assert "[builder 2/3] [stderr]: told" in build.told
    assert "[builder 3/3]" not in build.text
    status = Template.get_build_status(_newest(fake))
    assert status.status is TemplateBuildStatus.ERROR
    assert (status.reason is not None and status.reason.step) == "2"
    assert not Template.exists("mine:default")


def _newest(fake: FakeE2B) -> BuildInfo:
    with _api(fake) as api:
        listed = api.get("/templates").json()[-1]
        shown = api.get(f"/templates/{listed['templateID']}").json()
    return BuildInfo(
        template_id=shown["templateID"],
        build_id=shown["builds"][0]["buildID"],
        name=shown["names"][0],
        alias=shown["names"][0],
    )


def _api(fake: FakeE2B) -> httpx.Client:
    return httpx.Client(base_url=fake.url, headers={"X-API-Key": fake.api_key}, timeout=30)


@pytest.mark.parametrize(
    "ready",
    [
        wait_for_port(PORT),
        wait_for_url(f"http://127.0.0.1:{PORT}/"),
        wait_for_file("/tmp/up"),
        wait_for_process("python3"),
        wait_for_timeout(1),
    ],
    ids=["port", "url", "file", "process", "timeout"],
)
def test_its_start_command_runs_in_each_sandbox(own_root: FakeE2B, ready: object) -> None:
    build = Build()
    start = f"touch /tmp/up; exec python3 -m http.server {PORT}"
    build(Template().from_image("x").set_start_cmd(start, ready))  # type: ignore[arg-type]
    assert "Template is ready" in build.told
    sandbox = Sandbox.create("mine")
    assert out_of(sandbox, "ls /tmp/up; pgrep -c -f http.server").split()[0] == "/tmp/up"


def test_a_start_that_fails_fails_the_build(fake: FakeE2B, build: Build) -> None:
    with pytest.raises(BuildException, match="start command failed"):
        build(Template().from_image("x").set_start_cmd("exit 4", wait_for_file("/never")))
    assert "[finalize] Finalizing template build" in build.told


def test_what_would_be_downloaded_is_told_and_not_done(fake: FakeE2B, build: Build) -> None:
    template = (
        Template()
        .from_ubuntu_image()
        .apt_install(["vim"])
        .pip_install("numpy")
        .npm_install("left-pad")
        .git_clone("https://example.com/a/b.git", "cloned")
        .run_cmd("curl -fsSL https://example.com/tool -o tool && chmod +x tool")
        .run_cmd("curl -s https://example.com/install.sh | bash")
        .run_cmd("python3 -c 'print(40 + 2)'")
    )
    build(template)
    recorded = [line for line in build.told if "recorded, not run" in line]
    assert [line.partition("network: ")[2].split()[0] for line in recorded] == [
        "apt-get", "apt-get", "pip", "npm", "git", "curl", "curl",
    ]  # fmt: skip
    assert "[builder 7/7] [stdout]: 42" in build.told
    with Sandbox.create("mine") as sandbox:
        assert {"cloned", "tool"} <= {each.name for each in sandbox.files.list(".")}


def test_a_downloaded_program_that_the_machine_has(own_root: FakeE2B) -> None:
    build = Build()
    url = "https://example.com/releases/env"
    build(
        Template()
        .from_image("x")
        .run_cmd(f"curl -fsSL -o /usr/local/bin/env {url} && chmod a+x /usr/local/bin/env", "root")
        .run_cmd(f"curl -fsSL -o /usr/local/bin/nobodys {url}", "root")
        .run_cmd("/usr/local/bin/env A=1 sh -c 'echo $A' > said")
    )
    assert "(this machine's own /usr/bin/env stands for it)" in build.text
    assert "(an empty file /usr/local/bin/nobodys stands for what it would write)" in build.text
    with Sandbox.create("mine") as sandbox:
        assert sandbox.files.read("said") == "1\n"


def test_a_stub_answers_before_that(fake: FakeE2B, build: Build) -> None:
    with fake.commands.stub(pattern="pip install *", stdout="Successfully installed numpy\n"):
        build(Template().from_image("x").pip_install("numpy"))
    assert "[builder 1/1] [stdout]: Successfully installed numpy" in build.told


def test_what_a_stub_answered_is_not_cached(fake: FakeE2B, build: Build, context: Path) -> None:
    def said() -> str:
        made = Template(file_context_path=context).from_image("x")
        made = made.run_cmd("echo before").run_cmd("pip install numpy > said")
        build(made.copy("single.txt", "single.txt").run_cmd("cp said copied"))
        with Sandbox.create("mine") as sandbox:
            return sandbox.files.read("said") + sandbox.files.read("copied")

    assert said() == ""
    for word in ("one\n", "two\n"):
        with fake.commands.stub("pip install numpy", stdout=word) as stub:
            assert said() == word * 2
        assert len(stub.calls) == 1
        assert build.text.count("CACHED [builder") == 1
    assert said() == ""
    assert build.text.count("CACHED [builder") == 4


def test_stubs_that_a_build_does_not_ask_leave_its_cache(fake: FakeE2B, build: Build) -> None:
    template = Template().from_image("x").run_cmd("echo one").run_cmd("pip install numpy")
    build(template)
    with fake.commands.stub("npm"):
        build(template)
        assert build.text.count("CACHED [builder") == 2
    with fake.commands.stub("deploy"):
        # Nobody looked whether it was called.
        build(template)
        assert build.text.count("CACHED [builder") == 0
        build(template)
        assert build.text.count("CACHED [builder") == 2
    build(template)
    assert build.text.count("CACHED [builder") == 2


def test_a_kept_layer_may_go_while_one_is_built_upon_it(
    fake: FakeE2B, build: Build, api: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = build(Template().from_image("x").run_cmd("echo first > first"), "first")
    # From now on the cache alone needs its layer.
    assert api.delete(f"/templates/{first.template_id}").status_code == 204
    begun, go_on = threading.Event(), threading.Event()
    runtime = fake._fake().runtime
    create = runtime.create

    async def late(name: str, *, base: LayerID | None = None) -> Guest:
        if base is not None:
            begun.set()
            await asyncio.to_thread(go_on.wait, 30)
        return await create(name, base=base)

    monkeypatch.setattr(cache, "MOST_KEPT", 1)
    monkeypatch.setattr(runtime, "create", late)
    upon = Template().from_image("x").run_cmd("echo first > first").run_cmd("cp first second")
    info = Template.build_in_background(upon, "upon")
    assert begun.wait(30)
    build(Template().from_image("x").run_cmd("echo other"), "other")
    go_on.set()
    wait_until(lambda: Template.get_build_status(info).status is not TemplateBuildStatus.BUILDING)
    monkeypatch.undo()
    assert Sandbox.create("upon").files.read("second") == "first\n"


def test_downloads_can_be_refused() -> None:
    template = Template().from_image("x").pip_install("numpy")
    with (
        FakeE2B(runtime="local", build_network="fail"),
        pytest.raises(BuildException, match="exit status 1"),
    ):
        Template.build(template, "mine")
    with pytest.raises(UsageError, match="did you mean 'record'"):
        FakeE2B(build_network="recrd")  # type: ignore[arg-type]


async def test_builds_in_the_background_and_at_once(fake: FakeE2B) -> None:
    template = AsyncTemplate().from_image("x").run_cmd("echo hi > hi")
    started = [
        await AsyncTemplate.build_in_background(template, f"t{number}") for number in range(3)
    ]
    for info in started:
        status = None
        while status is None or status.status is TemplateBuildStatus.BUILDING:
            status = await AsyncTemplate.get_build_status(info)
        assert status.status is TemplateBuildStatus.READY
        assert Sandbox.create(info.name).files.read("hi") == "hi\n"


def test_a_newer_build_of_the_tag_ends_the_older(fake: FakeE2B) -> None:
    slow = Template().from_image("x").run_cmd("touch begun; sleep 600")
    older = Template.build_in_background(slow, "mine")
    wait_until(lambda: len(Template.get_build_status(older).log_entries) >= 4)
    newer = Template.build_in_background(Template().from_image("x").run_cmd("true"), "mine")
    ended = Template.get_build_status(older)
    assert ended.status is TemplateBuildStatus.ERROR
    assert ended.reason is not None
    assert ended.reason.message == "build was cancelled"
    wait_until(lambda: Template.get_build_status(newer).status is TemplateBuildStatus.READY)


def test_a_build_that_hangs_is_stopped() -> None:
    with FakeE2B(runtime="local", build_timeout_s=0.5), pytest.raises(BuildException) as failed:
        Template.build(Template().from_image("x").run_cmd("sleep 600"), "mine")
    assert str(failed.value) == "build timed out"


def test_a_reset_ends_what_is_built(fake: FakeE2B) -> None:
    template = Template().from_image("x").run_cmd("sleep 600")
    info = Template.build_in_background(template, "mine")
    wait_until(lambda: len(Template.get_build_status(info).log_entries) >= 4)
    fake.reset()
    assert not Template.exists("mine")
    with _api(fake) as api:
        assert api.get("/templates").json() == []


def test_a_deleted_template_ends_its_build(fake: FakeE2B, api: httpx.Client) -> None:
    template = Template().from_image("x").run_cmd("touch begun; sleep 654.25")
    info = Template.build_in_background(template, "mine")

    def sleeping() -> bool:
        processes = psutil.process_iter(["cmdline"])
        return any("654.25" in (each.info["cmdline"] or []) for each in processes)

    wait_until(sleeping)
    assert api.delete(f"/templates/{info.template_id}").status_code == 204
    wait_until(lambda: not sleeping())
    assert not Template.exists("mine")
    Template.build(Template().from_image("x").run_cmd("echo new > word"), "mine")
    assert Sandbox.create("mine").files.read("word") == "new\n"


def test_builds_that_end_at_any_instant_leave_no_layer(
    own_root: FakeE2B, machine_folder: Path
) -> None:
    template = Template().from_image("x").run_cmd("echo a > a").run_cmd("echo b > b")

    def layers() -> list[Path]:
        return list(machine_folder.glob("fake-e2b-*/run-*/layer-*"))

    before = layers()
    for seen in range(3, 11):
        info = Template.build_in_background(template, "mine", skip_cache=True)
        wait_until(lambda info=info, seen=seen: _has_told(info, seen))
        own_root.reset()
    wait_until(lambda: layers() == before)


def _has_told(info: BuildInfo, lines: int) -> bool:
    status = Template.get_build_status(info)
    return len(status.log_entries) >= lines or status.status is TemplateBuildStatus.READY


def test_a_base_may_go_while_one_is_built_upon_it(fake: FakeE2B, api: httpx.Client) -> None:
    base = Template.build(Template().from_image("x").run_cmd("echo base > word"), "base-one")
    upon = Template().from_template("base-one").run_cmd("echo begun; sleep 0.5; cat word > copied")
    info = Template.build_in_background(upon, "upon")
    wait_until(lambda: Template.get_build_status(info).log_entries[-1].message.endswith("begun"))
    assert api.delete(f"/templates/{base.template_id}").status_code == 204
    wait_until(lambda: Template.get_build_status(info).status is TemplateBuildStatus.READY)
    assert Sandbox.create("upon").files.read("copied") == "base\n"


def test_a_build_is_no_sandbox(fake: FakeE2B, api: httpx.Client) -> None:
    template = Template().from_image("x").run_cmd("echo begun; exec sleep 600")
    info = Template.build_in_background(template, "mine")
    wait_until(lambda: Template.get_build_status(info).log_entries[-1].message.endswith("begun"))
    assert (fake.sandboxes(), Sandbox.list().next_items()) == ([], [])
    for number in range(3):
        host = {"Host": f"8123-build-{number}.{fake.domain}"}
        assert httpx.get(fake.url, headers=host).status_code == 502


def test_a_failed_upload_is_the_sdks_own_error(fake: FakeE2B, build: Build, context: Path) -> None:
    fake.faults.add("getTemplateFile", effects.Status(500))
    with pytest.raises(FileUploadException):
        build(Template(file_context_path=context).from_image("x").copy("app", "app"))


# -- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({}, 400, "Name is required"),
        ({"name": "a b"}, 400, "Invalid name: invalid template ID: a b"),
        ({"name": "other/x"}, 400, "namespace 'other' must match your team 'fake'"),
        ({"name": "x", "tags": ["a b"]}, 400, "Invalid tag: invalid tag: a b"),
        ({"name": "x", "cpuCount": 3}, 400, "CPU count must be 1 or an even number"),
        ({"name": "x", "cpuCount": 34}, 400, "CPU count must be at most 32"),
        ({"name": "x", "memoryMB": 129}, 400, "Memory must be divisible by 2"),
        (
            {"name": "x", "memoryMB": 1_000_000},
            400,
            "Memory can't be higher than 65536 MiB (if you need to increase this limit, please "
            "contact support)",
        ),
    ],
)
def test_requests_that_are_refused(
    api: httpx.Client, body: dict[str, object], status: int, text: str
) -> None:
    answer = api.post("/v3/templates", json=body)
    assert (answer.status_code, answer.json()["message"]) == (status, text)
    assert api.get("/templates").json() == []


@pytest.mark.parametrize("path", ["/templates", "/v2/templates", "/v3/templates"])
def test_the_team_that_a_request_names(fake: FakeE2B, api: httpx.Client, path: str) -> None:
    body = {"alias": "mine"} | ({"dockerfile": "FROM x"} if path == "/templates" else {})
    for other in ("00000000-0000-0000-0000-000000000001", "prj_0", ""):
        answer = api.post(path, json=body | {"teamID": other})
        text = "Team ID param mismatch with the API key"
        assert (answer.status_code, answer.json()["message"]) == (400, text)
    assert api.get("/templates").json() == []
    assert api.post(path, json=body | {"teamID": fake.team_id.upper()}).status_code == 202


def test_what_cannot_be_started_or_looked_at(api: httpx.Client) -> None:
    asked = api.post("/v3/templates", json={"alias": "mine", "tags": ["v1"]}).json()
    assert (asked["tags"], asked["names"]) == (["v1"], ["fake/mine"])
    template, build_id = asked["templateID"], asked["buildID"]
    nobody = "00000000-0000-0000-0000-000000000001"

    def message(answer: httpx.Response) -> tuple[int, str]:
        return answer.status_code, answer.json()["message"]

    start = f"/v2/templates/{template}/builds"
    order = {"fromImage": "x"}
    assert message(api.post(f"{start}/x", json=order)) == (400, "Invalid build ID: x")
    assert message(api.post(f"{start}/{nobody}", json=order))[1] == "build is not in waiting state"
    assert message(api.post(f"{start}/{build_id}", json={})) == (
        400,
        "must specify either fromImage or fromTemplate",
    )
    both = {"fromImage": "x", "fromTemplate": "base"}
    assert message(api.post(f"{start}/{build_id}", json=both)) == (
        400,
        "cannot specify both fromImage and fromTemplate",
    )
    assert message(api.post(f"/v2/templates/nothing/builds/{build_id}", json=order))[0] == 404
    waiting = api.get(f"/templates/{template}/builds/{build_id}/status").json()
    assert (waiting["status"], waiting["logEntries"]) == ("waiting", [])
    look = f"/templates/{template}/builds"
    assert message(api.get(f"{look}/x/status")) == (400, "Invalid build id")
    assert message(api.get(f"{look}/{nobody}/status")) == (400, f"Build '{nobody}' not found")
    assert message(api.get(f"/templates/{template}/files/xyz")) == (400, "Invalid files hash")
    assert message(api.get(f"/templates/nothing/files/{'0' * 64}"))[0] == 404
    superseded = api.post("/v3/templates", json={"name": "mine:v1"}).json()
    assert superseded["templateID"] == template
    old = api.get(f"/templates/{template}/builds/{build_id}/status").json()
    assert old["reason"]["message"] == (
        "The build was canceled because it was superseded by a newer one."
    )


def test_logs_by_level_offset_and_instant(fake: FakeE2B, api: httpx.Client) -> None:
    with pytest.raises(BuildException):
        Template.build(Template().from_image("x").run_cmd("echo a; echo b; exit 1"), "mine")
    info = _newest(fake)
    path = f"/templates/{info.template_id}/builds/{info.build_id}"

    def messages(page: str, **query: object) -> list[str]:
        found = api.get(f"{path}/{page}", params={k: str(v) for k, v in query.items()}).json()
        return [each["message"] for each in found["logEntries" if page == "status" else "logs"]]

    everything = messages("status")
    assert everything[0].startswith("Building template ")
    assert messages("status", logsOffset=2, limit=3) == everything[2:5]
    assert messages("status", logsOffset=len(everything)) == []
    [failure] = messages("status", level="error")
    assert failure.startswith("Build failed: failed to run command")
    assert messages("logs") == everything
    assert messages("logs", direction="backward", limit=2) == everything[::-1][:2]
    assert messages("logs", cursor=9_999_999_999_999) == []


def test_too_many_builds_at_once_are_refused(api: httpx.Client) -> None:
    with FakeE2B(runtime="local", max_builds=1) as fake:
        waiting = Template().from_image("x").run_cmd("sleep 600")
        Template.build_in_background(waiting, "one")
        with pytest.raises(RateLimitException, match=r"concurrent template builds \(1\)"):
            Template.build_in_background(waiting, "two")
        assert len(fake.sandboxes()) == 0


def test_a_build_of_many_tags_is_one() -> None:
    with FakeE2B(runtime="local", max_builds=2) as fake, _api(fake) as other:
        answers = [
            other.post("/v3/templates", json={"name": name, "tags": ["v1", "v2", "v3"]})
            for name in ("one", "two", "three")
        ]
    assert [each.status_code for each in answers] == [202, 202, 429]
