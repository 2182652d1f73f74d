"""The steps that ask the fake itself, over its own pages: the same for any fake that is reached."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from urllib.parse import quote

from fake_e2b.domain.errors import FakeE2BError
from fake_e2b.scenario.pages import ask
from fake_e2b.scenario.story import Table

_EXPECT_TIMEOUT_S = 20.0


class PowerError(FakeE2BError):
    """The fake refused; the text is its own."""


class Powers:
    """What a fake can do besides the API.

    Args:
        url: Where it answers; the pages lie under `/_fake/`.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._since = self.state()["journal"]["next"]
        self._undo: list[tuple[str, str]] = []

    def perform(self, do: str, arguments: Table, names: Mapping[str, str]) -> Table:
        """Play one step.

        Args:
            names: What the story calls sandboxes → their IDs.

        Raises:
            PowerError: The fake refused.
        """
        step: Callable[[Table, Mapping[str, str]], Table] = getattr(self, f"_do_{do}")
        return step(arguments, names)

    def state(self) -> Table:
        """What exists."""
        return self._ask("GET", "/state")

    def freeze(self) -> None:
        """Let the clock stand still, until all is taken back."""
        if self.state()["clock"]["mode"] != "manual":
            self._ask("POST", "/clock/freeze")
            self._undo.append(("POST", "/clock/follow"))

    def add_profile(self, name: str, seed: int) -> None:
        """Put a profile of faults in force, until all is taken back.

        Raises:
            PowerError: It is in force already.
        """
        self._ask("POST", "/profiles", {"name": name, "seed": seed})
        self._undo.append(("DELETE", f"/profiles/{quote(name, safe='')}"))

    def reset(self) -> None:
        """Empty the fake."""
        self._since = self._ask("POST", "/reset")["next"]

    def take_back(self) -> None:
        """Take back what the story made of the fake, the last first; whoever is held goes on."""
        while self._undo:
            # What a reset has taken back already is not there any more.
            with suppress(PowerError):
                self._ask(*self._undo.pop())

    def journal(self) -> Sequence[Table]:
        """The records since the story began."""
        records: Sequence[Table] = self._ask("GET", f"/journal?since={self._since}")["records"]
        return records

    # -- faults, gates, stubs ---------------------------------------------------------------------

    def _do_fault(self, arguments: Table, names: Mapping[str, str]) -> Table:
        rule = self._ask("POST", "/faults", arguments)
        self._undo.append(("DELETE", f"/faults/{quote(rule['name'], safe='')}"))
        return {}

    def _do_lift(self, arguments: Table, names: Mapping[str, str]) -> Table:
        page = f"/faults/{quote(arguments['fault'], safe='')}"
        removed = self._ask("DELETE", page)
        self._undo.remove(("DELETE", page))
        return {"hits": removed["hits"]}

    def _do_hold(self, arguments: Table, names: Mapping[str, str]) -> Table:
        gate = self._ask("POST", "/gates", arguments)
        self._undo.append(("DELETE", f"/gates/{quote(gate['name'], safe='')}"))
        return {}

    def _do_arrived(self, arguments: Table, names: Mapping[str, str]) -> Table:
        count = {"count": arguments.get("count", 1)}
        self._ask("POST", f"/gates/{quote(arguments['gate'], safe='')}/wait", count)
        return {}

    def _do_release(self, arguments: Table, names: Mapping[str, str]) -> Table:
        count = {"count": arguments["count"]} if "count" in arguments else {}
        gate = self._ask("POST", f"/gates/{quote(arguments['gate'], safe='')}/release", count)
        return {"released": gate["released"]}

    def _do_stub(self, arguments: Table, names: Mapping[str, str]) -> Table:
        stub = self._ask("POST", "/stubs", arguments)
        self._undo.append(("DELETE", f"/stubs/{quote(stub['name'], safe='')}"))
        return {}

    def _do_unstub(self, arguments: Table, names: Mapping[str, str]) -> Table:
        page = f"/stubs/{quote(arguments['stub'], safe='')}"
        removed = self._ask("DELETE", page)
        self._undo.remove(("DELETE", page))
        return {"calls": [shlex.join(each["argv"]) for each in removed["calls"]]}

    # -- the clock -------------------------------------------------------------------------------

    def _do_advance(self, arguments: Table, names: Mapping[str, str]) -> Table:
        moved = self._ask("POST", "/clock/advance", {"seconds": arguments["seconds"]})
        called = {sandbox_id: name for name, sandbox_id in names.items()}
        return {"happened": [_happening(each, called) for each in moved["happened"]]}

    # -- what the fake knows ---------------------------------------------------------------------

    def _do_expect_requests(self, arguments: Table, names: Mapping[str, str]) -> Table:
        expected = dict(arguments)
        if "sandbox" in expected:
            name = expected.pop("sandbox")
            fields = expected.get("fields", {})
            expected["fields"] = {**fields, "sandbox_id": names.get(name, name)}
        return {"count": len(self._expect(expected))}

    def _do_expect_order(self, arguments: Table, names: Mapping[str, str]) -> Table:
        self._expect({"in_order": arguments["steps"]})
        return {}

    def _expect(self, expected: Table) -> Sequence[Table]:
        # What was caused may be written down a moment later.
        wanted = {**expected, "since": self._since, "timeout_s": _EXPECT_TIMEOUT_S}
        found: Sequence[Table] = self._ask("POST", "/journal/expect", wanted)["records"]
        return found

    def _do_expect_state(self, arguments: Table, names: Mapping[str, str]) -> Table:
        states = {each["sandboxID"]: each["state"] for each in self.state()["sandboxes"]}
        found = {name: states.get(sandbox_id) for name, sandbox_id in names.items()}
        return {
            state: sorted(name for name in found if found[name] == state)
            for state in ("running", "paused")
        }

    def _ask(self, method: str, page: str, body: Table | None = None) -> Table:
        answer = ask(
            f"{self._url}/_fake{page}",
            method=method,
            headers={"Content-Type": "application/json"},
            body=None if body is None else json.dumps(body, default=str).encode(),
        )
        told = answer.json()
        if not 200 <= answer.status < 300 or not isinstance(told, dict):
            message = told.get("message") if isinstance(told, dict) else None
            raise PowerError(message or f"{page} was answered with {answer.status}: {answer.text}")
        return told


def _happening(each: Table, called: Mapping[str, str]) -> str:
    return f"{called.get(each['sandboxID'], each['sandboxID'])} {each['outcome']}"
