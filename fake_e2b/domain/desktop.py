"""What a sandbox with a desktop runs, by the programs that its SDK starts. Pure.

Fact: desktop.programs
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

DISPLAY = "DISPLAY"
"""The variable that tells a desktop SDK's request from others for the same template."""

NEEDED: Mapping[str, str] = {"Xvfb": "xvfb", "xdpyinfo": "x11-utils", "pgrep": "procps"}
"""Without these a desktop does not come up: program to Debian's package."""

WANTED: Mapping[str, str] = {
    **NEEDED,
    "startxfce4": "xfce4-session",
    "xfwm4": "xfwm4",
    "xfdesktop": "xfdesktop4",
    "dbus-launch": "dbus-x11",
    "xrandr": "x11-xserver-utils",
    "xdotool": "xdotool",
    "scrot": "scrot",
    "xdg-open": "xdg-utils",
    "gtk-launch": "libgtk-3-bin",
    "x11vnc": "x11vnc",
    "websockify": "websockify",
    "netstat": "net-tools",
}
"""Everything that the SDK's methods start."""

NOVNC_AT = "/opt/noVNC"
"""Where the SDK looks for the web client."""
NOVNC_PACKAGE_AT = "/usr/share/novnc"
"""Where Debian's package `novnc` has it."""

SESSION = ("xfce4-session", "xfwm4", "xfdesktop")
"""The processes that make the SDK believe in a session."""


def advice(missing: Iterable[str]) -> str:
    """How to get programs in `WANTED`; ``""`` when none is missing."""
    names = list(missing)
    packages = dict.fromkeys(WANTED[name] for name in names)
    if "x11vnc" in names or "websockify" in names:
        packages["novnc"] = None
    if not names:
        return ""
    return f"missing: {', '.join(names)} (Debian: apt-get install {' '.join(packages)})"
