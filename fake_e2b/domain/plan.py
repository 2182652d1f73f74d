"""What the service's plans allow, as its documentation publishes it.

Fact: control.plans
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.forms import refuse_unknown
from fake_e2b.domain.rate import Rate

API_RATE = Rate(20_000, 30)
"""Of a team's requests to the API."""
TRAFFIC_RATE = Rate(40_000, 60)
"""Of the requests into sandboxes that come from one address."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One plan.

    Attributes:
        concurrent_sandboxes: How many a team may have live at once; paused ones are free.
        max_length_hours: How long one run of a sandbox may last.
        creates: How fast it may create them.
    """

    name: str
    concurrent_sandboxes: int
    max_length_hours: int
    creates: Rate


HOBBY = Plan("hobby", concurrent_sandboxes=20, max_length_hours=1, creates=Rate(1, 1))
PRO = Plan("pro", concurrent_sandboxes=100, max_length_hours=24, creates=Rate(5, 1))
PLANS: Mapping[str, Plan] = {each.name: each for each in (HOBBY, PRO)}
"""Every plan by its name."""


def plan_named(name: str) -> Plan:
    """The plan of that name.

    Raises:
        UsageError: There is none; the text names the nearest.
    """
    refuse_unknown(name, tuple(PLANS), "plan")
    return PLANS[name]


def plans_of(chosen: str | Mapping[str, str] | None, slugs: tuple[str, ...]) -> dict[str, Plan]:
    """Each team's plan, by its slug; teams without one are missing.

    Args:
        chosen: One plan's name for all teams, or the names by the teams' slugs.
        slugs: The teams there are.

    Raises:
        UsageError: There is no such plan, or no such team.
    """
    if chosen is None:
        return {}
    if isinstance(chosen, str):
        return dict.fromkeys(slugs, plan_named(chosen))
    for slug in chosen:
        if slug not in slugs:
            raise UsageError(f"plan: there is no team {slug!r}, only {', '.join(slugs)}")
    return {slug: plan_named(name) for slug, name in chosen.items()}
