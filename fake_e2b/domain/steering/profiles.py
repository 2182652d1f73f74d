"""Named sets of rules: what a service, a network or a plan can do to a client, all at once.

`PROFILES` is the table; a new profile is a new entry. Its rules are named ``"<profile>: <part>
(seed <n>)"``: whoever sees such a name in a report can replay the run with that seed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fake_e2b.domain.forms import refuse_unknown
from fake_e2b.domain.plan import API_RATE, HOBBY, PRO, TRAFFIC_RATE, Plan
from fake_e2b.domain.steering.effects import (
    Chunks,
    Close,
    Effect,
    Keepalives,
    Latency,
    PlanLimits,
    RateLimit,
    Reset,
    Shuffle,
    SplitCharacters,
    UnknownFields,
)
from fake_e2b.domain.steering.match import RequestMatch
from fake_e2b.domain.steering.point import DONE, Point, point
from fake_e2b.domain.steering.rule import FaultRule
from fake_e2b.domain.steering.sandbox_effects import FilesLost

_STREAMS = ("Process.Start", "Process.Connect", "Filesystem.WatchDir", "execute")


@dataclass(frozen=True, slots=True)
class Part:
    """One rule of a profile.

    Attributes:
        label: Unique in the profile.
        at: None takes the effect's own point.
    """

    label: str
    effect: Effect
    match: RequestMatch
    at: Point | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """A named set of rules.

    Attributes:
        about: What it stands for, in one sentence; the docs show it.
    """

    name: str
    about: str
    parts: tuple[Part, ...]


_FLAKY = Profile(
    "flaky-network",
    "A bad line: some answers are late, some connections break before, after or amid the work.",
    (
        Part("late", Latency(0.02, "log-normal", sigma=1.0), RequestMatch(probability=0.2)),
        Part("reset", Reset(), RequestMatch(probability=0.03)),
        Part("answer lost", Close(), RequestMatch(probability=0.02), DONE),
        *(
            Part(f"cut {name}", Close(), RequestMatch(name, probability=0.05), point("frame=3"))
            for name in _STREAMS
        ),
    ),
)
_SLOW_START = Profile(
    "slow-start",
    "Creating a sandbox takes 1 to 3 seconds, resuming one 0.5 to 1.5.",
    (
        Part("create", Latency(1.0, "uniform", most_s=3.0), RequestMatch("createSandbox")),
        Part("resume", Latency(0.5, "uniform", most_s=1.5), RequestMatch("resumeSandbox")),
        Part("connect", Latency(0.5, "uniform", most_s=1.5), RequestMatch("connectSandbox")),
    ),
)

_STRICT = Profile(
    "strict",
    "All that the contract allows: answers in random pieces, characters split between frames, "
    "keepalives everywhere, fields that no version knows, lists and objects in any order.",
    (
        Part("order", Shuffle(), RequestMatch()),
        Part("unknown fields", UnknownFields(), RequestMatch()),
        Part("split characters", SplitCharacters(), RequestMatch()),
        Part("keepalives", Keepalives(), RequestMatch()),
        Part("pieces", Chunks(), RequestMatch()),
    ),
)
_REQUEST_RATES = (
    Part("API", RateLimit(API_RATE.requests, API_RATE.per_s, by="key", of="api"), RequestMatch()),
    Part(
        "sandboxes",
        RateLimit(TRAFFIC_RATE.requests, TRAFFIC_RATE.per_s, by="address", of="sandboxes"),
        RequestMatch(),
    ),
)
_RATE_LIMITED = Profile(
    "rate-limited",
    "The published limits: a sandbox started in a second, 20,000 API requests in 30 seconds, "
    "40,000 requests into sandboxes in 60 seconds from one address.",
    (
        Part("starts", RateLimit(1, 1.0, by="key"), RequestMatch("createSandbox")),
        *_REQUEST_RATES,
    ),
)

_LOSSY_RESUME = Profile(
    "lossy-resume",
    "What was written since a sandbox's first pause is gone after its second and later resumes.",
    (Part("files", FilesLost(), RequestMatch()),),
)


def _plan(plan: Plan, about: str) -> Profile:
    limits = PlanLimits(plan.concurrent_sandboxes, plan.max_length_hours)
    creates = RateLimit(plan.creates.requests, plan.creates.per_s, by="key")
    return Profile(
        f"{plan.name}-plan",
        about,
        (
            Part("limits", limits, RequestMatch()),
            Part("creates", creates, RequestMatch("createSandbox")),
            *_REQUEST_RATES,
        ),
    )


_HOBBY = _plan(
    HOBBY,
    "The plan's published limits: 20 sandboxes at once, an hour each, one created in a second.",
)
_PRO = _plan(
    PRO,
    "The plan's published limits: 100 sandboxes at once, 24 hours each, five created in a second.",
)

_ALL = (_FLAKY, _HOBBY, _LOSSY_RESUME, _PRO, _RATE_LIMITED, _SLOW_START, _STRICT)
PROFILES: Mapping[str, Profile] = {each.name: each for each in _ALL}
"""Every profile by its name."""


def names() -> Sequence[str]:
    """What profiles there are, sorted."""
    return sorted(PROFILES)


def profile(name: str) -> Profile:
    """The profile of that name.

    Raises:
        UsageError: There is none; the text names the nearest.
    """
    refuse_unknown(name, names(), "profile")
    return PROFILES[name]


def rules_of(chosen: Profile, seed: int) -> Sequence[FaultRule]:
    """A profile's rules; the same seed makes the same choices for the same requests in order."""
    return [
        FaultRule(
            f"{chosen.name}: {part.label} (seed {seed})",
            part.match,
            part.effect,
            part.effect.point_for(part.match) if part.at is None else part.at,
            seed=seed,
        )
        for part in chosen.parts
    ]


def belongs_to(rule: FaultRule, name: str) -> bool:
    """Whether a rule is one of the profile's."""
    return rule.name.startswith(f"{name}: ")
