"""The operations on volumes, and who is let into their content.

Facts: volumes.names, volumes.token
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from fake_e2b.backend.volume_content import VolumeContent
from fake_e2b.domain.clock import SECOND_NS, Clock
from fake_e2b.domain.control_errors import ControlError, ControlKind
from fake_e2b.domain.file_ports import VolumeFiles
from fake_e2b.domain.ids import IdSource, TeamID, VolumeID
from fake_e2b.domain.ports import Runtime
from fake_e2b.domain.records import Records
from fake_e2b.domain.team import Team
from fake_e2b.domain.volume import MAX_NAME, Mount, Volume, volume_id
from fake_e2b.domain.volume_errors import VolumeError, VolumeKind
from fake_e2b.domain.web_token import read_token, sign_token

_ISSUER = "fake-e2b"
_AUDIENCE = "https://api.e2b.localhost"
_KEY_ID = "fake-e2b"


class Volumes:
    """The volumes of all teams.

    Args:
        runtime: Keeps their files.
        token_s: How long a token is good for.
    """

    def __init__(
        self,
        ids: IdSource,
        clock: Clock,
        runtime: Runtime,
        records: Records,
        *,
        token_s: int,
    ) -> None:
        self._ids = ids
        self._clock = clock
        self._runtime = runtime
        self._records = records
        self._token_s = token_s
        self._by_id: dict[VolumeID, Volume] = {}
        self._by_name: dict[tuple[TeamID, str], Volume] = {}
        self._files: dict[VolumeID, VolumeFiles] = {}

    async def create(self, team: Team, name: str) -> Volume:
        """An empty volume.

        Raises:
            ControlError: BAD_VOLUME_NAME, VOLUME_EXISTS; VOLUME_FAILED: nothing is left of it.
        """
        if not 1 <= len(name) <= MAX_NAME:
            raise ControlError(ControlKind.BAD_VOLUME_NAME)
        if self.find(team.team_id, name) is not None:
            raise ControlError(ControlKind.VOLUME_EXISTS, name=name)
        volume = Volume(VolumeID(self._ids.uuid()), team.team_id, name)
        self._by_name[team.team_id, name] = volume
        try:
            files = await self._runtime.create_volume(volume.volume_id)
        except BaseException as error:
            self._forget(volume)
            if isinstance(error, OSError):
                raise ControlError(ControlKind.VOLUME_FAILED) from error
            raise
        if self.find(team.team_id, name) is not volume:  # everything was forgotten meanwhile
            await self._runtime.discard_volume(volume.volume_id)
            raise ControlError(ControlKind.VOLUME_FAILED)
        try:
            self._records.keep(volume)
        except OSError as error:
            self._forget(volume)
            await self._runtime.discard_volume(volume.volume_id)
            raise ControlError(ControlKind.VOLUME_FAILED) from error
        self._files[volume.volume_id] = files
        self._by_id[volume.volume_id] = volume
        return volume

    def list(self, team: Team) -> list[Volume]:
        """The team's, oldest first."""
        return [each for each in self._by_id.values() if each.team_id == team.team_id]

    def get(self, team: Team, text: str) -> Volume:
        """The volume of that ID.

        Raises:
            ControlError: BAD_VOLUME_ID, VOLUME_NOT_FOUND.
        """
        wanted = volume_id(text)
        if wanted is None:
            raise ControlError(ControlKind.BAD_VOLUME_ID)
        found = self._by_id.get(wanted)
        if found is None or found.team_id != team.team_id:
            raise ControlError(ControlKind.VOLUME_NOT_FOUND)
        return found

    def find(self, team_id: TeamID, name: str) -> Volume | None:
        """The volume of that name."""
        return self._by_name.get((team_id, name))

    def has(self, team: Team) -> Callable[[str], bool]:
        """Tells whether the team has a volume of a name."""
        return lambda name: self.find(team.team_id, name) is not None

    def mounts(self, team: Team, wanted: Sequence[Mapping[str, str]]) -> tuple[Mount, ...]:
        """What a sandbox is to have: name and path each; every name was found before."""
        found = [(self.find(team.team_id, each["name"]), each["path"]) for each in wanted]
        return tuple(Mount(each.volume_id, path) for each, path in found if each is not None)

    async def delete(self, team: Team, text: str) -> None:
        """Forget a volume and remove its content, whoever has it mounted.

        Raises:
            ControlError: As `get`.
        """
        volume = self.get(team, text)
        self._records.forget(volume)
        self._forget(volume)
        await self._runtime.discard_volume(volume.volume_id)

    def _forget(self, volume: Volume) -> None:
        self._by_id.pop(volume.volume_id, None)
        self._files.pop(volume.volume_id, None)
        if self._by_name.get((volume.team_id, volume.name)) is volume:
            del self._by_name[volume.team_id, volume.name]

    def open(self, volume: Volume) -> VolumeContent:
        """What is in a volume, for the fake itself, which needs no token."""
        return VolumeContent(self._files[volume.volume_id])

    def token(self, volume: Volume) -> str:
        """A fresh token, which lets into the content of this volume alone, for a while."""
        now_s = self._clock.now_ns() // SECOND_NS
        claims = {
            "aud": _AUDIENCE,
            "iss": _ISSUER,
            "iat": now_s,
            "nbf": now_s,
            "exp": now_s + self._token_s,
            "jti": self._ids.uuid(),
            "sub": volume.team_id,
            "teamid": volume.team_id,
            "volid": volume.volume_id,
            "voltype": "local",
        }
        return sign_token(claims, self._key(), {"kid": _KEY_ID, "tokid": _KEY_ID})

    def _key(self) -> bytes:
        return self._ids.key("tokens of volumes")

    def content(self, text: str, authorization: str) -> VolumeContent:
        """What is in a volume.

        Args:
            text: The ID, as the path has it.
            authorization: The request's header, "" when absent.

        Raises:
            VolumeError: TOKEN_MISSING, TOKEN_INVALID, TOKEN_FOREIGN, VOLUME_GONE.
        """
        if not authorization:
            raise VolumeError(VolumeKind.TOKEN_MISSING)
        scheme, _, token = authorization.partition(" ")
        claims = read_token(token.strip(), self._key()) if scheme.lower() == "bearer" else None
        if claims is None or claims["exp"] <= self._clock.now_ns() // SECOND_NS:
            raise VolumeError(VolumeKind.TOKEN_INVALID)
        wanted = volume_id(text)
        if wanted is None or claims["volid"] != wanted:
            raise VolumeError(VolumeKind.TOKEN_FOREIGN)
        files = self._files.get(wanted)
        if files is None:
            raise VolumeError(VolumeKind.VOLUME_GONE)
        return VolumeContent(files)

    def restore(self, recorded: Sequence[Volume], found: Mapping[VolumeID, VolumeFiles]) -> None:
        """Have what was recorded and has its files."""
        for volume in recorded:
            if volume.volume_id in found:
                self._files[volume.volume_id] = found[volume.volume_id]
                self._by_id[volume.volume_id] = volume
                self._by_name[volume.team_id, volume.name] = volume
            else:
                self._records.forget(volume)

    async def reset(self) -> None:
        """Forget and remove everything."""
        gone = list(self._by_id)
        self._by_id.clear()
        self._by_name.clear()
        self._files.clear()
        for each in gone:
            await self._runtime.discard_volume(each)
