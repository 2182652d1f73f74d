"""Every operation of the API by name: the one table from method and path to name.

A name is written as the API writes it: `createSandbox` on the control plane, `Process.Start` for
an RPC of envd, `files.upload` for one of its routes, `execute` in the code interpreter. Both
generations of a route (`/sandboxes` and `/v2/sandboxes`) carry one name, for callers see one
operation. The journal, fault rules and gap answers all speak in these names.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

UNKNOWN = "unknown"
"""What a request is called that no row of the table describes."""


class Plane(StrEnum):
    """Which part of the fake a request is for."""

    CONTROL = "control"
    ENVD = "envd"
    INTERPRETER = "interpreter"
    PORT = "port"


@dataclass(frozen=True, slots=True)
class Operation:
    """One row: `path` holds `{parameters}`, each exactly one non-empty segment of the raw path."""

    name: str
    plane: Plane
    method: str
    path: str


@dataclass(frozen=True, slots=True)
class Match:
    """What a request was found to be; `sandbox_id` comes from the path, else it is None."""

    operation: str
    sandbox_id: str | None = None


_CONTROL = """
createSandbox          POST   /sandboxes
createSandbox          POST   /v2/sandboxes
listSandboxes          GET    /sandboxes
listSandboxes          GET    /v2/sandboxes
getSandboxesMetrics    GET    /sandboxes/metrics
getSandbox             GET    /sandboxes/{sandboxID}
killSandbox            DELETE /sandboxes/{sandboxID}
getSandboxMetrics      GET    /sandboxes/{sandboxID}/metrics
getSandboxLogs         GET    /sandboxes/{sandboxID}/logs
getSandboxLogs         GET    /v2/sandboxes/{sandboxID}/logs
pauseSandbox           POST   /sandboxes/{sandboxID}/pause
resumeSandbox          POST   /sandboxes/{sandboxID}/resume
connectSandbox         POST   /sandboxes/{sandboxID}/connect
connectSandbox         POST   /v2/sandboxes/{sandboxID}/connect
forkSandbox            POST   /sandboxes/{sandboxID}/fork
setSandboxTimeout      POST   /sandboxes/{sandboxID}/timeout
refreshSandbox         POST   /sandboxes/{sandboxID}/refreshes
updateSandboxNetwork   PUT    /sandboxes/{sandboxID}/network
createSnapshot         POST   /sandboxes/{sandboxID}/snapshots
listSnapshots          GET    /snapshots
getHealth              GET    /health
listTeams              GET    /teams
getTeamMetrics         GET    /teams/{teamID}/metrics
getTeamMetricsMax      GET    /teams/{teamID}/metrics/max
listAPIKeys            GET    /api-keys
createAPIKey           POST   /api-keys
updateAPIKey           PATCH  /api-keys/{apiKeyID}
deleteAPIKey           DELETE /api-keys/{apiKeyID}
createAccessToken      POST   /access-tokens
deleteAccessToken      DELETE /access-tokens/{accessTokenID}
listNodes              GET    /nodes
getNode                GET    /nodes/{nodeID}
updateNode             POST   /nodes/{nodeID}
killTeamSandboxes      POST   /admin/teams/{teamID}/sandboxes/kill
countRunningSandboxes  GET    /admin/sandboxes/running-counts
cancelTeamBuilds       POST   /admin/teams/{teamID}/builds/cancel
createTeamAPIKey       POST   /admin/teams/{teamID}/api-keys
deleteTeamAPIKey       DELETE /admin/teams/{teamID}/api-keys/{apiKeyID}
createTemplate         POST   /v3/templates
createTemplate         POST   /v2/templates
createTemplate         POST   /templates
rebuildTemplate        POST   /templates/{templateID}
listTemplates          GET    /templates
listTemplates          GET    /v2/templates
listDefaultTemplates   GET    /default-templates
getTemplate            GET    /templates/{templateID}
updateTemplate         PATCH  /templates/{templateID}
updateTemplate         PATCH  /v2/templates/{templateID}
deleteTemplate         DELETE /templates/{templateID}
getTemplateFile        GET    /templates/{templateID}/files/{hash}
startTemplateBuild     POST   /templates/{templateID}/builds/{buildID}
startTemplateBuild     POST   /v2/templates/{templateID}/builds/{buildID}
getTemplateBuildStatus GET    /templates/{templateID}/builds/{buildID}/status
getTemplateBuildLogs   GET    /templates/{templateID}/builds/{buildID}/logs
getTemplateAlias       GET    /templates/aliases/{alias}
assignTemplateTags     POST   /templates/tags
deleteTemplateTags     DELETE /templates/tags
listTemplateTags       GET    /templates/{templateID}/tags
countTemplateTags      GET    /templates/{templateID}/tags/count
templateTagExists      GET    /templates/{templateID}/tags/exists
listTemplateTagGroups  GET    /templates/{templateID}/tags/groups
listTagAssignments     GET    /templates/{templateID}/tags/{tag}/assignments
listVolumes            GET    /volumes
createVolume           POST   /volumes
getVolume              GET    /volumes/{volumeID}
deleteVolume           DELETE /volumes/{volumeID}
statVolumePath         GET    /volumecontent/{volumeID}/path
updateVolumePath       PATCH  /volumecontent/{volumeID}/path
removeVolumePath       DELETE /volumecontent/{volumeID}/path
listVolumeDir          GET    /volumecontent/{volumeID}/dir
makeVolumeDir          POST   /volumecontent/{volumeID}/dir
readVolumeFile         GET    /volumecontent/{volumeID}/file
writeVolumeFile        PUT    /volumecontent/{volumeID}/file
listSecrets            GET    /secrets
createSecret           POST   /secrets
getSecret              GET    /secrets/{secretID}
updateSecret           POST   /secrets/{secretID}
deleteSecret           DELETE /secrets/{secretID}
createWebhook          POST   /events/webhooks
listWebhooks           GET    /events/webhooks
getWebhook             GET    /events/webhooks/{webhookID}
updateWebhook          PATCH  /events/webhooks/{webhookID}
deleteWebhook          DELETE /events/webhooks/{webhookID}
listWebhookDeliveries  GET    /events/webhooks/{webhookID}/deliveries
getWebhookStats        GET    /events/webhooks/{webhookID}/stats
listSandboxEvents      GET    /events/sandboxes
getSandboxEvents       GET    /events/sandboxes/{sandboxID}
"""

_ENVD = """
files.download         GET    /files
files.upload           POST   /files
files.compose          POST   /files/compose
envd.health            GET    /health
envd.metrics           GET    /metrics
envd.envs              GET    /envs
envd.init              POST   /init
envd.freeze            POST   /freeze
envd.unfreeze          POST   /unfreeze
envd.collapse          POST   /collapse
envd.fsfreeze          POST   /fsfreeze
envd.fsthaw            POST   /fsthaw
envd.upgrade           POST   /upgrade
"""

_RPCS = {
    "process.Process": (
        "List", "Update", "SendInput", "SendSignal", "CloseStdin", "Start", "Connect",
        "StreamInput",
    ),
    "filesystem.Filesystem": (
        "Stat", "MakeDir", "Move", "ListDir", "Remove", "CreateWatcher", "GetWatcherEvents",
        "RemoveWatcher", "WatchDir",
    ),
}  # fmt: skip

_INTERPRETER = """
execute                POST   /execute
listContexts           GET    /contexts
createContext          POST   /contexts
restartContext         POST   /contexts/{contextID}/restart
removeContext          DELETE /contexts/{contextID}
interpreter.health     GET    /health
"""


def _rows(plane: Plane, table: str) -> Iterator[Operation]:
    for line in table.strip().splitlines():
        name, method, path = line.split()
        yield Operation(name, plane, method, path)


OPERATIONS: tuple[Operation, ...] = (
    *_rows(Plane.CONTROL, _CONTROL),
    *_rows(Plane.ENVD, _ENVD),
    *(
        Operation(f"{service.partition('.')[2]}.{rpc}", Plane.ENVD, "POST", f"/{service}/{rpc}")
        for service, rpcs in _RPCS.items()
        for rpc in rpcs
    ),
    *_rows(Plane.INTERPRETER, _INTERPRETER),
)
"""The whole table. Literal segments win over parameters, whatever the order of the rows."""

_Shape = tuple[tuple[tuple[int, str], ...], int | None, str]


def _shape(operation: Operation) -> _Shape:
    segments = operation.path.split("/")
    literals = tuple((at, text) for at, text in enumerate(segments) if not text.startswith("{"))
    sandbox_at = segments.index("{sandboxID}") if "{sandboxID}" in segments else None
    return literals, sandbox_at, operation.name


def _index() -> dict[tuple[Plane, str, int], tuple[_Shape, ...]]:
    index: dict[tuple[Plane, str, int], list[_Shape]] = {}
    for operation in OPERATIONS:
        key = (operation.plane, operation.method, operation.path.count("/"))
        index.setdefault(key, []).append(_shape(operation))
    return {
        key: tuple(sorted(shapes, key=lambda shape: len(shape[0]), reverse=True))
        for key, shapes in index.items()
    }


_INDEX = _index()
_EXACT = {
    (operation.plane, operation.method, operation.path): Match(operation.name)
    for operation in OPERATIONS
    if "{" not in operation.path
}
_NOTHING = Match(UNKNOWN)
_PORT_TRAFFIC = Match("port")


def match_operation(plane: Plane, method: str, path: str) -> Match:
    """Name a request; `path` is raw (``%2F`` is no separator) and without its query.

    A sandbox ID in the path is given without the `-<clientID>` that old SDKs append. HEAD is named
    as the GET it stands for, traffic to a port that the sandbox opened is ``"port"``.

    >>> match_operation(Plane.CONTROL, "POST", "/sandboxes/i0abc-6532622b/pause")
    Match(operation='pauseSandbox', sandbox_id='i0abc')
    """
    if plane is Plane.PORT:
        return _PORT_TRAFFIC
    if method == "HEAD":
        method = "GET"
    exact = _EXACT.get((plane, method, path))
    if exact is not None:
        return exact
    segments = path.split("/")
    if "" in segments[1:]:
        return _NOTHING
    for literals, sandbox_at, name in _INDEX.get((plane, method, len(segments) - 1), ()):
        if all(segments[at] == text for at, text in literals):
            if sandbox_at is None:
                return Match(name)
            return Match(name, segments[sandbox_at].partition("-")[0])
    return _NOTHING
