"""What stands in for XFCE where the machine has an X server but no XFCE.

The SDK waits until three processes bear the names of XFCE's; nothing of their work is done: there
is no window manager and no panel. One of them stays a client of the X server, which would forget
the pointer's place after its last client has left.

Fact: desktop.stand-ins
"""

from __future__ import annotations

import os
import shutil

from fake_e2b.domain.desktop import SESSION
from fake_e2b.runtime import skeleton

_FOLDER = "/usr/lib/fake-e2b/xfce"
# Each runs under its own name, which a script has from its file.
_STAY = "#!/bin/sh\nwhile sleep 3600; do :; done\n"
_STAY_CONNECTED = "#!/bin/sh\nxprop -root -spy >/dev/null 2>&1\nwhile sleep 3600; do :; done\n"
_START = f"""\
#!/bin/sh
# This machine has no XFCE: processes of its names, which do nothing.
cd {_FOLDER} || exit 1
{chr(10).join(f"./{name} &" for name in SESSION[1:])}
exec ./{SESSION[0]}
"""


def write_desktop(layer: str, path: str) -> None:
    """Write the stand-ins into the layer, unless XFCE is there or there is no X server.

    Args:
        path: Where the machine's own programs are looked for, as in `PATH`.
    """
    if shutil.which("startxfce4", path=path) or not shutil.which("Xvfb", path=path):
        return
    write_stand_ins(layer)


def write_stand_ins(layer: str) -> None:
    """Write `startxfce4` and what it starts."""
    folder = f"{layer}{_FOLDER}"
    os.makedirs(folder)
    for name in SESSION:
        text = _STAY_CONNECTED if name == SESSION[0] else _STAY
        skeleton.write(f"{folder}/{name}", text, 0o755)
    os.makedirs(f"{layer}/usr/local/bin", exist_ok=True)
    skeleton.write(f"{layer}/usr/local/bin/startxfce4", _START, 0o755)
