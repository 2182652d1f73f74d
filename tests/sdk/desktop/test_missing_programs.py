"""A desktop where the machine, or the runtime, lacks what it needs."""

from __future__ import annotations

from pathlib import Path

import pytest
from e2b import Sandbox as PlainSandbox
from e2b import SandboxException
from e2b_desktop import Sandbox

from fake_e2b import FakeE2B
from fake_e2b.domain.desktop import SESSION, WANTED
from fake_e2b.runtime.isolated.desktop import write_stand_ins
from tests.helpers.waiting import wait_until


def test_what_is_missing_is_named_at_once(
    isolated: FakeE2B, monkeypatch: pytest.MonkeyPatch
) -> None:
    isolated.reset()
    monkeypatch.setattr("fake_e2b.server.desktop.SYSTEM_PATH", "/nowhere")
    with pytest.raises(SandboxException, match=r"Xvfb.*apt-get install xvfb x11-utils"):
        Sandbox.create()
    assert Sandbox.list().next_items() == []
    PlainSandbox.create("desktop").kill()


def test_a_template_on_it_is_a_desktop_too(
    isolated: FakeE2B, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fake_e2b import SandboxTemplate

    isolated.add_template(SandboxTemplate("mine", from_template="desktop", files={"a": "b"}))
    monkeypatch.setattr("fake_e2b.server.desktop.SYSTEM_PATH", "/nowhere")
    with pytest.raises(SandboxException, match="apt-get install xvfb"):
        Sandbox.create("mine")


def test_the_machines_own_display_is_not_touched() -> None:
    with (
        FakeE2B(runtime="local"),
        pytest.raises(SandboxException, match="display would be this machine's own"),
    ):
        Sandbox.create()


def test_stubs_make_a_desktop_anywhere() -> None:
    with FakeE2B(runtime="local") as fake:
        fake.commands.stub(program=list(WANTED))
        fake.commands.stub(pattern="xdotool getmouselocation", stdout="x:7 y:8 screen:0 window:1\n")
        moves = fake.commands.stub(pattern="xdotool mousemove *")
        desktop = Sandbox.create()
        desktop.left_click(30, 40)
        assert desktop.get_cursor_position() == (7, 8)
        assert [call.argv[2:] for call in moves.calls] == [("--sync", "30", "40")]
        desktop.kill()


def test_without_xfce_stand_ins_bear_its_names(
    programs: None, isolated: FakeE2B, tmp_path: Path
) -> None:
    write_stand_ins(str(tmp_path))
    plain = PlainSandbox.create(envs={"DISPLAY": ":3"})
    for file in filter(Path.is_file, tmp_path.rglob("*")):
        path = f"/{file.relative_to(tmp_path)}"
        plain.files.write(path, file.read_bytes(), user="root")
        plain.commands.run(f"chmod +x {path}", user="root")
    plain.commands.run(
        "Xvfb :3 -ac -screen 0 640x480x24 -nolisten unix", background=True, timeout=0
    )
    wait_until(lambda: plain.commands.run("xdpyinfo >&2 || echo no").stdout == "", timeout_s=10)
    plain.commands.run("/usr/local/bin/startxfce4", background=True, timeout=0)
    every = " && ".join(f"pgrep -x {name} >&2" for name in (*SESSION, "xprop"))
    wait_until(lambda: plain.commands.run(f"{{ {every}; }} || echo no").stdout == "")
    plain.commands.run("xdotool mousemove 50 60")
    assert plain.commands.run("xdotool getmouselocation").stdout.startswith("x:50 y:60 ")
    plain.kill()
