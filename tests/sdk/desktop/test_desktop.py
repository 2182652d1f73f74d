"""Screen, mouse, keyboard, windows and applications, by the published SDK."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

import pytest
from e2b import CommandExitException
from e2b_desktop import Sandbox
from PIL import Image

from fake_e2b import FakeE2B
from tests.helpers.waiting import wait_until
from tests.sdk.desktop.conftest import Window

APPLICATION = """\
[Desktop Entry]
Type=Application
Name=Note
Exec=/home/user/note %u
MimeType=text/plain;
"""


def test_a_fresh_one_has_its_size_and_the_pointer_in_the_middle(
    programs: None, isolated: FakeE2B
) -> None:
    desktop = Sandbox.create(resolution=(800, 600), dpi=120)
    assert desktop.get_screen_size() == (800, 600)
    assert desktop.get_cursor_position() == (400, 300)
    assert "120x120 dots per inch" in desktop.commands.run("xdpyinfo").stdout
    desktop.kill()


def test_the_size_is_that_of_the_service(desktop: Sandbox) -> None:
    assert desktop.get_screen_size() == (1024, 768)


def test_the_pointer_stays_where_it_was_put(desktop: Sandbox) -> None:
    desktop.move_mouse(123, 234)
    assert desktop.get_cursor_position() == (123, 234)


def test_a_screenshot_shows_what_is_there(desktop: Sandbox, window: Window) -> None:
    first = Image.open(io.BytesIO(desktop.screenshot()))
    assert first.size == (1024, 768)
    streamed = b"".join(desktop.screenshot(format="stream"))
    assert Image.open(io.BytesIO(streamed)).size == (1024, 768)
    desktop.commands.run("pkill -x xev")

    def is_gone() -> bool:
        return Image.open(io.BytesIO(desktop.screenshot())).tobytes() != first.tobytes()

    wait_until(is_gone, timeout_s=10)
    left = desktop.commands.run("ls /tmp").stdout
    assert "screenshot" not in left


def test_clicks(desktop: Sandbox, window: Window) -> None:
    desktop.left_click()
    desktop.middle_click()
    desktop.right_click(210, 220)
    text = window.wait_for("button 3")
    assert re.findall(r"button (\d)", text[: text.index("button 3")]) == ["1", "1", "2", "2"]
    desktop.double_click()
    desktop.scroll("up", 2)
    desktop.scroll("down")
    text += window.wait_for("button 5")
    presses = re.findall(r"ButtonPress event(?:.*\n){2}.*button (\d)", text)
    assert presses == ["1", "2", "3", "1", "1", "4", "4", "5"]


def test_a_drag_holds_the_button(desktop: Sandbox, window: Window) -> None:
    desktop.drag((210, 210), (240, 250))
    text = window.wait_for("ButtonPress", "ButtonRelease", "root:(240,250)")
    down, up = text.index("ButtonPress"), text.index("ButtonRelease")
    assert "MotionNotify" in text[down:up]
    desktop.mouse_press("right")
    window.wait_for("ButtonPress")
    desktop.mouse_release("right")
    window.wait_for("ButtonRelease", "button 3")


def test_keys(desktop: Sandbox, window: Window) -> None:
    desktop.write("Hi, there!", delay_in_ms=1)
    text = window.wait_for("exclam")
    typed = re.findall(r"KeyPress event(?:.*\n){2}.*keysym 0x\w+, (\w+)\)", text)
    letters = [name for name in typed if "Shift" not in name]
    assert letters == ["H", "i", "comma", "space", "t", "h", "e", "r", "e", "exclam"]
    desktop.press("enter")
    window.wait_for("Return")
    desktop.press(["ctrl", "c"])
    window.wait_for("Control_L", 'XLookupString gives 1 bytes: (03) "\x03"')


@pytest.fixture
def message(desktop: Sandbox) -> Iterator[str]:
    """The ID of a window that an application shows."""
    handle = desktop.commands.run("exec xmessage hello", background=True, timeout=0)
    shown = "xdotool search --onlyvisible --class xmessage || true"
    wait_until(lambda: desktop.commands.run(shown).stdout)
    [found] = desktop.get_application_windows("xmessage")
    yield found
    handle.kill()


def test_windows_are_found_and_named(desktop: Sandbox, message: str) -> None:
    assert desktop.get_window_title(message) == "xmessage"
    with pytest.raises(CommandExitException):
        desktop.get_application_windows("nobody")


def test_the_window_with_the_focus_is_known(desktop: Sandbox, message: str) -> None:
    def is_focused() -> bool:
        desktop.commands.run(f"xdotool mousemove --window {message} 3 3")  # beside its button
        desktop.left_click()
        focused = desktop.commands.run("xdotool getwindowfocus || true")
        return focused.stdout.strip() == message

    wait_until(is_focused)
    assert desktop.get_current_window_id() == message


def test_applications_open_files(desktop: Sandbox) -> None:
    home = "/home/user"
    desktop.files.write(f"{home}/note", '#!/bin/sh\necho "$1 on $DISPLAY" >> /tmp/notes\n')
    desktop.commands.run(f"chmod +x {home}/note")
    desktop.files.write(f"{home}/.local/share/applications/note.desktop", APPLICATION)
    desktop.files.write(
        f"{home}/.config/mimeapps.list", "[Default Applications]\ntext/plain=note.desktop\n"
    )
    desktop.files.write(f"{home}/a.txt", "text\n")

    def notes() -> list[str]:
        return desktop.files.read("/tmp/notes").splitlines()

    desktop.launch("note", "first")
    wait_until(lambda: desktop.files.exists("/tmp/notes") and len(notes()) == 1, timeout_s=10)
    desktop.open(f"{home}/a.txt")
    wait_until(lambda: len(notes()) == 2, timeout_s=10)
    assert [note.removeprefix("file://") for note in notes()] == [
        f"{home}/first on :0",
        f"{home}/a.txt on :0",
    ]


def test_waiting_is_a_command(desktop: Sandbox, isolated: FakeE2B) -> None:
    desktop.wait(10)
    isolated.journal.expect("Process.Start", command="sleep 0.01", times=1)


def test_two_desktops_have_pointers_of_their_own(desktop: Sandbox) -> None:
    other = Sandbox.create()
    other.move_mouse(11, 12)
    desktop.move_mouse(21, 22)
    assert other.get_cursor_position() == (11, 12)
    assert desktop.get_cursor_position() == (21, 22)
    other.kill()


def test_a_pause_keeps_what_is_on_the_screen(desktop: Sandbox, message: str) -> None:
    desktop.move_mouse(250, 260)
    desktop.pause()
    desktop.connect()
    assert desktop.get_cursor_position() == (250, 260)
    assert desktop.get_application_windows("xmessage") == [message]
