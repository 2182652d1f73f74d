"""The operations on secrets.

Facts: secrets.names, secrets.versions
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from fake_e2b.domain.clock import Clock
from fake_e2b.domain.control_errors import ControlError, ControlKind
from fake_e2b.domain.ids import IdSource, TeamID
from fake_e2b.domain.records import Records
from fake_e2b.domain.secret import Secret, canonical_name, is_fitting_metadata, selector
from fake_e2b.domain.team import Team


@dataclass(frozen=True, slots=True)
class SecretPage:
    """Some secrets, oldest first; `last` is None on the last page."""

    secrets: list[Secret]
    last: Secret | None


class Secrets:
    """The secrets of all teams; values leave it by `value` alone."""

    def __init__(self, ids: IdSource, clock: Clock, records: Records) -> None:
        self._ids = ids
        self._clock = clock
        self._records = records
        self._by_team: dict[TeamID, dict[str, Secret]] = {}

    def _of(self, team_id: TeamID) -> dict[str, Secret]:
        return self._by_team.setdefault(team_id, {})

    def create(self, team: Team, name: str, value: str, metadata: Mapping[str, str]) -> Secret:
        """A new secret at its first version.

        Raises:
            ControlError: SECRETS_BAD_REQUEST; SECRET_CONFLICT: there is one of that name.
        """
        canonical = canonical_name(name)
        if canonical is None or not value or not is_fitting_metadata(metadata):
            raise ControlError(ControlKind.SECRETS_BAD_REQUEST)
        secrets = self._of(team.team_id)
        if canonical in secrets:
            raise ControlError(ControlKind.SECRET_CONFLICT)
        now_ns = self._clock.now_ns()
        secret_id = self._ids.secret_id(now_ns)
        made = Secret(secret_id, team.team_id, canonical, [value], dict(metadata), now_ns, now_ns)
        self._records.keep(made)
        secrets[canonical] = made
        return made

    def get(self, team: Team, text: str) -> Secret:
        """The secret of that ID or name.

        Raises:
            ControlError: SECRETS_BAD_REQUEST, SECRET_NOT_FOUND.
        """
        wanted = selector(text)
        if wanted is None:
            raise ControlError(ControlKind.SECRETS_BAD_REQUEST)
        secrets = self._of(team.team_id)
        found = secrets.get(wanted) or next(
            (each for each in secrets.values() if each.secret_id == wanted), None
        )
        if found is None:
            raise ControlError(ControlKind.SECRET_NOT_FOUND)
        return found

    def update(
        self, team: Team, text: str, value: str, metadata: Mapping[str, str] | None
    ) -> Secret:
        """Make a value the current version.

        Args:
            metadata: Takes the place of all there is; None keeps it.

        Raises:
            ControlError: As `get`; SECRETS_BAD_REQUEST.
        """
        if not value or not is_fitting_metadata(metadata or {}):
            raise ControlError(ControlKind.SECRETS_BAD_REQUEST)
        secret = self.get(team, text)
        changed = replace(
            secret,
            versions=[*secret.versions, value],
            metadata=secret.metadata if metadata is None else dict(metadata),
            updated_at_ns=self._clock.now_ns(),
        )
        self._records.keep(changed)
        self._of(team.team_id)[secret.name] = changed
        return changed

    def delete(self, team: Team, text: str) -> None:
        """Forget a secret with all its versions; its name is free.

        Raises:
            ControlError: As `get`.
        """
        secret = self.get(team, text)
        self._records.forget(secret)
        del self._of(team.team_id)[secret.name]

    def page(self, team: Team, *, limit: int, after: tuple[int, str] | None) -> SecretPage:
        """The next secrets in the order of their making.

        Args:
            after: Instant and ID, without its prefix, of the last one of the page before.
        """
        ordered = sorted(
            self._of(team.team_id).values(), key=lambda each: (each.created_at_ns, each.secret_id)
        )
        if after is not None:
            key = (after[0], f"sec_{after[1]}")
            ordered = [each for each in ordered if (each.created_at_ns, each.secret_id) > key]
        page = ordered[:limit]
        return SecretPage(page, page[-1] if len(ordered) > limit else None)

    def value(self, team_id: TeamID, name: str) -> str | None:
        """The current value of the secret of that canonical name; None without one."""
        found = self._of(team_id).get(name)
        return None if found is None else found.versions[-1]

    def restore(self) -> None:
        """Have what was recorded."""
        for secret in self._records.all(Secret):
            self._of(secret.team_id)[secret.name] = secret

    def clear(self) -> None:
        """Forget everything."""
        self._by_team.clear()
