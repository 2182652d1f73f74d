"""A Dockerfile's text as the steps of a build.

The service's first generation builds from the image that its client made of the Dockerfile and
pushed to a registry. No image reaches a fake: it does what the text says, with the machine's own
files for a root, and names what it leaves out.

Fact: templates.build.dockerfile
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from fake_e2b.domain.build import Order, Step

_ESCAPE = re.compile(r"#\s*escape\s*=\s*(\S)\s*$", re.IGNORECASE)
_FLAGS = re.compile(r"(?:--[a-z][a-z-]*(?:=\S+)?\s+)+")
_HEREDOC = re.compile(r"<<-?\s*[\"']?\w")
_VARIABLE = re.compile(r"\\\$|\$(?:\{(\w+)(?:(:[-+])([^}]*))?\}|(\w+))")
_AS = re.compile(r"(\S+)(?:\s+as\s+(\S+))?$", re.IGNORECASE)
_SKIPPED = frozenset(
    {
        *("CMD", "ENTRYPOINT", "EXPOSE", "HEALTHCHECK", "LABEL", "MAINTAINER", "ONBUILD"),
        *("SHELL", "STOPSIGNAL", "VOLUME"),
    }
)


class DockerfileError(Exception):
    """The text is no Dockerfile, or one that cannot be followed; the message says where."""


@dataclass(slots=True)
class _Stage:
    """What follows one FROM.

    Attributes:
        known: Its variables, as far as the text says what they are.
        left_out: Lines of what is not done.
    """

    image: str
    steps: list[Step] = field(default_factory=list)
    known: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    has_user: bool = False
    has_workdir: bool = False


def read_dockerfile(text: str, *, start_command: str, ready_command: str) -> Order:
    """What a Dockerfile asks for.

    It begins as root in `/`, and ends as `user` in their home unless it says otherwise, as what
    the SDKs make of one. Fact: templates.build.dockerfile

    Args:
        start_command, ready_command: They stand beside the Dockerfile, whose own CMD and
            ENTRYPOINT are not looked at.

    Raises:
        DockerfileError: It has no FROM, or something else that is not understood.
    """
    stage = _last_stage(text)
    steps = [Step("USER", ("root",)), Step("WORKDIR", ("/",)), *stage.steps]
    if not stage.has_user:
        steps.append(Step("USER", ("user",)))
    if not stage.has_workdir:
        steps.append(Step("WORKDIR", ("/home/user",)))
    return Order(
        from_image=stage.image,
        steps=tuple(steps),
        start_command=start_command,
        ready_command=ready_command,
        left_out=tuple(stage.left_out),
    )


def _last_stage(text: str) -> _Stage:
    stages: dict[str, _Stage] = {}
    stage: _Stage | None = None
    before: dict[str, str] = {}  # what ARG says before the first FROM is for FROM lines
    for number, word, rest in _instructions(text):
        if word == "FROM":
            stage = _begin(_expanded(rest, before), stages, number)
            continue
        if stage is None:
            if word != "ARG":
                raise DockerfileError(
                    f"dockerfile parse error on line {number}: no build stage in current context"
                )
            before.update(_pairs(word, rest, before, number))
            continue
        _follow(stage, number, word, rest, before)
    if stage is None:
        raise DockerfileError("Dockerfile must contain a FROM instruction")
    return stage


def _begin(text: str, stages: dict[str, _Stage], number: int) -> _Stage:
    found = _AS.match(_without_flags(text))
    if found is None:
        raise DockerfileError(
            f"dockerfile parse error on line {number}: FROM requires either one or three arguments"
        )
    image, name = found[1], (found[2] or "").lower()
    earlier = stages.get(image.lower())
    stage = _Stage(image)
    if earlier is not None:
        stage = replace(
            earlier,
            steps=list(earlier.steps),
            known=dict(earlier.known),
            left_out=list(earlier.left_out),
        )
    stages[str(sum(each.isdigit() for each in stages))] = stage
    if name:
        stages[name] = stage
    return stage


def _follow(stage: _Stage, number: int, word: str, rest: str, before: Mapping[str, str]) -> None:
    if word in _SKIPPED:
        return
    rest_bare = _without_flags(rest)
    if word in ("RUN", "COPY", "ADD") and _HEREDOC.search(rest_bare):
        raise DockerfileError(f"here-documents are not supported (line {number})")
    if word == "RUN":
        stage.steps.append(Step("RUN", (_command(rest_bare),)))
    elif word in ("COPY", "ADD"):
        stage.left_out.append(f"{word} {rest}")
    elif word in ("ENV", "ARG"):
        pairs = _pairs(word, rest, stage.known, number, before)
        if word == "ENV":
            stage.known.update(pairs)
        else:
            pairs = {name: value for name, value in pairs.items() if name not in stage.known}
            stage.known.update(pairs)
        if pairs:
            flat = [part for pair in pairs.items() for part in pair]
            stage.steps.append(Step(word, tuple(flat)))
    elif word == "WORKDIR":
        stage.has_workdir = True
        stage.steps.append(Step("WORKDIR", (_expanded(rest, stage.known),)))
    elif word == "USER":
        stage.has_user = True
        stage.steps.append(Step("USER", (_expanded(rest, stage.known),)))
    else:
        raise DockerfileError(
            f"dockerfile parse error on line {number}: unknown instruction: {word}"
        )


def _instructions(text: str) -> Iterator[tuple[int, str, str]]:
    """Each instruction: the number of its line, its word in upper case, and the rest of it."""
    lines = text.removeprefix("\ufeff").splitlines()
    directive = _ESCAPE.match(lines[0].strip()) if lines else None
    escape = directive[1] if directive else "\\"
    pending, began = "", 0
    for number, line in enumerate(lines, start=1):
        bare = line.strip()
        if bare.startswith("#") or not bare:
            continue  # within an instruction as well
        began = began if pending else number
        if bare.endswith(escape):
            pending += bare[: -len(escape)].rstrip() + " "
            continue
        word, rest = _parted(pending + bare)
        yield began, word.upper(), rest
        pending = ""
    if pending.strip():
        word, rest = _parted(pending)
        yield began, word.upper(), rest


def _parted(text: str) -> tuple[str, str]:
    """The first word and the rest, whichever white space is between them."""
    word, *rest = text.split(maxsplit=1)
    return word, rest[0].rstrip() if rest else ""


def _without_flags(rest: str) -> str:
    """Without `--mount=…`, `--platform=…` and their like."""
    found = _FLAGS.match(rest)
    return rest if found is None else rest[found.end() :]


def _command(rest: str) -> str:
    """A command in the shell's words, whichever form it has."""
    if rest.startswith("["):
        try:
            words = json.loads(rest)
        except ValueError:
            return rest  # no list after all: the shell's `[`
        if isinstance(words, list) and all(isinstance(each, str) for each in words):
            return shlex.join(words)
    return rest


