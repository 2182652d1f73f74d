"""Teams and the keys that stand for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from fake_e2b.backend.settings import ControlSettings
from fake_e2b.domain.clock import Clock
from fake_e2b.domain.control_errors import ControlError, ControlKind
from fake_e2b.domain.errors import UsageError
from fake_e2b.domain.ids import IdSource, TeamID
from fake_e2b.domain.plan import Plan
from fake_e2b.domain.records import Records
from fake_e2b.domain.team import API_KEY_DIGITS, API_KEY_PREFIX, ApiKey, Team, is_api_key

_GIVEN = "given keys"
_TAKEN = "taken teams"


class Teams:
    """Who may ask.

    Args:
        ids: Makes team IDs and keys.
        settings: The limits of teams that name none.
        clock: When keys were made and used.
        records: Where they are written down.

    Attributes:
        as_seen: The team with the limits that hold for whoever asks now.
    """

    def __init__(
        self, ids: IdSource, settings: ControlSettings, clock: Clock, records: Records
    ) -> None:
        self._ids = ids
        self._records = records
        self._before = {each.slug: each.team_id for each in records.all(Team)}
        self._settings = settings
        self._clock = clock
        self._by_key: dict[str, ApiKey] = {}
        self._lasting: dict[str, ApiKey] = {}
        self._teams: dict[TeamID, Team] = {}
        self._taken: set[TeamID] = set()
        self._limits: dict[TeamID, tuple[int, int]] = {}
        self.as_seen: Callable[[Team], Team] = lambda team: team

    def __iter__(self) -> Iterator[Team]:
        return iter(self._teams.values())

    def add_team(
        self,
        slug: str,
        *,
        max_length_hours: int | None = None,
        concurrent_sandboxes: int | None = None,
        plan: Plan | None = None,
    ) -> Team:
        """A new team; it needs `add_key` to be of use. An earlier server's has its ID again.

        Args:
            max_length_hours, concurrent_sandboxes: None for what `plan` says, or the settings.
            plan: Whose rates hold for it.
        """
        limits = plan or self._settings
        team = Team(
            self._before.get(slug) or TeamID(self._ids.uuid()),
            slug,
            limits.max_length_hours if max_length_hours is None else max_length_hours,
            limits.concurrent_sandboxes if concurrent_sandboxes is None else concurrent_sandboxes,
            plan,
        )
        self._teams[team.team_id] = team
        self._records.keep(team)
        return team

    def add_key(self, team: Team, key: str | None = None) -> str:
        """Let a key stand for `team`, over every reset.

        Args:
            key: None makes one.

        Raises:
            UsageError: `key` does not have the form of an API key.
        """
        if key is None:
            key = self._new_key()
        if not is_api_key(key):
            raise UsageError(f"an API key is e2b_ and an even number of hex digits, not {key!r}")
        made = self._by_key[key] = self._made(team, key, "Default", None)
        self._lasting[key] = replace(made)
        return key

    def make_key(self, team: Team, name: str, created_by: str | None) -> ApiKey:
        """A new key for `team`, until it is revoked or everything is reset.

        Args:
            created_by: A user's ID.
        """
        return self._issue(self._made(team, self._new_key(), name, created_by))

    def keep(self, made: ApiKey) -> None:
        """Write a key down as it is now."""
        self._records.keep(made)

    def keep_all(self) -> None:
        """Write all teams and keys down, and which keys came with the server."""
        for team in self._teams.values():
            self._records.keep(team)
        for made in self._by_key.values():
            self._records.keep(made)
        self._records.put(_GIVEN, "", list(self._lasting))
        self._keep_taken()

    def _keep_taken(self) -> None:
        self._records.put(_TAKEN, "", list(self._taken))

    def restore(self) -> None:
        """Have the keys that were recorded; one that was deleted is refused, though given again.

        Teams that were taken on meanwhile are there again.
        """
        taken = self._records.values(_TAKEN).get("", ())
        for each in self._records.all(Team):
            if each.team_id in taken and each.team_id not in self._teams:
                self._teams[each.team_id] = each
                self._taken.add(each.team_id)
        recorded = {each.key: each for each in self._records.all(ApiKey)}
        for key in self._records.values(_GIVEN).get("", ()):
            if key not in recorded:
                self._by_key.pop(key, None)
        for key, made in recorded.items():
            team = self._teams.get(made.team.team_id)
            if team is not None:
                self._by_key[key] = replace(made, team=team)
        self.keep_all()

    def take_team(self, slug: str, hours: int | None, running: int | None) -> Team:
        """A new team, until everything is reset; see `add_team` for its limits."""
        team = self.add_team(slug, max_length_hours=hours, concurrent_sandboxes=running)
        self._taken.add(team.team_id)
        self._keep_taken()
        return team

    def set_limits(self, team: Team, hours: int, running: int) -> None:
        """Give a team other limits, until everything is reset."""
        self._limits.setdefault(team.team_id, (team.max_length_hours, team.concurrent_sandboxes))
        team.max_length_hours, team.concurrent_sandboxes = hours, running
        self._records.keep(team)

    def take_key(self, team: Team, key: str, name: str) -> ApiKey:
        """Let a key of the caller's choice stand for `team`, until everything is reset."""
        return self._issue(self._made(team, key, name, None))

    def find_key(self, key: str) -> ApiKey | None:
        """A key as it is kept; looking does not use it."""
        return self._by_key.get(key)

    def drop_team(self, team: Team) -> None:
        """Forget a team that was taken on, and its keys."""
        for made in self.keys_of(team):
            self.drop_key(made)
        del self._teams[team.team_id]
        self._taken.discard(team.team_id)
        self._records.forget(team)
        self._keep_taken()

    def _new_key(self) -> str:
        return API_KEY_PREFIX + self._ids.hex_token(API_KEY_DIGITS)

    def _made(self, team: Team, key: str, name: str, created_by: str | None) -> ApiKey:
        key_id = self._ids.uuid_of(f"API key {key}")
        return ApiKey(
            key_id, key, self._teams[team.team_id], name, self._clock.now_ns(), created_by
        )

    def _issue(self, made: ApiKey) -> ApiKey:
        self.keep(made)
        self._by_key[made.key] = made
        return made

    def keys_of(self, team: Team) -> list[ApiKey]:
        """The team's keys, the oldest first."""
        return [each for each in self._by_key.values() if each.team.team_id == team.team_id]

    def drop_key(self, made: ApiKey) -> None:
        """Refuse a key until the next reset, if it is one of the lasting ones, or for good."""
        self._records.forget(made)
        self._by_key.pop(made.key, None)

    def reset(self) -> None:
        """Forget keys and teams that were made meanwhile; the lasting ones are as they were."""
        for team_id in list(self._taken):
            self.drop_team(self._teams[team_id])
        for team_id, (hours, running) in self._limits.items():
            if team_id in self._teams:
                self.set_limits(self._teams[team_id], hours, running)
        self._limits.clear()
        self._by_key = {key: replace(made) for key, made in self._lasting.items()}

    def get(self, team_id: TeamID) -> Team | None:
        """The team with that ID."""
        team = self._teams.get(team_id)
        return None if team is None else self.as_seen(team)

    def by_key(self, key: str) -> Team:
        """The team that a key stands for.

        Raises:
            ControlError: AUTH_MALFORMED, API_KEY_FORMAT or API_KEY_UNKNOWN.

        Fact: control.auth.api-key
        """
        known = self._by_key.get(key)
        if known is not None:
            known.last_used_ns = self._clock.now_ns()
            return self.as_seen(known.team)
        if not key.startswith(API_KEY_PREFIX):
            raise ControlError(ControlKind.AUTH_MALFORMED)
        if not is_api_key(key):
            raise ControlError(ControlKind.API_KEY_FORMAT)
        raise ControlError(ControlKind.API_KEY_UNKNOWN)
