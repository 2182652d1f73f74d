"""The words of a scenario: which steps there are, and what each takes, names and shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum

from fake_e2b.domain.stubs.form import StubForm


class Kind(StrEnum):
    """What steps name; each is the key by which they name it."""

    SANDBOX = "sandbox"
    PROCESS = "process"
    TERMINAL = "terminal"
    PAGES = "pages"
    GATE = "gate"
    FAULT = "fault"
    STUB = "stub"


WITHOUT_DEFAULT = (Kind.GATE, Kind.FAULT, Kind.STUB)
"""Kinds that are always named; of the others, one that is called like its kind is meant."""


@dataclass(frozen=True, slots=True)
class StepForm:
    """What a step may say.

    Attributes:
        about: One line for the reader.
        needs: Keys that must be there, with their types; `object` where a reader of its own checks.
        takes: Keys that may be there.
        shows: Keys that `expect` may name.
        makes: What it brings into the story, under the name that it gives.
        uses: What must be in the story before.
        of_the_fake: Whether it asks the fake itself, not the service.
        can_wait: Whether it can be played in the background.
    """

    about: str
    needs: Mapping[str, type] = field(default_factory=dict)
    takes: Mapping[str, type] = field(default_factory=dict)
    shows: Mapping[str, type] = field(default_factory=dict)
    makes: Kind | None = None
    uses: tuple[Kind, ...] = ()
    of_the_fake: bool = False
    can_wait: bool = True


_SANDBOX = (Kind.SANDBOX,)
_PROCESS = (Kind.SANDBOX, Kind.PROCESS)
_TERMINAL = (Kind.SANDBOX, Kind.TERMINAL)
_RESULT: Mapping[str, type] = {"stdout": str, "stderr": str, "exit_code": int}
_HOW: Mapping[str, type] = {"envs": dict, "cwd": str, "user": str, "timeout": int}

_SANDBOXES: Mapping[str, StepForm] = {
    "create": StepForm(
        "make a sandbox",
        takes={
            "template": str,
            "timeout": int,
            "metadata": dict,
            "envs": dict,
            "on_timeout": str,
            "auto_resume": bool,
            "idempotency_key": str,
            "api_key": str,
        },
        shows={"sandbox_id": str},
        makes=Kind.SANDBOX,
    ),
    "info": StepForm(
        "ask about a sandbox", {}, {}, {"state": str, "metadata": dict}, uses=_SANDBOX
    ),
    "is_running": StepForm("ask whether it runs", {}, {}, {"running": bool}, uses=_SANDBOX),
    "set_timeout": StepForm(
        "let it live so many seconds from now", {"timeout": int}, uses=_SANDBOX
    ),
    "pause": StepForm("pause the sandbox", {}, {}, {"paused": bool}, uses=_SANDBOX),
    "connect": StepForm(
        "connect to it again, which wakes it",
        takes={"timeout": int},
        shows={"sandbox_id": str},
        uses=_SANDBOX,
    ),
    "kill": StepForm("kill the sandbox", {}, {}, {"killed": bool}, uses=_SANDBOX),
    "snapshot": StepForm(
        "keep what it has as a template",
        takes={"name": str},
        shows={"snapshot_id": str},
        uses=_SANDBOX,
    ),
    "page": StepForm(
        "ask for the next page of a list; the first time, say of which",
        takes={"metadata": dict, "state": list, "limit": int},
        shows={"count": int, "sandboxes": list, "more": bool, "seen": int},
        makes=Kind.PAGES,
    ),
    "kill_listed": StepForm(
        "kill every sandbox that a list finds",
        takes={"metadata": dict, "state": list},
        shows={"killed": int},
    ),
}
_COMMANDS: Mapping[str, StepForm] = {
    "run": StepForm("run a command to its end", {"command": str}, _HOW, _RESULT, uses=_SANDBOX),
    "start": StepForm(
        "start a command and go on",
        needs={"command": str},
        takes={**_HOW, "stdin": bool},
        shows={"pid": int},
        makes=Kind.PROCESS,
        uses=_SANDBOX,
    ),
    "output": StepForm(
        "wait until the command's output holds a text that was not waited for yet",
        {"text": str},
        uses=_PROCESS,
    ),
    "send": StepForm("send a text to the command's input", {"text": str}, uses=_PROCESS),
    "close_input": StepForm("end the command's input", uses=_PROCESS),
    "finish": StepForm("wait until the command ends", {}, {}, _RESULT, uses=_PROCESS),
    "disconnect": StepForm("stop listening to the command", uses=_PROCESS),
    "reconnect": StepForm("listen to the command again", {}, {"timeout": int}, uses=_PROCESS),
    "stop": StepForm("kill the command", {}, {}, {"killed": bool}, uses=_PROCESS),
    "run_code": StepForm(
        "run code in the interpreter's default context; error is the exception's name, or empty",
        needs={"code": str},
        takes={"envs": dict, "timeout": int},
        shows={"text": str, "stdout": str, "stderr": str, "error": str, "results": int},
        uses=_SANDBOX,
    ),
    "processes": StepForm(
        "ask which commands run", {}, {}, {"count": int, "commands": list}, uses=_SANDBOX
    ),
}
_TERMINALS: Mapping[str, StepForm] = {
    "terminal": StepForm(
        "open a terminal",
        needs={"cols": int, "rows": int},
        takes={"envs": dict, "cwd": str, "user": str, "timeout": int},
        shows={"pid": int},
        makes=Kind.TERMINAL,
        uses=_SANDBOX,
    ),
    "type": StepForm("send keys to the terminal", {"text": str}, uses=_TERMINAL),
    "see": StepForm(
        "wait until the terminal shows a text that was not waited for yet",
        {"text": str},
        uses=_TERMINAL,
    ),
    "resize": StepForm("change the terminal's size", {"cols": int, "rows": int}, uses=_TERMINAL),
    "leave": StepForm("wait until the terminal ends", {}, {}, {"exit_code": int}, uses=_TERMINAL),
    "detach": StepForm("stop listening to the terminal", uses=_TERMINAL),
    "reattach": StepForm("listen to the terminal again", {}, {"timeout": int}, uses=_TERMINAL),
}
_FILES: Mapping[str, StepForm] = {
    "write": StepForm("write a file", {"path": str, "text": str}, {}, {"path": str}, uses=_SANDBOX),
    "read": StepForm("read a file", {"path": str}, {}, {"text": str}, uses=_SANDBOX),
    "exists": StepForm(
        "ask whether a path exists", {"path": str}, {}, {"exists": bool}, uses=_SANDBOX
    ),
    "list_files": StepForm("list a folder", {"path": str}, {}, {"names": list}, uses=_SANDBOX),
    "remove": StepForm("remove a file or folder", {"path": str}, uses=_SANDBOX),
    "download_url": StepForm(
        "make a signed URL to download a file",
        {"path": str},
        {"expires": int},
        {"url": str},
        uses=_SANDBOX,
    ),
    "upload_url": StepForm(
        "make a signed URL to upload a file",
        {"path": str},
        {"expires": int},
        {"url": str},
        uses=_SANDBOX,
    ),
    "fetch": StepForm(
        "ask a URL without the SDK, as a browser would",
        {"url": str},
        {"method": str, "headers": dict, "body": str},
        {"status": int, "text": str},
        can_wait=False,
    ),
}
_STEERING: Mapping[str, StepForm] = {
    "fault": StepForm(
        "put a fault rule in force, see docs/faults.md",
        needs={"effect": dict},
        takes={"name": str, "match": dict, "at": str, "times": int},
        makes=Kind.FAULT,
        of_the_fake=True,
        can_wait=False,
    ),
    "lift": StepForm(
        "take a fault rule back",
        shows={"hits": int},
        uses=(Kind.FAULT,),
        of_the_fake=True,
        can_wait=False,
    ),
    "hold": StepForm(
        "hold requests at a gate",
        takes={"name": str, "match": dict, "at": str, "times": int},
        makes=Kind.GATE,
        of_the_fake=True,
        can_wait=False,
    ),
    "arrived": StepForm(
        "wait until so many requests, in all, came to a gate",
        takes={"count": int},
        uses=(Kind.GATE,),
        of_the_fake=True,
        can_wait=False,
    ),
    "release": StepForm(
        "let requests go: the first so many, or all",
        takes={"count": int},
        shows={"released": int},
        uses=(Kind.GATE,),
        of_the_fake=True,
        can_wait=False,
    ),
    "stub": StepForm(
        "answer calls of a program in sandboxes in its place, see docs/command-stubs.md",
        takes={each.name: object for each in fields(StubForm)},
        makes=Kind.STUB,
        of_the_fake=True,
        can_wait=False,
    ),
    "unstub": StepForm(
        "take a stub back; shows the command lines that it answered",
        shows={"calls": list},
        uses=(Kind.STUB,),
        of_the_fake=True,
        can_wait=False,
    ),
    "advance": StepForm(
        "move the clock; shows whose time was up, and what became of them",
        needs={"seconds": float},
        shows={"happened": list},
        of_the_fake=True,
        can_wait=False,
    ),
    "expect_requests": StepForm(
        "count what the fake was asked, or what happened in it, since the story began",
        needs={"operation": str},
        takes={"times": int, "at_least": int, "at_most": int, "fields": dict, "sandbox": str},
        shows={"count": int},
        of_the_fake=True,
        can_wait=False,
    ),
    "expect_order": StepForm(
        "see that things were asked, or happened, in that order, whatever lies between",
        needs={"steps": list},
        of_the_fake=True,
        can_wait=False,
    ),
    "expect_state": StepForm(
        "look at the sandboxes that the fake has, by their names in the story",
        shows={"running": list, "paused": list},
        of_the_fake=True,
        can_wait=False,
    ),
}
_PLAYER: Mapping[str, StepForm] = {
    "wait": StepForm(
        "wait for a step in the background; what it expects is compared now",
        needs={"for": str},
        can_wait=False,
    ),
}

GROUPS: Mapping[str, Mapping[str, StepForm]] = {
    "Sandboxes": _SANDBOXES,
    "Commands": _COMMANDS,
    "Terminals": _TERMINALS,
    "Files": _FILES,
    "The fake": _STEERING,
    "The story": _PLAYER,
}
"""The steps by what they are about."""

FORMS: Mapping[str, StepForm] = {
    name: form for group in GROUPS.values() for name, form in group.items()
}
"""Every step by its name; `do = "<name>"` in a scenario."""

OF_EVERY_STEP: Mapping[str, str] = {
    "do": "which step it is",
    "expect": "what it must show: values, or tables of conditions",
    "raises": "what it must end with: the exception's class, or a table of python, js, text",
    "keep": "values to remember: what is shown → a name, later written {{name}}",
    "background": "a name: go on meanwhile, until a step wait says for = that name",
}
"""What any step may say besides."""