def _pairs(
    word: str,
    rest: str,
    known: Mapping[str, str],
    number: int,
    before: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, str]:
    """What ENV or ARG say.

    An ARG without a value has that of `before`, or says nothing. Quotes keep no `$` from being
    expanded: the build expands what is left, and knows nothing of quotes any more.
    """
    name, value = _parted(rest) if rest else ("", "")
    if word == "ENV" and "=" not in name and value:
        return {name: _expanded(value, known)}
    try:
        words = shlex.split(rest)
    except ValueError as error:
        raise DockerfileError(f"dockerfile parse error on line {number}: {error}") from error
    pairs = {}
    for each in words:
        name, equals, value = each.partition("=")
        if equals:
            pairs[name] = _expanded(value, known)
        elif word == "ARG" and name in before:
            pairs[name] = before[name]
    return pairs


def _expanded(text: str, known: Mapping[str, str]) -> str:
    """With the variables that the text defines; others are left to the build."""

    def value(found: re.Match[str]) -> str:
        name = found[1] or found[4]
        if name is None:
            return found[0]
        if found[2] == ":-":
            return known.get(name) or found[3]
        if found[2] == ":+":
            return found[3] if known.get(name) else ""
        return known.get(name, found[0])

    return _VARIABLE.sub(value, text)
