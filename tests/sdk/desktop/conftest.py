"""Desktops in isolated sandboxes, where this machine has the programs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from e2b_desktop import Sandbox

from fake_e2b import FakeE2B, RuntimeUnavailableError
from fake_e2b.domain.desktop import WANTED, advice
from tests.helpers.waiting import wait_until


@pytest.fixture(scope="session")
def programs() -> None:
    """Skips without the programs that the SDK starts."""
    missing = [name for name in WANTED if shutil.which(name) is None]
    if missing:
        pytest.skip(advice(missing))


@pytest.fixture(scope="module")
def isolated() -> Iterator[FakeE2B]:
    try:
        fake = FakeE2B(runtime="isolated").start()
    except RuntimeUnavailableError as error:
        pytest.skip(str(error))
    yield fake
    fake.stop()


@pytest.fixture(scope="module")
def desktop(programs: None, isolated: FakeE2B) -> Sandbox:
    """One that is up, as its tests left it."""
    return Sandbox.create()


@dataclass
class Window:
    """A window of `xev`, which writes down what it is told."""

    desktop: Sandbox
    log: str
    seen: int = field(default=0)

    def news(self) -> str:
        """What it wrote since the last look."""
        text = self.desktop.files.read(self.log)
        new, self.seen = text[self.seen :], len(text)
        return new

    def wait_for(self, *words: str) -> str:
        """Until it wrote all of these."""
        found = ""

        def look() -> bool:
            nonlocal found
            found += self.news()
            return all(word in found for word in words)

        wait_until(look, timeout_s=10)
        return found


def focused(desktop: Sandbox) -> str:
    """The title of the window that gets the keys."""
    return desktop.commands.run("xdotool getwindowfocus getwindowname || true").stdout


@pytest.fixture
def window(desktop: Sandbox) -> Iterator[Window]:
    """Under the pointer at (200, 200), with the focus."""
    log = "/tmp/xev.log"
    desktop.commands.run(f"rm -f {log}")
    handle = desktop.commands.run(
        f"exec stdbuf -oL xev -geometry 400x300+100+100 > {log}", background=True, timeout=0
    )
    shown = Window(desktop, log)
    wait_until(lambda: desktop.files.exists(log))
    shown.wait_for("Expose event")
    if desktop.get_cursor_position() != (200, 200):  # else xdotool would wait for a move
        desktop.move_mouse(200, 200)
    desktop.left_click()  # where the window manager has not given it the focus yet
    shown.wait_for("ButtonRelease event")
    wait_until(lambda: "Event Tester" in focused(desktop))
    shown.news()
    yield shown
    handle.kill()
