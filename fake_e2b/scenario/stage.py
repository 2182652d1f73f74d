"""Where a story is played: on a fake made for it, or on a server that runs already."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from fake_e2b.domain.errors import UsageError
from fake_e2b.scenario.pages import Connection, UnreachableError, ask
from fake_e2b.scenario.powers import PowerError, Powers
from fake_e2b.scenario.steps import FORMS
from fake_e2b.scenario.story import Scenario, StartSandbox
from fake_e2b.server.settings import RuntimeName
from fake_e2b.testing import FakeE2B

_URLS = ("E2B_API_URL", "E2B_SANDBOX_URL")


@dataclass(frozen=True, slots=True)
class Stage:
    """A server that a story can be played on.

    Attributes:
        url: Where it answers.
        variables: By which SDKs find it.
        powers: What it can do besides the API; None where it is no fake.
        why_no_powers: The reason.
        seed: Its own; None where there is none to know.
        is_own: Whether it ends with the story, with everything in it.
    """

    url: str
    variables: Mapping[str, str]
    powers: Powers | None
    seed: int | None
    why_no_powers: str = ""
    is_own: bool = True


@contextlib.contextmanager
def own_fake(
    scenario: Scenario, *, seed: int | None = None, runtime: RuntimeName = "auto"
) -> Iterator[Stage]:
    """A fake as the story wants it to begin with.

    Args:
        seed: In place of the story's own.
        runtime: For a story that does not say which.

    Raises:
        UsageError: It cannot be had here, e.g. a runtime that the machine cannot do.
    """
    start = scenario.start
    chosen = scenario.seed if seed is None else seed
    with FakeE2B(
        seed=chosen,
        clock=start.clock,
        profile=start.profile,
        runtime=runtime if start.runtime == "auto" else start.runtime,
        templates=scenario.templates,
    ) as fake:
        yield Stage(fake.url, fake.env(), Powers(fake.url), chosen)


def target(url: str, *, reset: bool = False) -> Stage:
    """A server that runs: a fake, which tells how to reach it, or the service itself.

    Args:
        reset: Empty it first.

    Raises:
        UsageError: It is no URL, nothing answers there, it wants a key that is not set, or it is
            no fake and so can't be emptied.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise UsageError(f"'{url}' is no URL: use --target http://HOST:PORT")
    url = url.rstrip("/")
    try:
        answer = ask(f"{url}/_fake/env", timeout_s=10)
    except UnreachableError as error:
        raise UsageError(f"nothing answers at {error}; start one with: fake-e2b serve") from error
    told = answer.json()
    if isinstance(told, dict) and "E2B_API_KEY" in told:
        variables = {str(name): str(value) for name, value in told.items()}
        variables.update({name: url for name in _URLS if variables.get(name)})
        powers = Powers(url)
        if reset:
            powers.reset()
        return Stage(url, variables, powers, powers.state()["seed"], is_own=False)
    if reset:
        raise UsageError(f"{url} is no fake-e2b: it cannot be emptied")
    if not os.environ.get("E2B_API_KEY"):
        raise UsageError(f"{url} is no fake-e2b, so it wants a key of yours: set E2B_API_KEY")
    return Stage(
        url,
        {"E2B_API_URL": url, "E2B_API_KEY": os.environ["E2B_API_KEY"]},
        None,
        None,
        why_no_powers=f"{url} is no fake-e2b (/_fake/env is answered with {answer.status})",
        is_own=False,
    )


def check(scenario: Scenario, stage: Stage) -> None:
    """Refuse, before its first step, a story that can't be played there.

    Raises:
        UsageError: The text says which line needs what.
    """
    if stage.is_own:
        return
    if scenario.templates:
        raise UsageError(
            f"{scenario.path}: it begins with templates of its own, which only a fake made for it "
            "has: play it without --target"
        )
    if stage.powers is not None:
        return
    for step in scenario.steps:
        if FORMS[step.do].of_the_fake:
            raise UsageError(
                f"{scenario.path}:{step.line}: step {step.do!r} asks the fake itself, and "
                f"{stage.why_no_powers}"
            )
    if scenario.start.clock == "manual":
        raise UsageError(
            f"{scenario.path}: its clock has to stand still, and {stage.why_no_powers}"
        )
    if scenario.start.profile is not None:
        raise UsageError(f"{scenario.path}: it has a profile of faults, and {stage.why_no_powers}")


def begin(scenario: Scenario, stage: Stage, made: dict[str, str]) -> None:
    """Bring about the state that a story begins in.

    Args:
        made: Gets the sandboxes' IDs by name, each as soon as it is there.

    Raises:
        UsageError: The server refuses; the text is its own.
    """
    start = scenario.start
    try:
        if not stage.is_own and stage.powers is not None:
            if start.clock == "manual":
                stage.powers.freeze()
            if start.profile is not None:
                stage.powers.add_profile(start.profile, scenario.seed)
        for each in scenario.sandboxes:
            _make_sandboxes(each, stage, made)
    except (PowerError, UnreachableError) as error:
        raise UsageError(f"{scenario.path}: {error}") from error


def _make_sandboxes(wanted: StartSandbox, stage: Stage, made: dict[str, str]) -> None:
    body = {
        "templateID": wanted.template,
        "timeout": wanted.timeout,
        "metadata": dict(wanted.metadata),
        "secure": True,
    }
    headers = {
        "X-API-Key": stage.variables["E2B_API_KEY"],
        "Content-Type": "application/json",
    }
    with Connection(stage.url) as connection:
        for name in wanted.names:
            answer = connection.ask("POST", "/sandboxes", headers, json.dumps(body))
            told = answer.json()
            if answer.status != 201 or not isinstance(told, dict):
                raise UsageError(f"the sandbox {name!r} cannot be made: {answer.text}")
            made[name] = told["sandboxID"]
