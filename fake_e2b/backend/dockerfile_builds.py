"""Template builds of the first generation: a Dockerfile is all that the service is told.

Its client builds the image, pushes it to a registry, and starts the build then.

Fact: templates.build.dockerfile
"""

from __future__ import annotations

from dataclasses import dataclass

from fake_e2b.backend.build_requests import BuildRequests
from fake_e2b.backend.build_reservations import BuildReservations, Requested, Wanted, tags_of
from fake_e2b.backend.template_catalog import TemplateCatalog, check_team
from fake_e2b.backend.templates import Templates
from fake_e2b.domain.build import BASE_STEP, BuildFailedError, DockerfileRequest, Order
from fake_e2b.domain.control_errors import ControlError, ControlKind
from fake_e2b.domain.dockerfile import DockerfileError, read_dockerfile
from fake_e2b.domain.ids import TemplateID
from fake_e2b.domain.team import Team
from fake_e2b.domain.template import DEFAULT_TAG, Template


@dataclass(frozen=True, slots=True)
class DockerfileWanted:
    """A request for such a build.

    Attributes:
        alias: None where the template needs no (other) name; with a tag, the build gets that one.
    """

    dockerfile: DockerfileRequest
    alias: str | None = None
    team_id: str | None = None
    cpu_count: int = 2
    memory_mb: int = 1024


class DockerfileBuilds:
    """Takes the requests; from its start on such a build is like any other."""

    def __init__(
        self,
        reservations: BuildReservations,
        requests: BuildRequests,
        templates: Templates,
        catalog: TemplateCatalog,
    ) -> None:
        self._reservations = reservations
        self._requests = requests
        self._templates = templates
        self._catalog = catalog

    def request(self, team: Team, wanted: DockerfileWanted) -> Requested:
        """Reserve the first build of a new template.

        Raises:
            ControlError: TEAM_MISMATCH, ALIAS_OF_OTHER; as `BuildReservations.request`.
        """
        return self._reserve(team, None, wanted)

    def rebuild(self, team: Team, template_id: str, wanted: DockerfileWanted) -> Requested:
        """Reserve one more build of a template, which may get another name by it.

        Raises:
            ControlError: TEMPLATE_DELETED, TEMPLATE_ID_NOT_FOUND, TEMPLATE_ID_FORBIDDEN; as
                `request`.
        """
        known = self._templates.get(TemplateID(template_id)) is not None
        if not known and self._templates.is_id(template_id):
            raise ControlError(ControlKind.TEMPLATE_DELETED, template_id=template_id)
        return self._reserve(team, self._catalog.by_id(team, template_id), wanted)

    def start(self, team: Team, template_id: str, build_id: str) -> None:
        """Let a reserved build begin, as if its image had been pushed.

        Raises:
            ControlError: As `BuildRequests.start`; BUILD_NOT_WAITING of one that was requested
                without a Dockerfile.
        """
        build = self._requests.waiting(team, template_id, build_id)
        asked = build.dockerfile
        if asked is None:
            raise ControlError(ControlKind.BUILD_NOT_WAITING)
        self._requests.begin(team, template_id, build, lambda: _order(asked))

    def _reserve(
        self, team: Team, template: Template | None, wanted: DockerfileWanted
    ) -> Requested:
        check_team(team, wanted.team_id)
        alias, tags = None, [DEFAULT_TAG]
        if wanted.alias is not None:
            reference = self._reservations.reference(team, wanted.alias)
            alias, tags = reference.name, tags_of(reference, ())
            owner = self._templates.owned(team, alias)
            if owner is not None and owner is not template:
                raise ControlError(ControlKind.ALIAS_OF_OTHER, alias=alias)
            if owner is None and self._templates.is_id(alias):
                raise ControlError(ControlKind.ALIAS_IS_AN_ID, alias=alias)
        size = Wanted(alias or "", cpu_count=wanted.cpu_count, memory_mb=wanted.memory_mb)
        made = self._reservations.reserve(team, template, alias, tags, size)
        if alias is not None and alias not in made.template.aliases:
            self._templates.rename(made.template, alias)
        made.build.dockerfile = wanted.dockerfile
        self._templates.keep(made.template)
        return made


def _order(asked: DockerfileRequest) -> Order:
    try:
        return read_dockerfile(
            asked.text, start_command=asked.start_command, ready_command=asked.ready_command
        )
    except DockerfileError as error:
        raise BuildFailedError(str(error), BASE_STEP) from error
