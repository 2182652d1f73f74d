"""Process.Start at the level of frames, in both codecs."""

from __future__ import annotations

import json
import struct

import httpx
from e2b import Sandbox

Frames = list[tuple[int, bytes]]
"""Flags and payload of each."""
_TIMEOUT_S = 20


def start_process(sandbox: Sandbox, command: str, codec: str = "json", ping_s: int = 90) -> Frames:
    """The frames of the answer to a shell command, the stream's end included."""
    return frames_of(start_raw(sandbox, command, codec, ping_s))


def start_raw(sandbox: Sandbox, command: str, codec: str = "json", ping_s: int = 90) -> bytes:
    """The bytes of the same."""
    if codec == "json":
        payload = json.dumps({"process": {"cmd": "sh", "args": ["-c", command]}}).encode()
    else:
        texts = ((b"\x0a", "sh"), (b"\x12", "-c"), (b"\x12", command))
        config = b"".join(tag + _sized(text.encode()) for tag, text in texts)
        payload = b"\x0a" + _sized(config)
    headers = {
        "Content-Type": f"application/connect+{codec}",
        "E2b-Sandbox-Id": sandbox.sandbox_id,
        "E2b-Sandbox-Port": "49983",
        "X-Access-Token": sandbox._envd_access_token or "",
        "Keepalive-Ping-Interval": str(ping_s),
    }
    answer = httpx.post(
        f"{sandbox.connection_config._sandbox_url}/process.Process/Start",
        headers=headers,
        content=struct.pack(">BI", 0, len(payload)) + payload,
        timeout=_TIMEOUT_S,
    )
    assert answer.status_code == 200, answer.text
    return answer.content


def frames_of(data: bytes) -> Frames:
    """A body cut into its frames."""
    found = []
    while data:
        size = 5 + int.from_bytes(data[1:5], "big")
        found.append((data[0], data[5:size]))
        data = data[size:]
    return found


def _sized(data: bytes) -> bytes:
    assert len(data) < 128, "one byte of length is enough here"
    return bytes((len(data),)) + data
