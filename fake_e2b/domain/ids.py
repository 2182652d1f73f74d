"""Identifiers and where they come from.

Every random value of the fake comes from one `IdSource`, so a seed replays a run.
"""

from __future__ import annotations

import hashlib
import hmac
import random
import string
from typing import NewType

SandboxID = NewType("SandboxID", str)
"""`i` and 20 characters of `[a-z0-9]`."""
TemplateID = NewType("TemplateID", str)
"""20 characters of `[a-z0-9]`."""
TeamID = NewType("TeamID", str)
"""A UUID."""
SecretID = NewType("SecretID", str)
"""`sec_` and 26 characters that sort by the time of the making."""
VolumeID = NewType("VolumeID", str)
"""A UUID."""

_ALPHABET = string.ascii_lowercase + string.digits
_SORTABLE = "0123456789abcdefghjkmnpqrstvwxyz"
_MILLISECOND_NS = 1_000_000
CLIENT_ID = "6532622b"
"""The constant that every sandbox object carries as `clientID`."""


Dice = random.Random
"""What throws; only `IdSource` makes one, so that a seed replays it."""


class IdSource:
    """Makes identifiers and tokens; the same seed makes the same ones in the same order.

    Args:
        seed: None takes one from the operating system.
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed = random.SystemRandom().getrandbits(63) if seed is None else seed
        self._start = 1
        self._random = random.Random(self.seed)
        self._token_key = self._random.randbytes(32)

    def _word(self, length: int) -> str:
        return "".join(self._random.choices(_ALPHABET, k=length))

    def sandbox_id(self) -> SandboxID:
        """A fresh sandbox ID."""
        return SandboxID("i" + self._word(20))

    def template_id(self) -> TemplateID:
        """A fresh template ID."""
        return TemplateID(self._word(20))

    def watcher_id(self) -> str:
        """A fresh watcher ID: `w` and 20 characters."""
        return "w" + self._word(20)

    def uuid(self) -> str:
        """A random UUID (version 4)."""
        bits = self._random.getrandbits(128) & ~(0xF << 76) | (4 << 76)
        digits = f"{bits & ~(0x3 << 62) | (0x2 << 62):032x}"
        return "-".join(
            (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]),
        )

    def secret_id(self, now_ns: int) -> SecretID:
        """A fresh secret ID: 48 bits of milliseconds, 80 random ones, five bits a character."""
        bits = (now_ns // _MILLISECOND_NS) % 2**48 << 80 | self._random.getrandbits(80)
        return SecretID("sec_" + "".join(_SORTABLE[bits >> at & 31] for at in range(125, -1, -5)))

    def key(self, purpose: str) -> bytes:
        """32 bytes to sign with, the same for the same purpose."""
        return hmac.new(self._token_key, purpose.encode(), hashlib.sha256).digest()

    def hex_token(self, digits: int) -> str:
        """`digits` lower-case hexadecimal digits."""
        return f"{self._random.getrandbits(4 * digits):0{digits}x}"

    def number(self, below: int) -> int:
        """An integer from 0 up to and not including `below`."""
        return self._random.randrange(below)

    def dice(self, name: str, seed: int | None = None) -> Dice:
        """Dice of one's own, a pure function of seed and name: others' throws change nothing.

        Args:
            seed: In place of the source's own.
        """
        return random.Random(f"{self.seed if seed is None else seed} {name}")

    def branch(self, name: str) -> IdSource:
        """A source of one's own, by the rule of `dice`."""
        name = name if self._start == 1 else f"{name}, start {self._start}"
        return IdSource(self.dice(name).getrandbits(63))

    def later(self, start: int) -> IdSource:
        """A source with the same keys that makes none of the IDs that this one makes.

        Args:
            start: Another one for each such source.
        """
        made = IdSource(self.seed)
        made._random = self.dice(f"start {start}")
        made._start = start
        return made

    def envd_access_token(self, sandbox_id: SandboxID) -> str:
        """64 hex digits, a pure function of the sandbox ID: stable across pause and resume."""
        return self._derive(sandbox_id)

    def traffic_access_token(self, sandbox_id: SandboxID) -> str:
        """64 hex digits, stable for the sandbox ID and different from the envd token."""
        return self._derive(f"sandbox-traffic-{sandbox_id}")

    def upload_token(self, what: str) -> str:
        """64 hex digits that let whoever has them upload `what`."""
        return self._derive(f"upload {what}")

    def uuid_of(self, what: str) -> str:
        """A UUID (version 4 in form), the same for the same thing; draws nothing."""
        digits = self._derive(f"uuid {what}")
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:32]}"

    def token_of(self, what: str) -> str:
        """40 lower-case hexadecimal digits, the same for the same thing; draws nothing."""
        return self._derive(f"token {what}")[:40]

    def _derive(self, text: str) -> str:
        return hmac.new(self._token_key, text.encode(), hashlib.sha256).hexdigest()
